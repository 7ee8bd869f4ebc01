"""When an instance that never gets up has had enough chances. Pure."""

from __future__ import annotations

from zdd.model.cell import Instance, InstanceState
from zdd.model.plan import Goal
from zdd.reconciler.picture import Picture

CRASHES_MOST = 3
"""How often what starts may end by itself before it is proven: after that many, another attempt proves nothing new."""

CRASHING_FOR_S = 5.0
"""But it gets at least so long, in seconds: where restarts cost nothing, many of them fit into a moment."""


def crash_failure(picture: Picture, goal: Goal, instance: Instance, since_s: float) -> str:
    """Say in what way an instance failed to start; empty while it may still.

    Args:
        picture: What is known.
        goal: What its cell should be.
        instance: What the orchestrator says of it.
        since_s: Since when the cell has been on its way to the goal, in seconds since the epoch.
    """
    if instance.revision != goal.revision or instance.state is InstanceState.READY:
        return ""
    if picture.progress.complete_s.get(goal.cell, float("-inf")) >= since_s:
        return ""  # it was complete since then: what ends now had started
    why = f": {instance.note}" if instance.note else ""
    failed = instance.state is InstanceState.FAILED
    if failed and picture.now >= max(since_s, _ended_s(picture, instance)) + CRASHING_FOR_S:
        return f"ended by itself and did not come back{why}"
    if instance.restarts >= CRASHES_MOST and picture.now >= since_s + CRASHING_FOR_S:
        return f"ended by itself {instance.restarts} times before it was proven{why}"
    return ""


def _ended_s(picture: Picture, instance: Instance) -> float:
    """Return when it ended: its node's clock may be ahead, so at the latest when that was first seen."""
    record = picture.record(instance.id)
    seen_s = record.failed_s if record is not None else None
    return instance.since_s if seen_s is None else min(instance.since_s, seen_s)
