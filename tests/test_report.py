"""What the report says, and that it says it only from what was seen."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from reports import WEB, capacity, ended, moved, started

from zdd.events import (
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    Event,
    GateJudged,
    Moment,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
)
from zdd.model.command import Launch, Retire
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.report import Report


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


@pytest.mark.parametrize("found", ["none", "web d1, web d2"])
def test_a_report_is_of_one_deployment_only(found: str) -> None:
    events = (
        []
        if found == "none"
        else [ended(1), DeploymentEnded(at_s=2, service="web", deployment="d2", outcome=Outcome.STUCK)]
    )
    with pytest.raises(ValueError, match=found):
        Report.of(events)


def test_who_has_a_report_shown_without_printing_it_sees_one_line() -> None:
    report = Report.of([started(), capacity(0, 3), ended(41.2)])
    assert repr(report) == f"<Report d1 {report.summary}; print it to read it>"
