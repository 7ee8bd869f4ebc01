"""What is awaited, in words, most important first, and until when. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.gate import shown
from zdd.model.verdict import Result
from zdd.reconciler.asking import stage_asks
from zdd.reconciler.decision import Perform
from zdd.reconciler.guard import Refusal
from zdd.reconciler.guards import route_awaited
from zdd.reconciler.picture import Picture

CLEAR_AWAY_S = 30.0
"""What clearing away may take beyond the drain, the grace period and the settling time."""


def deadline_s(picture: Picture) -> float:
    """Return when the stage, or clearing away after the last one, must have come to its end."""
    if picture.progress.stage < len(picture.plan.stages):
        return picture.deadline_s
    service = picture.plan.service
    allowed_s = service.drain_deadline_s + service.stop_grace_s + service.settle_s + CLEAR_AWAY_S
    return picture.progress.entered_s + allowed_s


def held_until_s(picture: Picture, reached_s: float) -> float:
    """Return until when the stage's traffic flows before the next one begins."""
    return reached_s if picture.progress.promoted else reached_s + picture.stage.hold_s


def leaving(picture: Picture) -> list[str]:
    """Return the instances that are still there although their cell is to run without them."""
    return [
        instance.id
        for cell in picture.observation.cells
        for instance in cell.instances
        if instance.state is InstanceState.STOPPING or instance.revision != cell.revision
    ]


def incomplete(picture: Picture) -> list[Refusal]:
    """Return the cells that are not what they should be, or the edges that do not show it."""
    found = []
    for goal in picture.goals.values():
        cell = picture.cells.get(goal.cell)
        if cell is not None and goal.replicas and cell.revision != goal.revision:
            continue  # what keeps it from being changed is among the refusals
        if goal.replicas and picture.answers_for(goal) and not picture.complete(goal):
            told = picture.progress.told.get(goal.cell)
            until_s = told.at_s + picture.plan.service.start_deadline_s if told else deadline_s(picture)
            found.append(Refusal("start", f"{goal.cell}: {state_of(picture, cell)}", until_s))
        elif not goal.replicas and cell is not None and not cell.replicas:
            found.append(Refusal("stop", f"{goal.cell} to stop", deadline_s(picture)))
    if not found and picture.progress.stage >= len(picture.plan.stages):
        found.extend(Refusal("stop", f"{name} to stop", deadline_s(picture)) for name in leaving(picture))
    if not found and picture.carries_traffic:
        found.extend(
            Refusal("edge", f"{edge} to show the traffic as it was told", _until_s(picture, edge))
            for edge in picture.unlike
        )
    return found


def _until_s(picture: Picture, edge: str) -> float:
    given_up_s = picture.given_up_s(edge)
    return given_up_s if edge in picture.progress.deaf and given_up_s > picture.now else deadline_s(picture)


def state_of(picture: Picture, cell: Cell | None) -> str:
    """Say of a cell what keeps it from being complete."""
    if cell is None:
        return "not there yet"
    if picture.told_to_stop(cell):
        return "what was told to stop is still listed"
    for instance in cell.instances:
        if picture.proven(instance.id) or instance.revision != cell.revision:
            continue
        why = instance.note if instance.address_lost else _not_passed(picture, cell, instance) or instance.note
        state = "has failed" if instance.state is InstanceState.FAILED else f"is {instance.state.value}"
        return f"{instance.id} {state}" + (f", {why}" if why else "")
    return f"{picture.proven_in(cell)} of {cell.replicas} proven"


def _not_passed(picture: Picture, cell: Cell, instance: Instance) -> str:
    """Return the first gate that has not passed at an instance, and what it said; empty if none was to be asked."""
    said = picture.of_cells[cell.name].verdicts[instance.id]
    known = picture.plan.revisions.get(instance.revision)
    for gate, record in zip(known.gates if known else (), said, strict=False):
        if record is not None and record.verdict.result is not Result.PASSED:
            return f"gate {shown(gate)}: {record.verdict.reason}"
        if record is None and instance.state is InstanceState.READY:
            return f"gate {shown(gate)} has not answered yet"
    return ""


def acting(picture: Picture, perform: Perform | None) -> list[Refusal]:
    """Return the action that is under way."""
    if perform is None:
        return []
    return [Refusal("action", f"action {perform.action.name} to end", deadline_s(picture))]


def unshown(picture: Picture) -> list[Refusal]:
    """Return what discovery was told and does not show yet."""
    awaited = route_awaited(picture)
    return [] if awaited is None else [Refusal("not-repeated", *awaited)]


def holding(picture: Picture) -> list[Refusal]:
    """Return the pause, the gates and the hold time of the stage."""
    reached_s = picture.progress.reached_s
    if picture.progress.stage >= len(picture.plan.stages):
        return []
    found = _paused(picture)
    if reached_s is None:
        return found
    for ask, record in stage_asks(picture):
        if record is None or record.verdict.result is not Result.PASSED:
            why = f": {record.verdict.reason}" if record and record.verdict.reason else ""
            patience_s = ask.gate.deadline_s
            until_s = deadline_s(picture) if patience_s is None or record is None else record.asked_s + patience_s
            found.append(Refusal("gate", f"gate {shown(ask.gate)}{why}", until_s))
    until_s = held_until_s(picture, reached_s)
    if until_s > picture.now:
        found.append(Refusal("hold", f"the hold time of stage {picture.stage.title!r}", until_s))
    return found


def _paused(picture: Picture) -> list[Refusal]:
    order = picture.progress.paused
    if order is None:
        return []
    name = picture.plan.service.name
    reason = f"deployer.resume({name!r}), {order}"
    return [Refusal("pause", reason, float("inf"))]


_GUARDS = ("settled", "start", "drained", "gate", "pause", "hold", "edge", "stop")
_IMPORTANCE = {name: number for number, name in enumerate(_GUARDS)}


def by_importance(waits: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """Return them once each, what a person wants to know first at the front."""
    return tuple(sorted(dict.fromkeys(waits), key=lambda wait: _IMPORTANCE.get(wait.guard, len(_IMPORTANCE))))
