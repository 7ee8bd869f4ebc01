"""The tables of a page: one line for each deployment, and all the evidence of one."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from zdd.display.words import OUTCOMES, RESULTS
from zdd.events import Moment
from zdd.model.plan import Direction
from zdd.report import InstanceTimes, Report, StageTimes
from zdd.status import GateStatus
from zdd.wording import date_and_time, duration, figures, printable

ROWS_MAX = 200
"""Rows of one table. What is more is counted, and whole in the report's data."""

Cell = tuple[str, str]
"""HTML that is escaped already, and its class."""

_KINDS = {"green": "good", "yellow": "warn", "red": "bad"}

_COLUMNS = (
    Moment.LAUNCHED,
    Moment.READY,
    Moment.PROVEN,
    Moment.SEEN,
    Moment.OUT,
    Moment.SEEN_GONE,
    Moment.IDLE,
    Moment.STOPPED,
)


def summary_table(reports: Sequence[Report]) -> str:
    """Return one row for each deployment, with a link to its section."""
    head = ("", "Service", "Change", "Strategy", "Outcome", "Took", "Least capacity", "Cut", "Unproven", "By")
    return _table(head, [_summary_row(number, report) for number, report in enumerate(reports, start=1)])


def _what(report: Report) -> str:
    before, after = _text(report.from_version) or "nothing", _text(report.to_version) or "nothing"
    return f"standby {after} beside {before}" if report.beside else f"{before} → {after}"


def _summary_row(number: int, report: Report) -> list[Cell]:
    if report.capacity_floor is None:
        least = "not measured"
    elif report.first:
        least = "nothing served before"
    else:
        least = f"{report.capacity_floor} of {report.replicas}, floor {report.floor}"
    return [
        (f'<a href="#deployment-{number}">{number}</a>', "tight"),
        (_text(report.service), "tight"),
        (_what(report), "text"),
        (_text(report.strategy), "text"),
        (outcome_words(report), f"tight {outcome_kind(report)}"),
        (duration(report.seconds), "number"),
        (least, "tight bad" if report.below_floor_s and not report.first else "tight"),
        (str(len(report.cut)), "number"),
        (str(len(report.unproven)), "number"),
        (_text(report.actor), "tight"),
    ]


def outcome_words(report: Report) -> str:
    """Return how a deployment ended, with its sign."""
    if report.outcome is None:
        return "? no end on record"
    return f"{OUTCOMES[report.outcome].glyph} {OUTCOMES[report.outcome].word}"


def outcome_kind(report: Report) -> str:
    """Return the class that colours how a deployment ended: ``good``, ``warn`` or ``bad``."""
    return "bad" if report.outcome is None else _KINDS[OUTCOMES[report.outcome].style]


def details_html(report: Report) -> str:
    """Return everything else that a report knows, folded."""
    begin = report.started_s
    commands = report.commands
    who = ", then ".join(map(_text, (report.actor or "nobody on record", *report.resumed_by)))
    sent = f"{commands.count} commands: {commands.errors} refused, {commands.unknown} of unknown outcome"
    facts = [
        f"Deployment {_text(report.deployment)} by {who}, {_text(report.strategy)}",
        f"{date_and_time(report.started_s)} to {date_and_time(report.ended_s)}",
        f"{sent}, {commands.unanswered} without an answer on record",
        "Cut with something in flight: " + (", ".join(map(_text, report.cut)) or "nothing"),
    ]
    return (
        "<details><summary>Stages, gates, times of each instance, and what stayed unproven</summary>"
        + "".join(f'<p class="break">{fact}</p>' for fact in facts)
        + _headed("What stayed unproven", _list(report.unproven))
        + _headed("Stages", _table(_STAGE_HEAD, [_stage_row(stage, begin) for stage in report.stages]))
        + _headed("Gates", _table(_GATE_HEAD, [_gate_row(gate, begin) for gate in report.gates]))
        + _headed("Instances, in seconds from the start", _instances(report))
        + "</details>"
    )


_STAGE_HEAD = ("Stage", "Title", "Began", "Took", "Ended", "Reason")
_GATE_HEAD = ("Gate", "Target", "Verdict", "At", "Reason", "Figures")


def _stage_row(stage: StageTimes, begin_s: float) -> list[Cell]:
    end_s = stage.passed_s if stage.failed_s is None else stage.failed_s
    word = "failed" if stage.failed_s is not None else "passed" if stage.passed_s is not None else "not ended"
    return [
        (f"{'back ' if stage.direction is Direction.BACK else ''}{stage.number}", "tight"),
        (_text(stage.title), "text"),
        (f"{stage.entered_s - begin_s:.1f} s", "number"),
        ("" if end_s is None else duration(end_s - stage.entered_s), "number"),
        (word, "tight bad" if stage.failed_s is not None else "tight"),
        (_text(stage.reason), "text"),
    ]


def _gate_row(gate: GateStatus, begin_s: float) -> list[Cell]:
    sign = RESULTS[gate.result]
    kind = _KINDS[sign.style]
    return [
        (_text(gate.gate), "text"),
        (_text(gate.target), "tight"),
        (f"{sign.glyph} {sign.word}", f"tight {kind}"),
        (f"{gate.since_s - begin_s:.1f} s", "number"),
        (_text(gate.reason), "text"),
        (html.escape(figures(gate.figures)), "text"),
    ]


def _instances(report: Report) -> str:
    head = ("Instance", "Version", *(moment.value for moment in _COLUMNS), "Note")
    return _table(head, [_instance_row(one, report.started_s) for one in report.instances])


def _instance_row(one: InstanceTimes, begin_s: float) -> list[Cell]:
    times = {m: at_s for m, at_s in one.times.items() if not (one.found and m in (Moment.LAUNCHED, Moment.READY))}
    cells = [(f"{times[m] - begin_s:.1f}" if m in times else "", "number") for m in _COLUMNS]
    ends = [f"{m.value} at {times[m] - begin_s:.1f}" for m in (Moment.CUT, Moment.LOST) if m in times]
    note = "; ".join([*(["there before"] if one.found else []), *ends, *([printable(one.note)] if one.note else [])])
    return [(_text(one.id), "tight"), (_text(one.version), "tight"), *cells, (html.escape(note), "text")]


def _headed(title: str, content: str) -> str:
    return f"<h3>{title}</h3>{content}"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f'<li class="break">{_text(line)}</li>' for line in lines)
    return f"<ul>{items}</ul>" if items else "<p>Nothing.</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    if not rows:
        return "<p>None.</p>"
    kinds = [kind for _, kind in rows[0]]
    heads = "".join(f'<th class="{kind.split()[0]}">{_text(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    lines = [
        "<tr>" + "".join(f'<td class="{kind}">{content}</td>' for content, kind in row) + "</tr>"
        for row in rows[:ROWS_MAX]
    ]
    more = len(rows) - ROWS_MAX
    rest = f"<p>and {more} more, which are in the report's data</p>" if more > 0 else ""
    body = "\n".join(lines)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div>{rest}'


def _text(value: object) -> str:
    return html.escape(printable(value))
