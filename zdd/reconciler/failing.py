"""Why a stage has failed, if it has. Pure."""

from __future__ import annotations

from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Scale
from zdd.model.gate import shown
from zdd.model.in_place import UpdateOrder
from zdd.model.plan import Goal
from zdd.model.verdict import Result
from zdd.reconciler.asking import stage_asks
from zdd.reconciler.awaited import by_importance, deadline_s, holding, incomplete, state_of
from zdd.reconciler.commands import permitted
from zdd.reconciler.crashing import crash_failure
from zdd.reconciler.guards import GUARDS
from zdd.reconciler.lost_addresses import lost_address_failure
from zdd.reconciler.picture import Picture


def failure(picture: Picture) -> str:
    """Return the reason in words; empty if the stage has not failed."""
    progress = picture.progress
    if progress.failure:
        return progress.failure
    if progress.stage < len(picture.plan.stages):
        reason = _gate_failure(picture) or (_start_failure(picture) if picture.forward else "")
        if reason:
            return reason
    end_s = deadline_s(picture)
    if picture.now < end_s:
        return ""
    waits = [*permitted(picture, GUARDS)[1], *incomplete(picture), *holding(picture)]
    awaited = "; ".join(wait.reason for wait in by_importance(waits)[:3]) or "the edges to show it"
    return f"not reached within {end_s - progress.entered_s:g} s, still waiting for: {awaited}"


def _gate_failure(picture: Picture) -> str:
    progress = picture.progress
    for ask, record in stage_asks(picture):
        if record is None:
            continue
        if record.verdict.result is Result.FAILED:
            return f"gate {shown(ask.gate)} failed: {record.verdict.reason}"
        patience_s = ask.gate.deadline_s
        since_s = max(record.asked_s, record.passed_s or 0.0)
        if record.verdict.result is Result.PASSED or patience_s is None or progress.paused is not None:
            continue
        if picture.now >= since_s + patience_s + progress.stood_s:
            return f"gate {shown(ask.gate)} did not pass within {patience_s:g} s: {record.verdict.reason}"
    return ""


def _start_failure(picture: Picture) -> str:
    patience_s = picture.plan.service.start_deadline_s
    for goal in picture.goals.values():
        if picture.complete(goal):
            continue
        cell = picture.cells.get(goal.cell)
        since_s = _starting_since_s(picture, goal, cell)
        if since_s is None:
            continue
        stops_first = goal.in_place is not None and goal.in_place.order is UpdateOrder.STOP_FIRST
        before_s = picture.plan.service.stop_grace_s if stops_first else 0.0  # it starts when the old one has stopped
        for instance in cell.instances if cell else ():
            reason = picture.condemned.get(instance.id)
            reason = reason or crash_failure(picture, goal, instance, since_s)
            reason = reason or lost_address_failure(picture, goal, instance)
            if reason:
                return f"{instance.id}: {reason}"
        if picture.now >= since_s + before_s + patience_s:
            return f"{goal.cell} was not ready and proven within {patience_s:g} s: {state_of(picture, cell)}"
    return ""


def _starting_since_s(picture: Picture, goal: Goal, cell: Cell | None) -> float | None:
    """Return since when a cell of the target has been on its way to this goal; None: it is not."""
    if not goal.replicas or goal.revision != picture.plan.target:
        return None
    told = picture.progress.told.get(goal.cell)
    if told is None:  # an earlier deployer started it
        since_s = picture.progress.entered_s if cell is not None and cell.revision == goal.revision else None
    elif isinstance(told.command, Change) and told.command.in_place != goal.in_place:
        since_s = None  # the same cell was changed less far, in an earlier stage
    elif isinstance(told.command, Launch | Change | Scale) and told.command.replicas == goal.replicas:
        since_s = told.at_s
    else:
        since_s = None  # what it was told last was another stage's goal
    if since_s is None:
        return None
    return max(since_s, picture.progress.complete_s.get(goal.cell, since_s))
