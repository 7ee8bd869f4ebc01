"""What the report says, and that it says it only from what was seen."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

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
)
from zdd.model.command import Launch, Retire
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.verdict import Result
from zdd.report import Report, grouped

WEB = {"service": "web", "deployment": "d1"}


def started(
    at_s: float = 0.0, *, before: str = "1.4.2", direction: Direction = Direction.FORWARD, actor: str = "user@host:1"
) -> DeploymentStarted:
    workload = Release("1.5.0", Process(["true"])).workload
    revisions = {"r1": Revision("r1", "1.4.2", workload), "r2": Revision("r2", "1.5.0", workload)}
    origin = (Goal("web", "r1", 3, 1),) if before else ()
    stages = (Stage("change web", (Goal("web", "r2", 3, 1),)),)
    plan = Plan(
        Service("web", replicas=3),
        "r2",
        revisions,
        origin,
        stages,
        3,
        4,
        strategy="RollingUpdate(surge=1)",
        direction=direction,
    )
    return DeploymentStarted(at_s=at_s, plan=plan, from_version=before, to_version="1.5.0", actor=actor, **WEB)


def capacity(at_s: float, useful: int) -> CapacityChanged:
    return CapacityChanged(at_s=at_s, useful=useful, existing=4, floor=3, shares={"1.4.2": 1000}, **WEB)


def moved(at_s: float, moment: Moment, instance: str = "web-2.a") -> InstanceMoved:
    return InstanceMoved(at_s=at_s, instance=instance, cell="web-2", version="1.5.0", moment=moment, **WEB)


def ended(at_s: float, outcome: Outcome = Outcome.SUCCEEDED, reason: str = "") -> DeploymentEnded:
    return DeploymentEnded(at_s=at_s, outcome=outcome, reason=reason, **WEB)


def test_a_success_is_one_line_with_its_floor() -> None:
    report = Report.of([started(), capacity(0, 3), capacity(5, 4), ended(41.2)])
    assert str(report).splitlines()[0] == ("web: 1.4.2 → 1.5.0 succeeded in 41.2 s; never below 3 of 3 (floor 3)")
    assert report.succeeded
    assert (report.capacity_floor, report.below_floor_s, report.seconds) == (3, 0.0, 41.2)


def test_capacity_below_the_floor_is_said_with_how_long() -> None:
    report = Report.of([started(), capacity(0, 3), capacity(5, 2), capacity(6.5, 3), capacity(9, 1), ended(10)])
    assert report.capacity_floor == 1
    assert report.below_floor_s == pytest.approx(2.5)
    assert report.summary.endswith("; down to 1 of 3 (floor 3), below the floor for 2.5 s")


def test_a_first_deployment_does_not_claim_a_floor() -> None:
    report = Report.of([started(before=""), capacity(0, 0), capacity(5, 3), ended(6)])
    assert report.first
    assert report.capacity_floor == 0
    assert report.summary == (
        "web: start of 1.5.0 succeeded in 6.0 s; nothing served before, 3 of 3 (floor 3) at the end"
    )


def test_capacity_that_was_never_measured_is_not_made_up() -> None:
    report = Report.of([started(), ended(3)])
    assert report.capacity_floor is None
    assert report.to_data()["capacity_floor"] is None
    assert report.summary.endswith("; capacity was not measured (floor 3)")


@pytest.mark.parametrize(
    ("outcome", "succeeded", "words"),
    [
        (Outcome.SUCCEEDED, True, "succeeded in 9.0 s;"),
        (Outcome.UNCHANGED, True, "web: nothing was changed: why"),
        (Outcome.ROLLED_BACK, False, "rolled back in 9.0 s: why;"),
        (Outcome.FROZEN, False, "frozen in 9.0 s: why;"),
        (Outcome.STUCK, False, "stuck in 9.0 s: why;"),
        (Outcome.INTERRUPTED, False, "interrupted in 9.0 s: why;"),
    ],
)
def test_every_outcome_has_its_words(outcome: Outcome, succeeded: bool, words: str) -> None:
    report = Report.of([started(), ended(9, outcome, "why")])
    assert report.succeeded is succeeded
    assert words in report.summary


def test_a_deployer_that_was_killed_leaves_a_report_without_an_end() -> None:
    intended = CommandIntended(at_s=2, number=1, command=Launch("web-2", "r2", 1), **WEB)
    report = Report.of([started(), intended])
    assert (report.outcome, report.succeeded, report.ended_s) == (None, False, 2)
    assert report.commands.unanswered == 1
    assert "has no end on record after 2.0 s" in report.summary


def test_commands_are_counted_by_how_they_were_answered() -> None:
    events: list[Event] = [started()]
    for number, (error, unknown) in enumerate([("", False), ("refused", False), ("time-out", True)]):
        events.append(CommandIntended(at_s=1, number=number, command=Launch("web-2", "r2", 1), **WEB))
        events.append(CommandAnswered(at_s=1, number=number, error=error, unknown=unknown, **WEB))
    commands = Report.of(events).commands
    assert (commands.count, commands.errors, commands.unknown, commands.unanswered) == (3, 1, 1, 0)


def test_a_stage_has_its_times_and_its_way_back_is_another() -> None:
    report = Report.of(
        [
            started(),
            StageEntered(at_s=1, stage=0, stages=1, title="change web", **WEB),
            StageFailed(at_s=4, stage=0, title="change web", reason="gate failed", **WEB),
            started(4, direction=Direction.BACK),
            StageEntered(at_s=5, stage=0, stages=1, title="back", direction=Direction.BACK, **WEB),
            StagePassed(at_s=8, stage=0, title="back", **WEB),
            ended(9, Outcome.ROLLED_BACK, "gate failed"),
        ]
    )
    assert [(s.number, s.title, s.direction, s.entered_s, s.passed_s, s.failed_s, s.reason) for s in report.stages] == [
        (1, "change web", Direction.FORWARD, 1, None, 4, "gate failed"),
        (1, "back", Direction.BACK, 5, 8, None, ""),
    ]


def test_an_instance_has_a_time_for_each_moment() -> None:
    safe_order = [m for m in Moment if m not in (Moment.CUT, Moment.LOST)]
    report = Report.of([started(), *(moved(float(n), moment) for n, moment in enumerate(safe_order)), ended(20)])
    (instance,) = report.instances
    assert instance.times == {moment: float(n) for n, moment in enumerate(safe_order)}
    assert instance.between_s(Moment.LAUNCHED, Moment.SEEN) == 4.0
    assert instance.between_s(Moment.SEEN, Moment.LAUNCHED) is None
    assert instance.between_s(Moment.SEEN, Moment.LOST) is None


def test_what_ran_before_is_found_and_not_launched() -> None:
    launch = CommandIntended(at_s=1, number=1, command=Launch("web-2", "r2", 1), **WEB)
    old = [moved(0.5, moment, "web.old") for moment in (Moment.LAUNCHED, Moment.READY, Moment.SEEN)]
    new = [moved(2, Moment.LAUNCHED), moved(5, Moment.SEEN)]
    report = Report.of([started(), *old, launch, *new, ended(9)])
    assert [(one.id, one.found) for one in report.instances] == [("web.old", True), ("web-2.a", False)]
    assert "1 found, 1 launched of which 1 took traffic, 0 stopped, 0 lost" in str(report)
    assert "3.0 s from launch to traffic (web-2.a)" in str(report)


def test_a_deployer_that_goes_on_does_not_launch_again_what_it_finds() -> None:
    launch = CommandIntended(at_s=1, number=1, command=Launch("web-2", "r2", 1), **WEB)
    again = [started(6), moved(6, Moment.LAUNCHED), moved(6, Moment.READY), moved(6, Moment.SEEN)]
    report = Report.of([started(), launch, moved(2, Moment.LAUNCHED), moved(3, Moment.READY), *again, ended(9)])
    (instance,) = report.instances
    assert instance.moments == ((Moment.LAUNCHED, 2), (Moment.READY, 3), (Moment.SEEN, 6))
    assert not instance.found


def test_the_last_verdict_of_a_gate_stays_with_its_figures() -> None:
    def judged(at_s: float, result: Result, figures: Mapping[str, float]) -> GateJudged:
        return GateJudged(at_s=at_s, gate="errors", target="web", result=result, reason="r", figures=figures, **WEB)

    report = Report.of([started(), judged(1, Result.PASSED, {"rate": 0.0}), judged(2, Result.FAILED, {"rate": 0.5})])
    (gate,) = report.gates
    assert (gate.result, gate.since_s, dict(gate.figures)) == (Result.FAILED, 2, {"rate": 0.5})
    assert "failed: errors at web: r (rate 0.5)" in str(report)


def test_what_was_cut_is_on_record_once_from_either_source() -> None:
    retire = CommandIntended(at_s=2, number=1, command=Retire("web", ("a", "b")), **WEB)
    report = Report.of([started(), moved(1, Moment.CUT, "a"), retire, ended(3)])
    assert report.cut == ("a", "b")
    assert "a, b" in str(report)


def test_who_goes_on_with_a_deployment_is_on_record() -> None:
    report = Report.of([started(), ended(2, Outcome.INTERRUPTED), started(5, actor="bob@other:2"), ended(9)])
    assert (report.actor, report.resumed_by, report.outcome) == ("user@host:1", ("bob@other:2",), Outcome.SUCCEEDED)
    assert "by user@host:1, then bob@other:2" in str(report)


def test_orders_are_on_record_with_who_gave_them_and_those_without_effect_with_why() -> None:
    def ordered(at_s: float, kind: OrderKind, note: str = "") -> Ordered:
        return Ordered(at_s=at_s, order=Order(kind, "d1", "ana@host:1", 100.0), note=note, **WEB)

    report = Report.of([started(), ordered(101, OrderKind.PAUSE), ordered(102, OrderKind.PROMOTE, "not now"), ended(9)])
    assert "orders      paused by ana@host:1 at 1970-01-01 00:01:40 UTC" in str(report)
    assert "orders      promote by ana@host:1 has no effect: not now" in str(report)
    assert report.to_data()["orders"][0] == {
        "order": "pause",
        "by": "ana@host:1",
        "given": "1970-01-01T00:01:40.000Z",
        "at": "1970-01-01T00:01:41.000Z",
        "note": "",
    }


@pytest.mark.parametrize("found", ["none", "web d1, web d2"])
def test_a_report_is_of_one_deployment_only(found: str) -> None:
    events = (
        []
        if found == "none"
        else [ended(1), DeploymentEnded(at_s=2, service="web", deployment="d2", outcome=Outcome.STUCK)]
    )
    with pytest.raises(ValueError, match=found):
        Report.of(events)


def test_the_data_can_be_written_as_strict_json_with_stable_keys() -> None:
    figures = {"p99": float("nan"), "rate": 0.5}
    judged = GateJudged(at_s=1, gate="g", target="web", result=Result.PASSED, figures=figures, **WEB)
    data = Report.of([started(), capacity(0, 3), judged, moved(1, Moment.SEEN), ended(2)]).to_data()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert list(data) == [
        "schema",
        "service",
        "deployment",
        "actor",
        "resumed_by",
        "strategy",
        "from_version",
        "to_version",
        "beside",
        "first",
        "outcome",
        "succeeded",
        "reason",
        "started",
        "ended",
        "seconds",
        "replicas",
        "floor",
        "capacity_floor",
        "below_floor_s",
        "capacity",
        "stages",
        "actions",
        "instances",
        "gates",
        "orders",
        "commands",
        "cut",
        "unproven",
        "warnings",
        "events",
    ]
    assert data["schema"] == 1
    assert data["started"] == "1970-01-01T00:00:00.000Z"
    assert data["gates"][0]["figures"] == {"p99": None, "rate": 0.5}
    assert data["instances"][0]["moments"] == [{"moment": "seen", "at": "1970-01-01T00:00:01.000Z"}]


def test_hostile_text_stays_on_its_line_and_in_its_element() -> None:
    report = Report.of([started(), ended(1, Outcome.STUCK, "a\x1b[2Jb\n<script>\u202e")])
    assert all(line.isprintable() for line in str(report).splitlines())
    assert r"a\x1b[2Jb\n<script>\u202e" in report.summary
    assert "<script>" not in report._repr_html_()
    assert "&lt;script&gt;" in report._repr_html_()


def test_a_long_list_is_cut_in_the_text_and_whole_in_the_data() -> None:
    lines = tuple(f"line {n}" for n in range(50))
    end = DeploymentEnded(at_s=1, outcome=Outcome.SUCCEEDED, unproven=lines, **WEB)
    report = Report.of([started(), end])
    assert len(str(report).splitlines()) <= 15
    assert "and 47 more" in str(report)
    assert report.to_data()["unproven"] == list(lines)


def test_the_events_of_a_service_are_grouped_by_deployment() -> None:
    other = DeploymentEnded(at_s=70, service="web", deployment="d2", outcome=Outcome.UNCHANGED)
    events = [started(), other, ended(41)]
    assert grouped(events) == ((events[0], events[2]), (other,))


def test_who_has_a_report_shown_without_printing_it_sees_one_line() -> None:
    report = Report.of([started(), capacity(0, 3), ended(41.2)])
    assert repr(report) == f"<Report d1 {report.summary}; print it to read it>"
