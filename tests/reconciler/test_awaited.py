"""What is said to be awaited, in which words and order, and until when."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.gates import TcpGate
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Launch
from zdd.model.observation import Observation
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.asking import stage_target
from zdd.reconciler.awaited import CLEAR_AWAY_S, by_importance, deadline_s, holding, incomplete, state_of
from zdd.reconciler.guard import Refusal
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, Progress, Told, stage_key

BEGAN_S = 100.0
GATE = TcpGate("http", deadline_s=7)
SERVICE = Service("web", exposures=(), start_deadline_s=40, drain_deadline_s=20, stop_grace_s=5, settle_s=2)
STAGE = Stage("start", (Goal("web", "r2", 2, 0),), gates=(GATE,), hold_s=30, deadline_s=90)
PLAN = Plan(SERVICE, "r2", {"r2": Revision("r2", "2", {})}, (), (STAGE,), 0, 3)


def picture(progress: Progress, *cells: Cell, now_s: float = BEGAN_S) -> Picture:
    return Picture(Observation(now_s, cells), PLAN, evolve(progress, entered_s=BEGAN_S), now_s)


def cell(*instances: Instance, replicas: int = 2) -> Cell:
    return Cell("web", "r2", replicas, instances)


def test_a_stage_has_its_own_deadline_and_clearing_away_has_what_stopping_may_take():
    assert deadline_s(picture(Progress())) == BEGAN_S + 90
    assert deadline_s(picture(Progress(stage=1))) == BEGAN_S + 20 + 5 + 2 + CLEAR_AWAY_S


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "not there yet"),
        (cell(Instance("web.a", "r2", InstanceState.STARTING)), "web.a is starting"),
        (cell(Instance("web.a", "r2", InstanceState.FAILED, note="exit code 1")), "web.a has failed, exit code 1"),
        (cell(Instance("web.a", "r2", InstanceState.STARTING, note="pulling")), "web.a is starting, pulling"),
        (cell(Instance("web.old", "r1", InstanceState.STARTING, note="leaves")), "0 of 2 proven"),
        (cell(), "0 of 2 proven"),
    ],
)
def test_a_cell_says_what_keeps_it_from_being_complete(found: Cell | None, words: str):
    assert state_of(picture(Progress(), *([found] if found else [])), found) == words


def test_a_cell_that_was_told_to_start_is_awaited_as_long_as_the_service_says():
    told = Progress(told={"web": Told(Launch("web", "r2", 2), BEGAN_S + 3)})
    (waits,) = incomplete(picture(told, cell()))
    assert waits == Refusal("start", "web: 0 of 2 proven", BEGAN_S + 3 + 40)
    (waits,) = incomplete(picture(Progress(), cell()))
    assert waits.until_s == BEGAN_S + 90


def test_a_gate_of_the_stage_and_the_hold_time_are_awaited_only_when_its_traffic_was_reached():
    assert holding(picture(Progress(), cell())) == []
    gate, hold = holding(picture(Progress(reached_s=BEGAN_S + 10), cell()))
    assert (gate.guard, gate.reason, gate.until_s) == ("gate", f"gate {GATE}", BEGAN_S + 90)
    assert (hold.guard, hold.until_s) == ("hold", BEGAN_S + 40)


def test_a_gate_that_was_asked_has_its_own_patience_and_says_why_it_has_not_passed():
    verdict = Verdict(Result.INCONCLUSIVE, "1 of 2 looks passed")
    reached = Progress(reached_s=BEGAN_S + 10)
    key = (stage_key(0, 0), stage_target(picture(reached, cell())).key)
    said = evolve(reached, gates={key: GateRecord(BEGAN_S + 12, BEGAN_S + 13, None, (), verdict)})
    gate, _ = holding(picture(said, cell()))
    assert gate == Refusal("gate", f"gate {GATE}: 1 of 2 looks passed", BEGAN_S + 12 + 7)


def test_a_promoted_stage_has_no_hold_time_left():
    waits = holding(picture(Progress(reached_s=BEGAN_S + 10, promoted=True), cell(), now_s=BEGAN_S + 11))
    assert [one.guard for one in waits] == ["gate"]


def test_a_pause_has_no_end_and_says_how_to_go_on():
    pause = Order(OrderKind.PAUSE, "web-2", "user@host", BEGAN_S)
    (waits,) = holding(picture(Progress(paused=pause), cell()))
    assert waits.until_s == float("inf")
    assert "deployer.resume('web')" in waits.reason
    assert "paused by user@host" in waits.reason


def test_what_a_person_wants_to_know_first_is_said_first_and_once():
    given = [Refusal(name, name, 0) for name in ("stop", "own-rule", "hold", "start", "stop", "settled")]
    assert [one.guard for one in by_importance(given)] == ["settled", "start", "hold", "stop", "own-rule"]
