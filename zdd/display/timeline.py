"""A timeline as SVG: instances by phase, capacity against its floor, requests by version, and where stages begin."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from attrs import frozen

from zdd.display.drawing import (
    CHARACTER,
    LEFT,
    WIDTH,
    Part,
    Picture,
    box,
    label,
    nice,
    short,
    since,
    text_of,
    version_kinds,
)
from zdd.display.panels import capacity_panel, requests_panel
from zdd.display.phases import Life
from zdd.display.words import MOMENTS, OUTCOMES
from zdd.events import Moment
from zdd.model.plan import Direction
from zdd.report import StageTimes
from zdd.wording import date_and_time, duration, printable

ROWS_MAX = 60

_ROW = 19
_BAR = 12
_GAP = 26
_LABEL_ROWS = 5
_LABEL_ROW = 15


def timeline_svg(picture: Picture) -> str:
    """Return one SVG element. It needs the styles and the patterns of a page (`zdd.display.style`)."""
    labels = _stage_labels(picture)
    top = labels.height
    parts: list[str] = []
    y = top
    for draw in (_deployments, _instances, capacity_panel, requests_panel):
        part = draw(picture, y)
        if part.height:
            parts += part.marks
            y += part.height + _GAP
    bottom = y - _GAP + 6 if parts else y
    lines = _stage_lines(picture, top - 4, bottom)
    axis = _axis(picture, top, bottom)
    height = bottom + 34
    body = "\n".join([*axis, *lines, *parts, *labels.marks])
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text_of(picture.name)}">\n'
        f"{body}\n</svg>"
    )


@frozen
class _StageLabel:
    """A stage's title: its mark, where the text begins, and in which row above the drawing."""

    stage: StageTimes
    text: str
    mark_x: float
    from_x: float
    row: int


def _stage_labels(picture: Picture) -> Part:
    """Place the stages' titles above their marks so that no mark crosses a title.

    From right to left, each title goes above those that begin before it ends. Where that would take too many rows, the
    title shrinks to its number; a page's table has all of them.
    """
    placed: list[_StageLabel] = []
    marks = [picture.scale.x(stage.entered_s) for stage in picture.stages]
    for stage, x in sorted(zip(picture.stages, marks, strict=True), key=lambda pair: pair[1], reverse=True):
        back = "back: " if stage.direction is Direction.BACK else ""
        for text in (printable(f"{stage.number}  {back}{stage.title}", length_max=36), str(stage.number)):
            one = _place(stage, text, x, marks, placed)
            if one is not None:
                placed.append(one)
                break
    if not placed:
        return Part()
    height = (1 + max(label.row for label in placed)) * _LABEL_ROW + 8
    return Part([_stage_label(one, height) for one in placed], height)


def _place(
    stage: StageTimes, text: str, x: float, marks: Sequence[float], placed: Sequence[_StageLabel]
) -> _StageLabel | None:
    """Put a title to the right of its mark, or at the right edge to the left of it; None if there is no room."""
    width = len(text) * CHARACTER + 4
    from_x = x if x + width <= WIDTH else x - width - 6
    row = max((1 + one.row for one in placed if one.from_x < from_x + width + 6), default=0)
    crossed = from_x < x and any(from_x <= mark < x for mark in marks)
    if row >= _LABEL_ROWS or crossed:
        return None
    return _StageLabel(stage, html.escape(text), x, from_x, row)


def _stage_label(one: _StageLabel, height: float) -> str:
    y = height - 10 - one.row * _LABEL_ROW
    x = f"{one.mark_x:.1f}"
    leader = f'<line x1="{x}" y1="{y - 9:.1f}" x2="{x}" y2="{height:.1f}" class="stage-line"/>'
    return leader + label(one.from_x + 4, y, one.text, "stage failed" if one.stage.failed_s is not None else "stage")


def _stage_lines(picture: Picture, top: float, bottom: float) -> list[str]:
    lines = []
    for stage in picture.stages:
        x = picture.scale.x(stage.entered_s)
        kind = "stage-line back" if stage.direction is Direction.BACK else "stage-line"
        end = _end_words(stage)
        tip = f"stage {stage.number}: {printable(stage.title)}, from {since(picture, stage.entered_s)}{end}"
        lines.append(
            f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" class="{kind}">'
            f"<title>{html.escape(tip)}</title></line>"
        )
        if stage.failed_s is not None:
            at = picture.scale.x(stage.failed_s)
            lines.append(
                f'<line x1="{at:.1f}" y1="{top:.1f}" x2="{at:.1f}" y2="{bottom:.1f}" class="failure-line">'
                f"<title>failed: {text_of(stage.reason)}</title></line>"
            )
    return lines


def _end_words(stage: StageTimes) -> str:
    if stage.failed_s is not None:
        return f", failed after {duration(stage.failed_s - stage.entered_s)}: {printable(stage.reason)}"
    return "" if stage.passed_s is None else f", passed after {duration(stage.passed_s - stage.entered_s)}"


def _deployments(picture: Picture, top: float) -> Part:
    part: list[str] = []
    for place, report in enumerate(picture.deployments):
        y = top + place * _ROW
        from_x, to_x = picture.scale.x(report.started_s), picture.scale.x(report.ended_s)
        sign = OUTCOMES[report.outcome] if report.outcome else None
        word = f"{sign.glyph} {sign.word}" if sign else "? no end on record"
        kind = report.outcome.name.lower() if report.outcome else "open"
        way = "+" if report.beside else "→"
        change = f"{place + 1}  {report.from_version or 'nothing'} {way} {report.to_version}"
        part.append(label(0, y + _BAR, short(change, 34), "name"))
        part.append(box(from_x, y + 2, max(3, to_x - from_x), _BAR, f"outcome-{kind}", text_of(report.summary)))
        room = WIDTH - to_x > len(word) * CHARACTER + 12
        at, anchor = (to_x + 6, "start") if room else (from_x - 6, "end")
        part.append(label(at, y + _BAR, html.escape(word), "value", anchor))
    return Part(part, len(picture.deployments) * _ROW)


def _instances(picture: Picture, top: float) -> Part:
    part: list[str] = []
    shown = picture.lives[:ROWS_MAX]
    for place, life in enumerate(shown):
        y = top + place * _ROW
        style = picture.styles.get(life.version, 0)
        name = f"{text_of(life.id)}, {text_of(life.version)}"
        part.append(f"<g><title>{name}</title>{box(0, y + 3, 10, 10, version_kinds(style))}")
        part.append(label(16, y + _BAR, _instance_name(life), "name") + "</g>")
        for segment in life.segments:
            from_x, to_x = picture.scale.x(segment.from_s), picture.scale.x(segment.to_s)
            kind = segment.phase.name.lower()
            times = f"{segment.phase.value} {since(picture, segment.from_s)} to {since(picture, segment.to_s)}"
            kinds = f"phase-{kind} pattern-{kind}"
            part.append(box(from_x, y + 2, max(1.5, to_x - from_x), _BAR, kinds, f"{name}: {times}"))
        part += [_mark(picture, mark.moment, mark.at_s, y, name) for mark in life.marks]
    more = len(picture.lives) - len(shown)
    if more > 0:
        part.append(label(0, top + len(shown) * _ROW + _BAR, f"and {more} more, not drawn", "value"))
    return Part(part, (len(shown) + (more > 0)) * _ROW)


def _instance_name(life: Life) -> str:
    """Name an instance and its version so that both fit: of the two, the id is shortened."""
    version = printable(life.version, length_max=14)
    room = int((LEFT - 24) / CHARACTER) - len(version) - 2
    return f'{short(life.id, room)} <tspan class="value">{html.escape(version)}</tspan>'


def _mark(picture: Picture, moment: Moment, at_s: float, y: float, name: str) -> str:
    x = picture.scale.x(at_s)
    tip = f"<title>{name}: {MOMENTS[moment].past} at {since(picture, at_s)}</title>"
    middle = y + 2 + _BAR / 2
    if moment is Moment.STOPPED:
        return f'<rect x="{x - 1.5:.1f}" y="{y:.1f}" width="3" height="{_BAR + 4}" class="mark-stopped">{tip}</rect>'
    r = 4.5
    ground = f'<circle cx="{x:.1f}" cy="{middle:.1f}" r="7.5" class="mark-ground"/>'
    lean = r if moment is Moment.LOST else 0.0  # a slanting cross for what is lost, an upright one for what was cut
    upright = 0.0 if moment is Moment.LOST else r
    cross = (
        f"M{x - lean - upright:.1f} {middle - lean:.1f}L{x + lean + upright:.1f} {middle + lean:.1f}"
        f"M{x + lean:.1f} {middle - lean - upright:.1f}L{x - lean:.1f} {middle + lean + upright:.1f}"
    )
    return f'<g>{tip}{ground}<path d="{cross}" class="mark-bad"/></g>'


def _axis(picture: Picture, top: float, bottom: float) -> list[str]:
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400]
    step = next((s for s in steps if picture.scale.span_s / s <= 14), nice(picture.scale.span_s / 14))
    part = []
    number = math.ceil((picture.scale.from_s - picture.start_s) / step)
    while picture.start_s + number * step <= picture.scale.to_s:
        x = picture.scale.x(picture.start_s + number * step)
        part.append(f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" class="grid"/>')
        part.append(label(x, bottom + 15, _elapsed(number * step), "tick", "middle"))
        number += 1
    return [*part, label(0, bottom + 15, f"since {date_and_time(picture.start_s)}", "tick")]


def _elapsed(seconds: float) -> str:
    if seconds >= 60:
        return duration(seconds).removesuffix(" 00 s")
    return f"{seconds:g} s"
