"""Where a plan is, when its stage must be passed, and what is still known when it is taken back."""

from __future__ import annotations

from math import inf

import pytest
from attrs import evolve

from zdd.model.command import Retire
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.reconciler.progress import (
    Progress,
    Told,
    admission_key,
    deadline_s,
    going_back,
    stage_key,
    stage_of,
)

STAGES = (Stage("one", deadline_s=60.0), Stage("two", deadline_s=90.0))
PLAN = Plan(Service("web"), "r2", {"r2": Revision("r2", "2", {})}, (), STAGES, 0, 1)
PAUSE = Order(OrderKind.PAUSE, "d1", by="ann", at_s=5.0)


@pytest.mark.parametrize(("passed", "stage"), [(0, 0), (1, 1), (2, 1)])
def test_after_the_last_stage_its_goals_go_on_to_hold(passed: int, stage: int) -> None:
    assert stage_of(PLAN, Progress(stage=passed)) == stage


@pytest.mark.parametrize(
    ("progress", "until_s"),
    [
        (Progress(entered_s=100.0), 160.0),
        (Progress(stage=1, entered_s=100.0), 190.0),
        (Progress(entered_s=100.0, stood_s=7.0), 167.0),
        (Progress(entered_s=100.0, paused=PAUSE), 160.0),
        (Progress(entered_s=100.0, paused=PAUSE, reached_s=120.0), inf),
        (Progress(entered_s=100.0, paused=PAUSE, begun=False), inf),
    ],
    ids=["its own", "that of the next", "paused before", "pausing while it moves", "nothing but a pause", "not begun"],
)
def test_a_stage_has_its_time_which_only_a_pause_can_stretch(progress: Progress, until_s: float) -> None:
    assert deadline_s(PLAN, progress) == until_s


def test_a_gate_of_a_stage_is_not_taken_for_one_of_a_revision() -> None:
    names = {stage_key(0, 1), stage_key(1, 0), admission_key("r1", 0), admission_key("r1", 1), admission_key("r2", 0)}
    assert len(names) == 5


def test_taken_back_the_world_is_known_as_before_and_the_stages_begin_anew() -> None:
    told = {"web": Told(Retire("web"), 90.0)}
    gates = {(admission_key("r1", 0), "web.a"): None, (stage_key(0, 0), "web"): None}
    before = Progress(
        stage=1,
        entered_s=50.0,
        reached_s=80.0,
        paused=PAUSE,
        failure="too slow",
        told=told,
        gates=gates,  # type: ignore[arg-type]
        settles_s=130.0,
        deaf={"edge": 70.0},
        routed_s=60.0,
    )
    back = going_back(before, 100.0)
    assert (back.stage, back.entered_s, back.reached_s, back.paused, back.failure) == (0, 100.0, None, None, "")
    assert list(back.gates) == [(admission_key("r1", 0), "web.a")]
    known = ("told", "settles_s", "deaf", "routed_s", "instances")
    assert [getattr(back, name) for name in known] == [getattr(before, name) for name in known]
    assert going_back(evolve(back, entered_s=0.0), 100.0) == back
