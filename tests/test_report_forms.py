"""A report in words that claim no more than was measured, and as data with stable keys."""

from __future__ import annotations

import json

import pytest
from reports import WEB, capacity, ended, moved, started

from zdd.events import (
    DeploymentEnded,
    GateJudged,
    Moment,
    Ordered,
    Outcome,
)
from zdd.model.order import Order, OrderKind
from zdd.model.verdict import Result
from zdd.report import Report


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
