"""What an order means, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.reconciler.learn import learn
from zdd.reconciler.orders import objection
from zdd.reconciler.progress import Passed, Progress, TrafficReached, deadline_s

NOW = 1_000_000.0
STAGES = (Stage("one", (Goal("web", "r2", 1, 1),), deadline_s=100.0), Stage("two", deadline_s=100.0))
PLAN = Plan(Service("web"), "r2", {"r2": Revision("r2", "2", {"kind": "x"})}, (), STAGES, 0, 2)
BACK = evolve(PLAN, direction=Direction.BACK)


def order(kind: OrderKind, stage: int | None = None) -> Order:
    return Order(kind, "web-1", "ana@host:1", NOW, stage)


PAUSE, RESUME, PROMOTE, ABORT = map(order, OrderKind)
PAUSED = Progress(paused=PAUSE)


@pytest.mark.parametrize(
    ("given", "progress", "plan", "why"),
    [
        (PAUSE, Progress(), PLAN, ""),
        (PAUSE, PAUSED, PLAN, "it was paused by ana@host:1 at 1970-01-12 13:46:40 UTC already"),
        (PAUSE, Progress(stage=2), PLAN, "its last stage was passed, and only clearing away was left"),
        (PAUSE, Progress(), BACK, "it is being taken back, which no order stops"),
        (PAUSE, Progress(failure="a gate"), PLAN, "it has failed already"),
        (RESUME, PAUSED, PLAN, ""),
        (RESUME, Progress(), PLAN, "it was not paused"),
        (PROMOTE, Progress(stage=1), PLAN, ""),
        (order(OrderKind.PROMOTE, 1), Progress(stage=1), PLAN, ""),
        (order(OrderKind.PROMOTE, 0), Progress(stage=1), PLAN, "stage 1, which it was for, is not under way"),
        (PROMOTE, Progress(promoted=True), PLAN, "this stage was promoted already"),
        (PROMOTE, PAUSED, PLAN, "it was paused by ana@host:1 at 1970-01-12 13:46:40 UTC, and must be resumed first"),
        (ABORT, PAUSED, PLAN, ""),
        (ABORT, Progress(), BACK, "it is being taken back, which no order stops"),
        (ABORT, Progress(stage=2), PLAN, "its last stage was passed, and only clearing away was left"),
    ],
)
def test_an_order_has_an_effect_or_a_reason_why_not(given: Order, progress: Progress, plan: Plan, why: str) -> None:
    assert objection(progress, plan, given) == why
    after = learn(progress, plan, given, NOW)
    assert (after == progress) is bool(why)


def test_an_abort_is_a_failure_that_names_who_and_when() -> None:
    assert learn(Progress(), PLAN, ABORT, NOW).failure == "aborted by ana@host:1 at 1970-01-12 13:46:40 UTC"


def test_a_promotion_ends_with_its_stage_and_a_pause_does_not() -> None:
    promoted = learn(learn(Progress(), PLAN, PROMOTE, NOW), PLAN, Passed(), NOW)
    assert not promoted.promoted
    assert learn(PAUSED, PLAN, Passed(), NOW).paused == PAUSE


def after(*facts: tuple[float, Any], begun: bool = True) -> Progress:
    progress = Progress(entered_s=NOW, begun=begun)
    for at_s, fact in facts:
        progress = learn(progress, PLAN, fact, NOW + at_s)
    return progress


@pytest.mark.parametrize(
    ("progress", "left_s"),
    [
        (after(), 100),
        (after((10, PAUSE)), 100),
        (after((10, PAUSE), (20, TrafficReached())), float("inf")),
        (after((10, TrafficReached()), (20, PAUSE)), float("inf")),
        (after((10, PAUSE), (20, TrafficReached()), (500, RESUME)), 580),
        (after((10, TrafficReached()), (20, PAUSE), (500, RESUME)), 580),
        (after((10, PAUSE), (60, RESUME)), 100),
        (after((5, PAUSE), (10, TrafficReached()), (30, RESUME), (40, PAUSE), (50, RESUME)), 130),
        (after((0, PAUSE), begun=False), float("inf")),
        (after((0, PAUSE), (500, RESUME), begun=False), 600),
        (after((10, TrafficReached()), (20, PAUSE), (500, RESUME), (510, Passed())), 610),
    ],
)
def test_a_deadline_does_not_run_on_while_all_that_keeps_a_stage_is_a_pause(progress: Progress, left_s: float) -> None:
    assert deadline_s(PLAN, progress) - NOW == left_s
