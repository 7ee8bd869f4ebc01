"""A report in other forms: words for people, plain data for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zdd.events import Moment, Ordered, Outcome
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.wording import change, count, date_and_time, duration, figures, iso, printable

if TYPE_CHECKING:
    from zdd.report import CapacityPoint, InstanceTimes, Report, StageTimes
    from zdd.status import GateStatus

SCHEMA = 1
"""The number of the format of `data_of`. It grows when a key changes its meaning or goes away."""

_LINES_MAX = 3  # of one kind in the text form; the rest is counted there and whole in the data


def summary_of(report: Report) -> str:
    """Return the most important things on one line."""
    if report.outcome is Outcome.UNCHANGED:
        why = printable(report.reason) or f"{printable(report.to_version)} runs already"
        return f"{printable(report.service)}: nothing was changed: {why}"
    ending = "has no end on record after" if report.outcome is None else f"{report.outcome.value} in"
    reason = f": {printable(report.reason)}" if report.reason and report.outcome is not Outcome.SUCCEEDED else ""
    what = change(report.from_version, report.to_version, beside=report.beside, first=report.first_ever)
    what = f"{printable(report.service)}: {what}"
    return f"{what} {ending} {duration(report.seconds)}{reason}; {capacity_words_of(report)}"


def text_of(report: Report) -> str:
    """Return the summary and ten to fifteen lines of evidence."""
    return "\n".join([summary_of(report), *(f"  {name:<11} {text}" for name, text in _lines(report))])


def capacity_words_of(report: Report) -> str:
    """Return what became of the promise about capacity, no more than was measured."""
    if report.capacity_floor is None:
        return f"capacity was not measured (floor {report.floor})"
    of = f"{report.replicas} (floor {report.floor})"
    if report.first:
        return f"nothing served before, {report.capacity[-1].useful} of {of} at the end"
    if not report.capacity_floor and not report.floor:
        return f"down to none of {of}"
    if report.capacity_floor >= report.floor:
        return f"never below {report.capacity_floor} of {of}"
    return f"down to {report.capacity_floor} of {of}, below the floor for {duration(report.below_floor_s)}"


def _lines(report: Report) -> list[tuple[str, str]]:
    """Return the lines of the text form, as name and text."""
    commands = report.commands
    who = ", then ".join(printable(name) for name in (report.actor or "nobody on record", *report.resumed_by))
    if report.outcome is Outcome.UNCHANGED:  # nobody looked at the instances, so there is nothing to say of them
        told = [("asked by", who), ("time", date_and_time(report.started_s))]
        return told + [("warning", text) for text in _few([printable(line) for line in report.warnings])]
    sent = f"{commands.count} sent, {count(commands.errors, 'error')}, {commands.unknown} unknown"
    sent += f", {commands.unanswered} unanswered" if commands.unanswered else ""
    lines = [
        ("deployment", f"{printable(report.deployment)} by {who}"),
        ("strategy", printable(report.strategy) or "none on record"),
        ("time", f"{date_and_time(report.started_s)} to {date_and_time(report.ended_s)}"),
        *_stage_lines(report),
        *_action_lines(report),
        *_gate_lines(report),
        *_order_lines(report),
        *_instance_lines(report),
        ("commands", sent),
        ("cut", _some([printable(name) for name in report.cut]) if report.cut else "nothing in flight was cut"),
    ]
    lines += [("warning", text) for text in _few([printable(line) for line in report.warnings])]
    return lines + [("unproven", text) for text in _few([printable(line) for line in report.unproven] or ["nothing"])]


def _action_lines(report: Report) -> list[tuple[str, str]]:
    """Return a line for each action: what it said may be what a person has to know, such as what was lost."""
    lines = []
    for action in report.actions:
        note = f": {printable(action.note)}" if action.note else ""
        lines.append(("action", f"{printable(action.name)} {'done' if action.succeeded else 'failed'}{note}"))
    return lines


def _stage_lines(report: Report) -> list[tuple[str, str]]:
    passed = sum(stage.passed_s is not None for stage in report.stages)
    back = sum(stage.direction is Direction.BACK for stage in report.stages)
    way_back = f", {back} of them on the way back" if back else ""
    lines = [f"{passed} of {len(report.stages)} that began were passed{way_back}"]
    failed = [stage for stage in report.stages if stage.failed_s is not None]
    lines += _few([f"failed: {printable(s.title)}: {printable(s.reason)}" for s in failed])
    return [("stages", line) for line in lines]


def _gate_lines(report: Report) -> list[tuple[str, str]]:
    by_result = {result: [gate for gate in report.gates if gate.result is result] for result in Result}
    lines = [", ".join(f"{len(by_result[result])} {result.value}" for result in Result)]
    for gate in by_result[Result.FAILED][:_LINES_MAX]:
        numbers = f" ({figures(gate.figures)})" if gate.figures else ""
        lines.append(f"failed: {printable(gate.gate)} at {printable(gate.target)}: {printable(gate.reason)}{numbers}")
    more = len(by_result[Result.FAILED]) - _LINES_MAX
    return [("gates", line) for line in (lines if more <= 0 else [*lines, f"and {more} more failed"])]


def _order_lines(report: Report) -> list[tuple[str, str]]:
    return [("orders", line) for line in _few([order_words(event) for event in report.orders])]


def order_words(event: Ordered) -> str:
    """Return what was ordered and by whom, and why it has no effect if it has none."""
    if event.note:
        return f"{event.order.kind.value} by {printable(event.order.by)} has no effect: {printable(event.note)}"
    return str(event.order)


def _instance_lines(report: Report) -> list[tuple[str, str]]:
    found = sum(one.found for one in report.instances)
    new = [one for one in report.instances if not one.found]
    stopped, lost = (sum(end in one.times for one in report.instances) for end in (Moment.STOPPED, Moment.LOST))
    served = sum(Moment.SEEN in one.times for one in new)
    launched = f"{len(new)} launched" + (f" of which {served} took traffic" if new else "")
    if new and report.beside:
        launched = f"{len(new)} launched to stand by" + (f" of which {served} TOOK TRAFFIC" if served else "")
    words = f"{found} found, {launched}, {stopped} stopped, {lost} lost"
    lines = [("instances", words)]
    slow = [
        (_slowest(report, Moment.LAUNCHED, Moment.SEEN), "from launch to traffic"),
        (_slowest(report, Moment.OUT, Moment.STOPPED), "from out of traffic to stopped"),
    ]
    slowest = [f"{duration(worst[0])} {what} ({printable(worst[1])})" for worst, what in slow if worst]
    return lines + ([("slowest", "; ".join(slowest))] if slowest else [])


def _slowest(report: Report, first: Moment, last: Moment) -> tuple[float, str] | None:
    taken = [
        (one.between_s(first, last), one.id) for one in report.instances if not (one.found and first is Moment.LAUNCHED)
    ]
    return max(((seconds, name) for seconds, name in taken if seconds is not None), default=None)


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _LINES_MAX
    return list(lines) if more <= 0 else [*lines[:_LINES_MAX], f"and {more} more"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(_few(names))


def data_of(report: Report) -> dict[str, Any]:
    """Return plain data that JSON can carry, without the events. Times are ISO 8601 in UTC."""
    return {
        "schema": SCHEMA,
        "service": report.service,
        "deployment": report.deployment,
        "actor": report.actor,
        "resumed_by": list(report.resumed_by),
        "strategy": report.strategy,
        "from_version": report.from_version,
        "to_version": report.to_version,
        "beside": report.beside,
        "first": report.first,
        "outcome": None if report.outcome is None else report.outcome.value,
        "succeeded": report.succeeded,
        "reason": report.reason,
        "started": iso(report.started_s),
        "ended": iso(report.ended_s),
        "seconds": round(report.seconds, 3),
        "replicas": report.replicas,
        "floor": report.floor,
        "capacity_floor": report.capacity_floor,
        "below_floor_s": round(report.below_floor_s, 3),
        "capacity": [_capacity_data(point) for point in report.capacity],
        "stages": [_stage_data(stage) for stage in report.stages],
        "actions": [
            {"name": one.name, "ended": iso(one.ended_s), "succeeded": one.succeeded, "note": one.note}
            for one in report.actions
        ],
        "instances": [_instance_data(one) for one in report.instances],
        "gates": [_gate_data(gate) for gate in report.gates],
        "orders": [_order_data(event) for event in report.orders],
        "commands": {
            "count": report.commands.count,
            "errors": report.commands.errors,
            "unknown": report.commands.unknown,
            "unanswered": report.commands.unanswered,
        },
        "cut": list(report.cut),
        "unproven": list(report.unproven),
        "warnings": list(report.warnings),
        "events": len(report.events),
    }


def _capacity_data(point: CapacityPoint) -> dict[str, Any]:
    return {
        "at": iso(point.at_s),
        "useful": point.useful,
        "existing": point.existing,
        "floor": point.floor,
        "shares": dict(point.shares),
    }


def _stage_data(stage: StageTimes) -> dict[str, Any]:
    return {
        "number": stage.number,
        "title": stage.title,
        "direction": stage.direction.value,
        "entered": iso(stage.entered_s),
        "passed": None if stage.passed_s is None else iso(stage.passed_s),
        "failed": None if stage.failed_s is None else iso(stage.failed_s),
        "reason": stage.reason,
    }


def _instance_data(one: InstanceTimes) -> dict[str, Any]:
    return {
        "id": one.id,
        "cell": one.cell,
        "version": one.version,
        "found": one.found,
        "moments": [{"moment": moment.value, "at": iso(at_s)} for moment, at_s in one.moments],
        "note": one.note,
    }


def _order_data(event: Ordered) -> dict[str, Any]:
    order = event.order
    return {
        "order": order.kind.value,
        "by": order.by,
        "given": iso(order.at_s),
        "at": iso(event.at_s),
        "note": event.note,
    }


def _gate_data(gate: GateStatus) -> dict[str, Any]:
    return {
        "gate": gate.gate,
        "target": gate.target,
        "result": gate.result.value,
        "at": iso(gate.since_s),
        "reason": gate.reason,
        "figures": {name: value if math.isfinite(value) else None for name, value in gate.figures.items()},
    }
