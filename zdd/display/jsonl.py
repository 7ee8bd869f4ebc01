"""Events as JSON lines, for programs: one object a line, stable keys, times by ISO 8601 in UTC."""

from __future__ import annotations

import enum
import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import attrs

from zdd.events import DeploymentStarted, Event
from zdd.model.plan import Goal, Plan, Stage
from zdd.wording import iso

SCHEMA = 1
"""The number of the format. It grows when a key changes its meaning or goes away; new keys may come at any time."""

_TIMES = {"at_s": "at", "until_s": "until"}


def event_data(event: Event) -> dict[str, Any]:
    """Return one event as plain data that strict JSON can carry.

    ``event`` names its kind in snake case. Of a plan it has what will be done, but not what is to be run: commands
    and environments, which may hold secrets, stay out of a log. Numbers that JSON does not know are null.
    """
    return {"schema": SCHEMA, "event": _kind(event), **_fields(event)}


def event_line(event: Event) -> str:
    """Return one event as a line of JSON in ASCII, without the line's end."""
    return json.dumps(event_data(event), allow_nan=False, separators=(",", ":"))


class JsonLines:
    """Writes each event as a line of JSON; pass it wherever events are watched.

    Attributes:
        stream: Where the lines go; None: standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream

    def __call__(self, event: Event) -> None:
        """Write the line and flush it.

        Raises:
            OSError: The stream can't be written to.
        """
        self.stream.write(event_line(event) + "\n")
        self.stream.flush()


def _kind(value: object) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(value).__name__).lower()


def _fields(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for attribute in attrs.fields(type(event)):
        value = getattr(event, attribute.name)
        if attribute.name in _TIMES:
            data[_TIMES[attribute.name]] = iso(value)
        elif isinstance(event, DeploymentStarted) and attribute.name == "plan":
            data["plan"] = plan_data(event.plan)
        elif isinstance(event, DeploymentStarted) and attribute.name == "strategy":
            continue  # the plan names it in words; the object may hold anything of the user's
        else:
            data[attribute.name] = _plain(value)
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if attrs.has(type(value)):
        inner = {a.name: _plain(getattr(value, a.name)) for a in attrs.fields(type(value))}
        return {"kind": _kind(value), **inner}
    return str(value)


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data that JSON can carry, without commands and environments."""
    return {
        "strategy": plan.strategy,
        "direction": plan.direction.value,
        "target": plan.target,
        "replicas": plan.service.replicas,
        "floor": plan.floor,
        "ceiling": plan.ceiling,
        "revisions": {key: revision.version for key, revision in sorted(plan.revisions.items())},
        "origin": [_goal(goal) for goal in plan.origin],
        "stages": [_stage(stage) for stage in plan.stages],
        "warnings": list(plan.warnings),
    }


def _stage(stage: Stage) -> dict[str, Any]:
    return {
        "title": stage.title,
        "goals": [_goal(goal) for goal in stage.goals],
        "gates": [str(gate) for gate in stage.gates],
        "actions": [action.name for action in stage.actions],
        "hold_s": stage.hold_s,
        "deadline_s": stage.deadline_s,
        "on_failure": stage.on_failure.value,
        "held": stage.held,
    }


def _goal(goal: Goal) -> dict[str, Any]:
    told = {"cell": goal.cell, "revision": goal.revision, "replicas": goal.replicas, "share": goal.share}
    if goal.in_place is None:
        return told
    return told | {"changed": goal.in_place.changed, "batch": goal.in_place.batch, "order": goal.in_place.order.value}
