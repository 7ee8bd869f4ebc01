"""How things stand after each kind of event."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.events import (
    CapacityChanged,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Ordered,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
    Waited,
)
from zdd.model.command import Launch, Route
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.verdict import Result
from zdd.status import Status, fold

WEB = {"service": "web", "deployment": "d1"}


def plan(direction: Direction = Direction.FORWARD, floor: int = 3) -> Plan:
    workload = Release("2", Process(["true"])).workload
    return Plan(
        Service("web", replicas=3),
        "r2",
        {"r2": Revision("r2", "2", workload)},
        (Goal("web", "r1", 3, 1),),
        (Stage("change web", (Goal("web", "r2", 3, 1),)), Stage("rest")),
        floor,
        4,
        strategy="RollingUpdate()",
        direction=direction,
    )


def started(at_s: float = 100.0, **changes: object) -> DeploymentStarted:
    values = {"plan": plan(), "from_version": "1", "to_version": "2", "actor": "user@host:1", **WEB, **changes}
    return DeploymentStarted(at_s=at_s, **values)  # type: ignore[arg-type]


def test_nothing_is_known_before_the_first_event() -> None:
    assert fold([]) == Status()
    assert not Status().running


def test_a_start_tells_what_was_planned() -> None:
    status = fold([started()])
    assert (status.service, status.deployment, status.actor) == ("web", "d1", "user@host:1")
    assert (status.from_version, status.to_version, status.strategy) == ("1", "2", "RollingUpdate()")
    assert (status.floor, status.ceiling, status.replicas, status.stages) == (3, 4, 3, 2)
    assert (status.stage, status.useful, status.started_s) == (0, None, 100.0)
    assert status.running


def test_stages_are_counted_from_one() -> None:
    status = fold([started(), StageEntered(at_s=101, stage=0, stages=2, title="change web", **WEB)])
    assert (status.stage, status.stages, status.title) == (1, 2, "change web")


def test_the_last_moment_of_an_instance_counts_and_its_place_in_the_list_stays() -> None:
    def move(at_s: float, instance: str, moment: Moment, note: str = "") -> Event:
        return InstanceMoved(at_s=at_s, instance=instance, cell="web", version="2", moment=moment, note=note, **WEB)

    status = fold(
        [
            started(),
            move(101, "a", Moment.LAUNCHED),
            move(102, "b", Moment.LAUNCHED),
            move(103, "a", Moment.READY, "up"),
        ]
    )
    assert list(status.instances) == ["a", "b"]
    assert (status.instances["a"].moment, status.instances["a"].since_s) == (Moment.READY, 103)
    assert status.instances["a"].note == "up"
    assert status.instances["b"].moment is Moment.LAUNCHED


def test_an_instance_that_is_found_with_traffic_and_then_proves_itself_stays_in_traffic() -> None:
    def move(at_s: float, instance: str, moment: Moment) -> Event:
        return InstanceMoved(at_s=at_s, instance=instance, cell="web", version="1", moment=moment, **WEB)

    found = [move(101, "old", moment) for moment in (Moment.LAUNCHED, Moment.READY, Moment.SEEN, Moment.PROVEN)]
    route = CommandIntended(at_s=102, number=1, command=Route(()), **WEB)
    launch = CommandIntended(at_s=103, number=2, command=Launch("web", "r2", 1), **WEB)
    status = fold(
        [started(), *found, route, move(102, "late", Moment.LAUNCHED), launch, move(104, "new", Moment.LAUNCHED)]
    )
    assert {key: (one.moment, one.found) for key, one in status.instances.items()} == {
        "old": (Moment.SEEN, True),
        "late": (Moment.LAUNCHED, True),
        "new": (Moment.LAUNCHED, False),
    }
    back = fold([started(), *found, move(105, "old", Moment.OUT), move(106, "old", Moment.ADMITTED)])
    assert back.instances["old"].moment is Moment.ADMITTED


def test_capacity_and_shares_are_those_last_measured() -> None:
    status = fold([started(), CapacityChanged(at_s=101, useful=3, existing=4, floor=2, shares={"1": 1000}, **WEB)])
    assert (status.useful, status.existing, status.floor, dict(status.shares)) == (3, 4, 2, {"1": 1000})


def test_what_is_waited_for_is_known_until_the_stage_ends() -> None:
    waiting = [started(), Waited(at_s=101, reasons=("a not ready", "b not ready"), until_s=160, **WEB)]
    assert fold(waiting).waiting_for == ("a not ready", "b not ready")
    assert fold(waiting).waiting_until_s == 160
    for end in (
        StagePassed(at_s=102, stage=0, title="x", **WEB),
        StageFailed(at_s=102, stage=0, title="x", reason="no", **WEB),
        Waited(at_s=102, reasons=(), until_s=0, **WEB),
        DeploymentEnded(at_s=102, outcome=Outcome.STUCK, **WEB),
    ):
        status = fold([*waiting, end])
        assert (status.waiting_for, status.waiting_until_s) == ((), None)


def test_a_gate_keeps_its_last_verdict_for_each_target() -> None:
    def judged(target: str, result: Result) -> Event:
        return GateJudged(at_s=101, gate="http /", target=target, result=result, figures={"ms": 3.0}, **WEB)

    status = fold([started(), judged("a", Result.INCONCLUSIVE), judged("b", Result.FAILED), judged("a", Result.PASSED)])
    assert {key: gate.result for key, gate in status.gates.items()} == {
        ("http /", "a"): Result.PASSED,
        ("http /", "b"): Result.FAILED,
    }


def test_a_problem_is_shown_until_a_command_is_accepted_or_the_stage_is_passed() -> None:
    refused = [started(), CommandAnswered(at_s=101, number=1, error="connection refused", **WEB)]
    assert fold(refused).problem == "connection refused"
    assert fold([*refused, CommandAnswered(at_s=102, number=2, **WEB)]).problem == ""
    assert fold([*refused, StagePassed(at_s=102, stage=0, title="t", **WEB)]).problem == ""


def test_the_way_back_keeps_what_was_wanted_and_says_its_direction() -> None:
    back = started(110.0, plan=plan(Direction.BACK, floor=2), from_version="2", to_version="1", actor="bob@other:2")
    failed = StageFailed(at_s=109, stage=0, title="change web", reason="gate failed", **WEB)
    status = fold([started(), StageEntered(at_s=101, stage=1, stages=2, title="rest", **WEB), failed, back])
    assert status.direction is Direction.BACK
    assert (status.from_version, status.to_version, status.started_s) == ("1", "2", 100.0)
    assert (status.failure, status.stage, status.floor) == ("gate failed", 0, 2)
    assert status.actor == "bob@other:2"


def test_the_end_has_a_name_and_stops_the_clock() -> None:
    end = DeploymentEnded(at_s=130, outcome=Outcome.ROLLED_BACK, reason="gate failed", unproven=("x",), **WEB)
    status = fold([started(), end])
    assert (status.outcome, status.reason, status.unproven) == (Outcome.ROLLED_BACK, "gate failed", ("x",))
    assert not status.running
    assert status.elapsed_s(1_000.0) == 30.0
    assert fold([started()]).elapsed_s(110.0) == 10.0


def test_a_deployment_that_goes_on_after_an_interruption_runs_again() -> None:
    end = DeploymentEnded(at_s=130, outcome=Outcome.INTERRUPTED, reason="Ctrl-C", **WEB)
    status = fold([started(), end, started(140.0)])
    assert (status.outcome, status.ended_s, status.started_s) == (None, None, 100.0)


def test_the_next_deployment_begins_anew_with_the_instances_that_still_run() -> None:
    def move(instance: str, moment: Moment) -> Event:
        return InstanceMoved(at_s=101, instance=instance, cell="web", version="1", moment=moment, **WEB)

    events = [started(), move("a", Moment.STOPPED), move("b", Moment.SEEN), move("c", Moment.LOST)]
    status = fold([*events, started(200.0, deployment="d2", from_version="2", to_version="3")])
    assert list(status.instances) == ["b"]
    assert (status.deployment, status.to_version, status.started_s) == ("d2", "3", 200.0)


@pytest.mark.parametrize("cut", range(9))
def test_a_fold_may_be_continued_at_any_place(cut: int) -> None:
    events = [
        started(),
        StageEntered(at_s=101, stage=0, stages=2, title="t", **WEB),
        InstanceMoved(at_s=102, instance="a", cell="web", version="2", moment=Moment.LAUNCHED, **WEB),
        GateJudged(at_s=102, gate="g", target="a", result=Result.PASSED, **WEB),
        InstanceMoved(at_s=102.5, instance="a", cell="web", version="2", moment=Moment.STOPPED, **WEB),
        StagePassed(at_s=103, stage=0, title="t", **WEB),
        DeploymentEnded(at_s=104, outcome=Outcome.SUCCEEDED, **WEB),
        InstanceMoved(
            at_s=201, service="web", deployment="d2", instance="b", cell="web", version="3", moment=Moment.LAUNCHED
        ),
        GateJudged(at_s=202, service="web", deployment="d2", gate="g", target="b", result=Result.FAILED),
    ]
    status = fold(events[:cut])
    for event in events[cut:]:
        status = status.after(event)
    assert status == fold(events)


def ordered(kind: OrderKind, note: str = "") -> Ordered:
    return Ordered(at_s=102, order=Order(kind, "d1", "ana@host:1", 101), note=note, **WEB)


def test_a_pause_stands_until_it_is_resumed_or_taken_back() -> None:
    pause = ordered(OrderKind.PAUSE)
    assert fold([started(), pause]).paused == pause.order
    assert fold([started(), pause, ordered(OrderKind.RESUME)]).paused is None
    assert fold([started(), pause, started(plan=plan(Direction.BACK))]).paused is None


def test_a_promotion_is_for_one_stage() -> None:
    promote = ordered(OrderKind.PROMOTE)
    assert fold([started(), promote]).promoted == promote.order
    assert fold([started(), promote, StageEntered(at_s=103, stage=1, stages=2, title="t", **WEB)]).promoted is None


def test_an_abort_is_known_to_the_end_and_an_order_without_effect_changes_nothing() -> None:
    abort = ordered(OrderKind.ABORT)
    assert fold([started(), abort, started(plan=plan(Direction.BACK))]).aborted == abort.order
    assert fold([started(), ordered(OrderKind.PAUSE, "too late")]) == evolve(fold([started()]), updated_s=102)
