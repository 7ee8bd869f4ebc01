"""When a stage has failed, and the reason that a person reads."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.gates import TcpGate
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Command, Launch, Scale
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.observation import Observation
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.asking import stage_target
from zdd.reconciler.failing import failure
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, Progress, Told, stage_key

BEGAN_S = 100.0
GATE = TcpGate("http", deadline_s=7)
GOAL = Goal("web", "r2", 2, 0)
STAGE = Stage("start", (GOAL,), deadline_s=90)
SERVICE = Service("web", exposures=(), start_deadline_s=40, stop_grace_s=5)
PLAN = Plan(SERVICE, "r2", {"r2": Revision("r2", "2", {})}, (), (STAGE,), 0, 3)
WEB = Cell("web", "r2", 2, (Instance("web.a", "r2", InstanceState.STARTING, note="pulling"),))
LATE = "web was not ready and proven within 40 s: web.a is starting, pulling"


def picture(progress: Progress, after_s: float, plan: Plan = PLAN, cell: Cell = WEB) -> Picture:
    now_s = BEGAN_S + after_s
    return Picture(Observation(now_s, (cell,)), plan, evolve(progress, entered_s=BEGAN_S), now_s)


def told(command: Command) -> Progress:
    return Progress(told={"web": Told(command, BEGAN_S)})


@pytest.mark.parametrize(
    ("command", "after_s", "reason"),
    [
        (Launch("web", "r2", 2), 39.9, ""),
        (Launch("web", "r2", 2), 40.0, LATE),
        (Change("web", "r2", 2), 40.0, LATE),
        (Scale("web", 2), 40.0, LATE),
        (Scale("web", 0), 40.0, ""),  # the goal of another stage
        (Change("web", "r2", 2, InPlace(1, 1)), 40.0, ""),  # changed less far, in an earlier stage
    ],
)
def test_what_does_not_start_has_the_time_that_the_service_states(command: Command, after_s: float, reason: str):
    assert failure(picture(told(command), after_s)) == reason


def test_what_an_earlier_deployer_started_has_it_from_the_beginning_of_the_stage():
    assert failure(picture(Progress(), 39.9)) == ""
    assert failure(picture(Progress(), 40.0)) == LATE


def test_where_the_old_one_stops_first_its_grace_period_comes_on_top():
    in_place = InPlace(2, 1, UpdateOrder.STOP_FIRST)
    plan = evolve(PLAN, stages=(evolve(STAGE, goals=(evolve(GOAL, in_place=in_place),)),))
    progress = told(Change("web", "r2", 2, in_place))
    assert failure(picture(progress, 44.9, plan)) == ""
    assert failure(picture(progress, 45.0, plan)) == LATE


def test_what_is_late_on_the_way_back_is_not_given_up_before_the_stage_is_over():
    serving = evolve(STAGE, goals=(evolve(GOAL, share=1),))
    back = evolve(PLAN, direction=Direction.BACK, stages=(serving,))
    assert failure(picture(told(Launch("web", "r2", 2)), 89.9, back)) == ""
    reason = failure(picture(told(Launch("web", "r2", 2)), 90.0, back))
    assert reason == "not reached within 90 s, still waiting for: web: web.a is starting, pulling"


def test_what_was_found_to_have_failed_stays_failed():
    assert failure(picture(Progress(failure="the action backup: no room"), 0)) == "the action backup: no room"


def judged(result: Result, passed_s: float | None = None) -> Progress:
    reached = Progress(reached_s=BEGAN_S)
    gated = evolve(PLAN, stages=(evolve(STAGE, gates=(GATE,)),))
    key = (stage_key(0, 0), stage_target(picture(reached, 0, gated)).key)
    record = GateRecord(BEGAN_S + 1, BEGAN_S + 2, passed_s, (), Verdict(result, "4 % of 118 failed"))
    return evolve(reached, gates={key: record})


PATIENCE = "gate a connection to port http did not pass within 7 s: 4 % of 118 failed"


@pytest.mark.parametrize(
    ("progress", "after_s", "reason"),
    [
        (judged(Result.FAILED), 2.0, "gate a connection to port http failed: 4 % of 118 failed"),
        (judged(Result.INCONCLUSIVE), 7.9, ""),
        (judged(Result.INCONCLUSIVE), 8.0, PATIENCE),
        (judged(Result.INCONCLUSIVE, passed_s=BEGAN_S + 5), 11.9, ""),
        (judged(Result.INCONCLUSIVE, passed_s=BEGAN_S + 5), 12.0, PATIENCE),
        (judged(Result.PASSED), 30.0, ""),
        (evolve(judged(Result.INCONCLUSIVE), stood_s=4.0), 11.9, ""),
        (evolve(judged(Result.INCONCLUSIVE), stood_s=4.0), 12.0, PATIENCE),
        (evolve(judged(Result.INCONCLUSIVE), paused=Order(OrderKind.PAUSE, "d", "user@host", BEGAN_S)), 30.0, ""),
    ],
)
def test_a_gate_has_its_own_patience_which_no_pause_uses_up(progress: Progress, after_s: float, reason: str):
    gated = evolve(PLAN, stages=(evolve(STAGE, gates=(GATE,)),))
    assert failure(picture(progress, after_s, gated)) == reason
