"""What a person reads before anything happens."""

# ruff: noqa: RUF001
from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from zdd.events import DeploymentStarted, Event
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.plan_text import plan_text
from zdd.model.service import Overlap, Service


@pytest.mark.parametrize("name", ["rolling", "canary"])
def test_a_plan_reads_as_expected(name: str, plans: dict[str, Plan], golden: Callable[[str, str], None]) -> None:
    golden(f"plan-{name}.txt", plan_text(plans[name]) + "\n")


def test_a_first_deployment_promises_no_floor(plans: dict[str, Plan]) -> None:
    text = plan_text(evolve(plans["rolling"], origin=()))
    assert text.splitlines()[0] == "web: start of 1.5.0 by RollingUpdate(surge=1)"
    assert "nothing serves yet; 3 instances at the end" in text
    assert "no cell of this service runs" in text


def test_a_gap_is_said_beforehand(plans: dict[str, Plan]) -> None:
    single = Service("web", overlap=Overlap.FORBIDDEN)
    text = plan_text(evolve(plans["rolling"], service=single, stages=(Stage("swap", held=True),)))
    assert "there is a gap until the new one is ready" in text
    assert "requests wait at the edges" in text


def test_two_revisions_of_one_version_are_told_apart(plans: dict[str, Plan]) -> None:
    plan = plans["rolling"]
    same = {key: evolve(revision, version="1.5.0") for key, revision in plan.revisions.items()}
    assert plan_text(evolve(plan, revisions=same)).startswith("web: 1.5.0 (revision r1) → 1.5.0 (revision r2)")


def test_a_plan_without_stages_says_that_there_is_nothing_to_do(plans: dict[str, Plan]) -> None:
    assert plan_text(evolve(plans["rolling"], stages=())).endswith("Nothing to do: what is wanted runs already.")


def test_the_way_back_is_named(plans: dict[str, Plan]) -> None:
    assert plan_text(evolve(plans["rolling"], direction=Direction.BACK)).startswith("web: back, 1.4.2 → 1.5.0")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (Goal("c", "r1", 0, 0), Goal("c", "r2", 2, 1), "start 2 × 1.5.0, then prove, admit to traffic"),
        (Goal("c", "r1", 0, 0), Goal("c", "r2", 2, 0), "start 2 × 1.5.0, then prove, without traffic"),
        (
            Goal("c", "r1", 2, 1),
            Goal("c", "r1", 0, 0),
            "take 2 × 1.4.2 out of traffic and drain, then retire 2 × 1.4.2",
        ),
        (Goal("c", "r1", 2, 0), Goal("c", "r1", 0, 0), "retire 2 × 1.4.2"),
        (Goal("c", "r1", 2, 1), Goal("c", "r1", 2, 0), "take 2 × 1.4.2 out of traffic and drain"),
        (Goal("c", "r1", 2, 0), Goal("c", "r1", 2, 1), "prove, admit to traffic"),
        (Goal("c", "r1", 2, 0), Goal("c", "r2", 2, 0), "replace 2 × 1.4.2 by 2 × 1.5.0"),
        (
            Goal("c", "r1", 2, 1),
            Goal("c", "r1", 5, 1),
            "go from 2 to 5 × 1.4.2, then prove the new ones, admit them to traffic",
        ),
        (Goal("c", "r1", 2, 1), Goal("c", "r1", 2, 3), "2 × 1.4.2 stay in traffic, now 100 % of it"),
        (Goal("c", "r1", 2, 1), Goal("c", "r1", 2, 1), "stays as it is"),
        (
            Goal("c", "r1", 4, 1),
            Goal("c", "r2", 4, 1, InPlace(1)),
            "replace 1 of 4 in place, prove and admit to traffic, then 1 of 4 run 1.5.0",
        ),
        (
            Goal("c", "r2", 4, 1, InPlace(1)),
            Goal("c", "r2", 4, 1, InPlace(3, 2)),
            "replace 2 of 4 in place, prove and admit to traffic, then 3 of 4 run 1.5.0",
        ),
        (
            Goal("c", "r2", 4, 1, InPlace(2)),
            Goal("c", "r1", 4, 1, InPlace(3)),
            "replace in place until 3 of 4 run 1.4.2, prove and admit to traffic",
        ),
    ],
)
def test_a_change_of_a_cell_is_told_in_the_order_in_which_it_happens(
    before: Goal, after: Goal, words: str, plans: dict[str, Plan]
) -> None:
    plan = evolve(plans["rolling"], origin=(before,), stages=(Stage("change", (after,)),))
    assert f"   c           {words}\n" in plan_text(plan)


def test_what_is_replaced_in_place_shares_the_traffic_and_its_weaker_promise_is_said(plans: dict[str, Plan]) -> None:
    stages = tuple(
        Stage(f"batch {n}", (Goal("c", "r2", 4, 1, InPlace(n, order=order)),))
        for n, order in ((1, UpdateOrder.START_FIRST), (4, UpdateOrder.STOP_FIRST))
    )
    plan = evolve(plans["rolling"], origin=(Goal("c", "r1", 4, 1),), stages=stages)
    text = plan_text(plan)
    assert "useful: all may be replaced at once, and requests are lost" in plan_text(evolve(plan, floor=0))
    assert "   traffic     75 % 1.4.2, 25 % 1.5.0\n" in text
    assert "   traffic     100 % 1.5.0\n" in text
    assert "when that is ready it is stopped, drained or not" in text
    assert "nobody knows beforehand which" in text


def test_hostile_text_stays_on_its_line(hostile: tuple[Event, ...]) -> None:
    started = hostile[0]
    assert isinstance(started, DeploymentStarted)
    text = plan_text(started.plan)
    assert all(line.isprintable() for line in text.splitlines())
    assert "hunter2" not in text


def test_without_being_printed_a_plan_shows_one_line_and_in_a_notebook_all_of_it(plans: dict[str, Plan]) -> None:
    plan = evolve(plans["rolling"], strategy="<b>")
    assert repr(plan) == "<Plan web: 1.4.2 → 1.5.0 by <b>, 5 stages; print it to read it>"
    assert plan._repr_html_().startswith("<pre>web: 1.4.2 → 1.5.0 by &lt;b&gt;\n")
