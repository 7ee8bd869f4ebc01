"""What a timeline measures over time: capacity against its floor, and requests by version."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import pairwise

from zdd.display.drawing import (
    PANEL,
    Part,
    Picture,
    Scale,
    TrafficSample,
    box,
    key,
    key_line,
    label,
    nice,
    since,
    text_of,
    ticks,
    version_kinds,
)
from zdd.report import CapacityPoint
from zdd.wording import printable

_BINS = 160


def capacity_panel(picture: Picture, top: float) -> Part:
    """Draw how many instances serve and run, the floor, and where there were fewer than that."""
    points = picture.capacity
    if not points:
        return Part()
    floor = max(point.floor for point in points)
    most = max(*(max(point.useful, point.existing, point.floor) for point in points), picture.replicas, 1)
    step = nice(most / 4, whole=True)
    roof = math.ceil(most / step) * step

    def y(value: float) -> float:
        return top + PANEL * (1 - value / roof)

    part = ticks(top, roof, step)
    edges = [*(point.at_s for point in points[1:]), picture.scale.to_s]
    steps = [(picture.scale.x(p.at_s), picture.scale.x(end), p) for p, end in zip(points, edges, strict=True)]
    useful = " ".join(f"L{a:.1f} {y(p.useful):.1f} L{b:.1f} {y(p.useful):.1f}" for a, b, p in steps)
    existing = " ".join(f"L{a:.1f} {y(p.existing):.1f} L{b:.1f} {y(p.existing):.1f}" for a, b, p in steps)
    first, last = steps[0][0], steps[-1][1]
    part.append(f'<path d="M{first:.1f} {y(0):.1f} {useful} L{last:.1f} {y(0):.1f}Z" class="capacity-area"/>')
    for a, b, p in steps:
        if p.useful < p.floor:
            tip = f"{p.useful} useful, below the floor of {p.floor}"
            part.append(box(a, y(p.floor), b - a, y(p.useful) - y(p.floor), "capacity-short pattern-short", tip))
    part.append(f'<path d="M{existing[1:]}" class="capacity-existing"/>')
    part.append(f'<path d="M{useful[1:]}" class="capacity-useful"/>')
    part += [_floor(a, b, y(p.floor)) for a, b, p in steps]
    part += [box(a, top, b - a, PANEL, "hover", _capacity_tip(picture, p)) for a, b, p in steps if b - a > 0.2]
    part += key(top, "Capacity in instances", [("useful", "capacity-useful"), ("running", "capacity-existing")])
    part += key_line(top + 56, f"floor {floor}", "capacity-floor")
    return Part(part, PANEL)


def _floor(from_x: float, to_x: float, y: float) -> str:
    return f'<line x1="{from_x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{y:.1f}" class="capacity-floor"/>'


def _capacity_tip(picture: Picture, point: CapacityPoint) -> str:
    return f"from {since(picture, point.at_s)}: {point.useful} useful, {point.existing} running, floor {point.floor}"


def requests_panel(picture: Picture, top: float) -> Part:
    """Draw the requests a second that each version answered, stacked, and those that failed."""
    scale = picture.scale
    sample_s = _interval_s([sample.at_s for sample in picture.traffic])
    shown = [s for s in picture.traffic if s.at_s < scale.to_s and s.at_s + sample_s > scale.from_s]
    if not shown:
        return Part()
    bin_s = max(nice(scale.span_s / _BINS), 0.001)
    bins = math.ceil(scale.span_s / bin_s)
    rates = _rates(shown, sample_s, scale, bin_s, bins)
    most = max(sum(rate[place] for rate in rates.values()) for place in range(bins))
    step = nice(max(most, 1e-9) / 4)
    roof = math.ceil(max(most, 1e-9) / step) * step
    edges = [scale.x(scale.from_s + place * bin_s) for place in range(bins + 1)]
    part = ticks(top, roof, step)
    below = [0.0] * bins
    for version, rate in rates.items():
        above = [low + own for low, own in zip(below, rate, strict=True)]
        part.append(_area(edges, below, above, top, roof, picture.styles.get(version, 0), version))
        below = above
    part += _failures(picture, shown, sample_s, top)
    return Part([*part, *_requests_key(picture, shown, list(rates), top)], PANEL)


def _interval_s(times: Sequence[float]) -> float:
    """Return how many seconds one sample stands for: the usual distance to the next one."""
    distinct = sorted(set(times))
    gaps = sorted(later - earlier for earlier, later in pairwise(distinct))
    return gaps[len(gaps) // 2] if gaps else 1.0


def _rates(
    samples: Sequence[TrafficSample], sample_s: float, scale: Scale, bin_s: float, bins: int
) -> dict[str, list[float]]:
    """Spread each sample evenly over its time; return requests a second by version and bin."""
    rates: dict[str, list[float]] = {}
    for sample in sorted(samples, key=lambda sample: sample.at_s):
        rate = rates.setdefault(sample.version, [0.0] * bins)
        begin, end = sample.at_s - scale.from_s, sample.at_s + sample_s - scale.from_s
        for place in range(max(0, int(begin / bin_s)), min(bins, int(end / bin_s) + 1)):
            overlap_s = min(end, (place + 1) * bin_s) - max(begin, place * bin_s)
            rate[place] += max(0.0, overlap_s) / sample_s * sample.requests / bin_s
    return rates


def _area(
    edges: Sequence[float],
    below: Sequence[float],
    above: Sequence[float],
    top: float,
    roof: float,
    style: int,
    version: str,
) -> str:
    def y(value: float) -> float:
        return top + PANEL * (1 - value / roof)

    upper = " ".join(f"L{edges[i]:.1f} {y(v):.1f}L{edges[i + 1]:.1f} {y(v):.1f}" for i, v in enumerate(above))
    back = range(len(below) - 1, -1, -1)
    lower = " ".join(f"L{edges[i + 1]:.1f} {y(below[i]):.1f}L{edges[i]:.1f} {y(below[i]):.1f}" for i in back)
    path = f"M{upper[1:]} {lower}Z"
    under, over = version_kinds(style).split()
    tip = f"<title>requests answered by {text_of(version) or 'nobody'}</title>"
    return f'<path d="{path}" class="{under}"/><path d="{path}" class="{over}">{tip}</path>'


def _failures(picture: Picture, samples: Sequence[TrafficSample], sample_s: float, top: float) -> list[str]:
    part = []
    for sample in samples:
        if sample.failed:
            from_x, to_x = picture.scale.x(sample.at_s), picture.scale.x(sample.at_s + sample_s)
            version = text_of(sample.version) or "nobody"
            tip = f"{sample.failed} of {sample.requests} failed at {since(picture, sample.at_s)}, answered by {version}"
            part.append(box(from_x, top + PANEL - 7, max(2.5, to_x - from_x), 7, "failed", tip))
    return part


def _requests_key(picture: Picture, inside: Sequence[TrafficSample], versions: Sequence[str], top: float) -> list[str]:
    part = [label(0, top + 10, "Requests a second", "title")]
    shown = versions if len(versions) <= 4 else versions[:3]
    for place, version in enumerate(shown):
        y = top + 17 + place * 16
        total = sum(sample.requests for sample in inside if sample.version == version)
        name = printable(version, length_max=14) or "nobody"
        part.append(box(0, y, 10, 10, version_kinds(picture.styles.get(version, 0))))
        part.append(label(16, y + 9, f"{html.escape(name)}: {total}", "value"))
    y = top + 17 + len(shown) * 16
    if len(shown) < len(versions):
        part.append(label(16, y + 9, f"and {len(versions) - len(shown)} more", "value"))
        y += 16
    lost = sum(sample.failed for sample in inside)
    return [*part, box(0, y + 1, 10, 8, "failed"), label(16, y + 9, f"failed: {lost}", "value")]
