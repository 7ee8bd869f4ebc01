"""The drawing: what is in it, to scale, and that nothing lies over something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from zdd.display.drawing import CHARACTER, WIDTH, Picture, Scale, TrafficSample
from zdd.display.phases import Life, lives
from zdd.display.timeline import ROWS_MAX, timeline_svg
from zdd.events import Event
from zdd.model.plan import Direction
from zdd.report import CapacityPoint, Report, StageTimes


def picture(report: Report, traffic: Sequence[TrafficSample] = ()) -> Picture:
    return Picture(
        Scale(report.started_s - 1, report.ended_s + 1),
        report.started_s,
        report.summary,
        {report.from_version: 0, report.to_version: 1},
        report.stages,
        lives(report),
        (),
        report.capacity,
        report.replicas,
        traffic,
    )


def empty(to_s: float = 100.0) -> Picture:
    return Picture(Scale(0.0, to_s), 0.0, "nothing", {})


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - drawn a moment ago by the code under test


def elements(svg: str, tag: str, kind: str) -> list[ET.Element]:
    return [one for one in parsed(svg).iter(tag) if kind in (one.get("class") or "").split()]


def samples(report: Report) -> list[TrafficSample]:
    return [
        TrafficSample(report.started_s + second, report.from_version, 200 + second % 3, failed=second == 5)
        for second in range(int(report.seconds) + 1)
    ]


@pytest.mark.parametrize("name", ["success", "rollback", "stuck"])
def test_a_timeline_is_drawn_as_expected(
    name: str, stories: dict[str, tuple[Event, ...]], golden: Callable[[str, str], None]
) -> None:
    report = Report.of(stories[name])
    svg = timeline_svg(picture(report, samples(report) if name == "rollback" else ()))
    parsed(svg)
    golden(f"timeline-{name}.svg", svg + "\n")


def test_an_empty_time_can_be_drawn() -> None:
    parsed(timeline_svg(empty(0.0)))
    parsed(timeline_svg(evolve(empty(0.0), capacity=[CapacityPoint(0.0, 0, 0, 0)])))


@pytest.mark.parametrize("stages", [1, 3, 9, 40])
@pytest.mark.parametrize("crowded", [False, True])
def test_no_title_of_a_stage_lies_over_another_or_is_crossed_by_a_mark(stages: int, crowded: bool) -> None:
    """The widths of characters are estimated, as the drawing does."""
    places = [(100.0 * n / stages) if not crowded else 90.0 + 10.0 * n / stages for n in range(stages)]
    times = [
        StageTimes(n + 1, f"change cell number {n} to 1.5.0", Direction.FORWARD, at) for n, at in enumerate(places)
    ]
    svg = timeline_svg(evolve(empty(), stages=times))
    texts = [
        (float(one.get("x", "")), float(one.get("y", "")), len(one.text or "") * CHARACTER)
        for one in elements(svg, "text", "stage")
    ]
    assert texts
    for x, y, width in texts:
        assert x + width <= WIDTH
        assert all(not (x < other < x + width) for other, other_y, _ in texts if other_y == y)
        crossing = [
            float(line.get("x1", ""))
            for line in elements(svg, "line", "stage-line")
            if float(line.get("y1", "")) < y - 4 < float(line.get("y2", ""))
        ]
        assert all(not (x + 1 < mark < x + width) for mark in crossing)


def test_too_many_instances_are_counted() -> None:
    crowd = [Life(f"i{n}", "1", (), ()) for n in range(ROWS_MAX + 7)]
    svg = timeline_svg(evolve(empty(), lives=crowd))
    assert "and 7 more, not drawn" in svg
    assert f"i{ROWS_MAX - 1}" in svg
    assert f"i{ROWS_MAX}" not in svg
