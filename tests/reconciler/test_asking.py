"""What is asked beside the driver: gates that are due and what they look at, and actions one after the other."""

from __future__ import annotations

from math import inf

import pytest
from attrs import evolve

from zdd.actions import FunctionAction
from zdd.gates import TcpGate
from zdd.model.action import ActionContext
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.asking import due_action, due_gates, stage_asks, stage_target
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, InstanceRecord, Progress, admission_key, stage_key

NOW_S = 100.0
GATE = TcpGate("http", interval_s=5.0)
HERE, THERE = {"http": Address("10.0.0.1", 80)}, {"http": Address("10.0.0.2", 80)}
NEW = Instance("web.new", "r2", InstanceState.READY, HERE)
OLD = Instance("web.old", "r1", InstanceState.READY, THERE)
CELLS = (Cell("web", "r1", 1, (OLD,)), Cell("web-2", "r2", 1, (NEW,)))


def backup(_context: ActionContext) -> str:
    return "done"


def migrate(_context: ActionContext) -> str:
    return "done"


BACKUP, MIGRATE = FunctionAction(backup), FunctionAction(migrate)


def picture(progress: Progress | None = None, stage: Stage | None = None, *, new_weight: int = 0) -> Picture:
    revisions = {"r1": Revision("r1", "1.0", {}, (GATE,)), "r2": Revision("r2", "2.0", {}, (GATE,))}
    goals = (Goal("web-2", "r2", 1, 100),)
    plan = Plan(Service("web"), "r2", revisions, (Goal("web", "r1", 1, 100),), (stage or Stage("one", goals),), 0, 2)
    registered = (
        Registration("web.new", "web-2", "r2", "2.0", HERE, new_weight),
        Registration("web.old", "web", "r1", "1.0", THERE, 100),
    )
    known = {
        "web.new": InstanceRecord("web-2", "r2", InstanceState.READY, launched_s=NOW_S - 20, ready_s=NOW_S - 20),
        "web.old": InstanceRecord("web", "r1", InstanceState.READY, launched_s=NOW_S - 20, ready_s=NOW_S - 20),
    }
    learned = evolve(progress or Progress(), instances=known, entered_s=NOW_S - 30)
    return Picture(Observation(NOW_S, CELLS, registered), plan, learned, NOW_S)


def looked(ago_s: float, result: Result = Result.PASSED) -> GateRecord:
    return GateRecord(NOW_S - 20, NOW_S - ago_s, None, (), Verdict(result))


def test_every_instance_is_asked_by_the_gates_of_its_own_revision() -> None:
    due, _ = due_gates(picture())
    asked = {(ask.key, ask.target.instance, ask.target.version) for ask in due}
    assert asked == {(admission_key("r2", 0), "web.new", "2.0"), (admission_key("r1", 0), "web.old", "1.0")}


@pytest.mark.parametrize(("reached", "passed", "asked"), [(False, 0, 0), (True, 0, 1), (True, 1, 0)])
def test_the_gates_of_a_stage_are_asked_from_when_its_traffic_is_reached_until_it_is_passed(
    reached: bool, passed: int, asked: int
) -> None:
    stage = Stage("one", (Goal("web-2", "r2", 1, 100),), gates=(GATE,))
    progress = Progress(stage=passed, reached_s=NOW_S - 1 if reached else None)
    assert len(list(stage_asks(picture(progress, stage)))) == asked


@pytest.mark.parametrize(("ago_s", "due_in_s"), [(4.0, 1.0), (5.0, None), (9.0, None)])
def test_a_gate_of_a_stage_is_asked_again_after_its_interval(ago_s: float, due_in_s: float | None) -> None:
    stage = Stage("one", (Goal("web-2", "r2", 1, 100),), gates=(GATE,))
    progress = Progress(reached_s=NOW_S - 10)
    target = stage_target(picture(progress, stage))
    known = evolve(progress, gates={(stage_key(0, 0), target.key): looked(ago_s)})
    due, next_s = due_gates(picture(known, stage))
    assert (stage_key(0, 0) in [ask.key for ask in due]) is (due_in_s is None)
    if due_in_s is not None:
        assert next_s == NOW_S + due_in_s


@pytest.mark.parametrize(("weight", "instances"), [(0, {}), (100, {"web.new": HERE})])
def test_a_stages_gate_looks_at_what_is_new_and_has_traffic(weight: int, instances: object) -> None:
    target = stage_target(picture(new_weight=weight))
    assert (target.revision, target.version, target.instances) == ("r2", "2.0", instances)


@pytest.mark.parametrize(("done", "due"), [((), "backup"), ((0,), "migrate"), ((1,), "backup"), ((0, 1), None)])
def test_actions_are_due_one_at_a_time_in_their_order(done: tuple[int, ...], due: str | None) -> None:
    stage = Stage("one", (Goal("web-2", "r2", 1, 100),), actions=(BACKUP, MIGRATE))
    perform = due_action(picture(Progress(done=done), stage))
    assert (perform.action.name if perform else None) == due


def test_no_action_is_due_before_the_stage_has_begun_or_while_what_is_to_stop_for_it_is_there() -> None:
    stage = Stage("one", (Goal("web-2", "r2", 1, 100),), actions=(BACKUP,))
    assert due_action(picture(Progress(begun=False), stage)) is None
    assert due_action(picture(Progress(), evolve(stage, stopped=True))) is None


def test_where_nothing_is_to_be_asked_nothing_is_ever_due() -> None:
    empty = Picture(Observation(NOW_S), picture().plan, Progress(), NOW_S)
    assert due_gates(empty) == ([], inf)
