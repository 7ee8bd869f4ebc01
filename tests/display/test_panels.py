"""What is measured over time: the floor against what there was, and requests as they came."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from zdd.display.drawing import LEFT, RIGHT, WIDTH, Picture, Scale, TrafficSample
from zdd.display.timeline import timeline_svg
from zdd.report import CapacityPoint


def empty() -> Picture:
    return Picture(Scale(0.0, 100.0), 0.0, "nothing", {})


def elements(svg: str, tag: str, kind: str) -> list[ET.Element]:
    drawn = ET.fromstring(svg)  # noqa: S314 - drawn a moment ago by the code under test
    return [one for one in drawn.iter(tag) if kind in (one.get("class") or "").split()]


def test_capacity_below_the_floor_is_marked_for_as_long_as_it_was() -> None:
    points = [CapacityPoint(0, 3, 3, 3), CapacityPoint(50, 2, 3, 3), CapacityPoint(75, 3, 3, 3)]
    (short,) = elements(timeline_svg(evolve(empty(), capacity=points)), "rect", "capacity-short")
    assert float(short.get("x", "")) == pytest.approx(LEFT + (WIDTH - LEFT - RIGHT) / 2, abs=0.1)
    assert float(short.get("width", "")) == pytest.approx((WIDTH - LEFT - RIGHT) / 4, abs=0.1)
    assert not elements(timeline_svg(evolve(empty(), capacity=points[:1])), "rect", "capacity-short")


def test_requests_that_failed_are_marked() -> None:
    traffic = [TrafficSample(float(n), "1", 10, failed=2 if n == 7 else 0) for n in range(100)]
    svg = timeline_svg(evolve(empty(), traffic=traffic))
    assert "2 of 10 failed at 7.0 s, answered by 1" in svg
    assert "failed: 2" in svg
    assert "1: 1000" in svg


def test_a_steady_load_is_drawn_steady_whatever_the_distance_of_its_samples() -> None:
    for distance_s in (0.1, 0.7, 1.0, 3.0):
        times = [number * distance_s for number in range(round(100 / distance_s) + 1)]
        svg = timeline_svg(evolve(empty(), traffic=[TrafficSample(at_s, "1", 20) for at_s in times]))
        (area,) = elements(svg, "path", "version-0")
        upper = re.findall(r"[ML]([\d.]+) ([\d.]+)", area.get("d", ""))
        heights = {float(y) for x, y in upper[2 : len(upper) // 2 - 2]}
        assert max(heights) - min(heights) < 1.0, distance_s
