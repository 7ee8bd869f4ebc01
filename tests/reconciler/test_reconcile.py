"""What is decided first: a failure, then commands, then waiting, and a mark only when nothing is awaited."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.gates import TcpGate
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Launch, Retire
from zdd.model.observation import Observation
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.asking import stage_target
from zdd.reconciler.decision import Decision
from zdd.reconciler.learn import learn
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, Observed, Passed, Progress, TrafficReached, stage_key
from zdd.reconciler.reconcile import reconcile

BEGAN_S = 100.0
GOAL = Goal("web", "r1", 1, 0)
STAGE = Stage("start", (GOAL,), deadline_s=60.0)
WORKER = Service("web", exposures=(), start_deadline_s=30.0)
UP = Cell("web", "r1", 1, (Instance("web.a", "r1", InstanceState.READY),))
PAUSE = Order(OrderKind.PAUSE, "d1", by="ann", at_s=BEGAN_S)


def plan(*stages: Stage) -> Plan:
    return Plan(WORKER, "r1", {"r1": Revision("r1", "1", {})}, (), stages or (STAGE,), 0, 1)


def decide(
    *cells: Cell, wanted: Plan | None = None, progress: Progress | None = None, after_s: float = 20.0
) -> Decision:
    """Decide after two looks that show the same, as what a list says is believed when another one agrees."""
    chosen, known = wanted or plan(), evolve(progress or Progress(), entered_s=BEGAN_S)
    for ago_s in (10.0, 0.0):
        now_s = BEGAN_S + after_s - ago_s
        seen = Observation(now_s, cells)
        known = learn(known, chosen, Observed(seen), now_s)
    return reconcile(seen, chosen, known, now_s)


def test_what_is_missing_is_asked_for_at_once() -> None:
    decision = decide()
    assert decision.commands == (Launch("web", "r1", 1),)
    assert decision.until_s == BEGAN_S + 20.0
    assert decision.mark is None


def test_a_stage_that_has_failed_asks_for_nothing_more() -> None:
    decision = decide(progress=Progress(failure="no room"))
    assert (decision.failed, decision.commands, decision.mark) == ("no room", (), None)


def test_what_is_awaited_is_said_with_until_when_to_look_again() -> None:
    starting = evolve(UP, instances=(Instance("web.a", "r1", InstanceState.STARTING),))
    decision = decide(starting)
    assert (decision.commands, decision.mark) == ((), None)
    assert "web.a is starting" in decision.waits[0].reason
    assert BEGAN_S + 20.0 < decision.until_s <= BEGAN_S + 60.0


@pytest.mark.parametrize(
    ("stage", "progress", "mark"),
    [
        pytest.param(STAGE, Progress(), Passed(), id="nothing more to wait for"),
        pytest.param(evolve(STAGE, hold_s=30.0), Progress(), TrafficReached(), id="its hold begins"),
        pytest.param(evolve(STAGE, hold_s=30.0), Progress(reached_s=BEGAN_S), None, id="it holds"),
        pytest.param(evolve(STAGE, hold_s=15.0), Progress(reached_s=BEGAN_S), Passed(), id="its hold is over"),
        pytest.param(STAGE, Progress(paused=PAUSE), TrafficReached(), id="paused"),
        pytest.param(STAGE, Progress(paused=PAUSE, reached_s=BEGAN_S), None, id="paused for long"),
    ],
)
def test_a_stage_is_passed_when_everything_is_there_and_its_time_is_over(
    stage: Stage, progress: Progress, mark: object
) -> None:
    assert decide(UP, wanted=plan(stage), progress=progress).mark == mark


def test_after_the_last_stage_it_is_finished_when_nothing_is_left_to_clear_away() -> None:
    passed = Progress(stage=1)
    gone = plan(evolve(STAGE, goals=(GOAL, Goal("web-2", "r1", 0, 0))))
    left = Cell("web-2", "r1", 1, (Instance("web-2.a", "r1", InstanceState.READY),))
    assert decide(UP, wanted=gone, progress=passed).finished
    clearing = decide(UP, left, wanted=gone, progress=passed)
    assert not clearing.finished
    assert clearing.commands == (Retire("web-2"),)


def test_while_a_request_without_an_answer_may_still_leave_something_it_is_not_finished() -> None:
    assert not decide(UP, progress=Progress(stage=1, settles_s=BEGAN_S + 25.0)).finished
    assert decide(UP, progress=Progress(stage=1, settles_s=BEGAN_S + 15.0)).finished


def test_it_tells_which_cells_are_complete_and_how_many_serve() -> None:
    decision = decide(UP)
    assert (decision.complete, decision.useful, decision.existing) == (("web",), 1, 1)


def test_the_results_of_a_stages_gates_decide_whether_it_is_passed() -> None:
    gated = plan(evolve(STAGE, gates=(TcpGate("http"),)))
    reached = Progress(reached_s=BEGAN_S)
    target = stage_target(Picture(Observation(BEGAN_S + 20.0, (UP,)), gated, reached, BEGAN_S + 20.0))
    for result, mark in ((Result.PASSED, Passed()), (Result.INCONCLUSIVE, None)):
        record = GateRecord(BEGAN_S, BEGAN_S + 19.9, BEGAN_S, (), Verdict(result))
        known = evolve(reached, gates={(stage_key(0, 0), target.key): record})
        assert decide(UP, wanted=gated, progress=known).mark == mark
