"""What is asked beside the driver: the gates that are due, and the action of a stage. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from zdd.model.cell import Instance
from zdd.model.gate import Target
from zdd.reconciler.cell_picture import PAUSE_LEAST_S
from zdd.reconciler.decision import Ask, Perform
from zdd.reconciler.guards import others_gone
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import GateRecord, admission_key, stage_key


def due_gates(picture: Picture) -> tuple[list[Ask], float]:
    """Return the gates that are due, and when the next one will be."""
    due, next_s = _admission_asks(picture)
    for ask, record in stage_asks(picture):
        at_s = _again_s(picture.now, record, ask.gate.interval_s)
        if at_s <= picture.now:
            due.append(ask)
        else:
            next_s = min(next_s, at_s)
    return due, next_s


def _again_s(now: float, record: GateRecord | None, pause_s: float) -> float:
    return now if record is None else record.looked_s + max(pause_s, PAUSE_LEAST_S)


def _admission_asks(picture: Picture) -> tuple[list[Ask], float]:
    """Return the gates of instances that are due, and when the next one will be, or a worker counts as steady."""
    now, due, next_s = picture.now, list[Ask](), inf
    for cell in picture.of_cells.values():
        next_s = min(next_s, cell.steady_s)
        if cell.asks_from_s > now:
            next_s = min(next_s, cell.asks_from_s)
            continue
        for at_s, instance, number in cell.asks:
            if at_s <= now:
                due.append(_ask(picture, instance, number))
            elif at_s < next_s:
                next_s = at_s
    return due, next_s


def _ask(picture: Picture, instance: Instance, number: int) -> Ask:
    gate = picture.plan.revisions[instance.revision].gates[number]
    return Ask(admission_key(instance.revision, number), gate, picture.target(instance))


def stage_asks(picture: Picture) -> Iterator[tuple[Ask, GateRecord | None]]:
    """Yield the gates of the stage once its traffic is reached, and what each has said."""
    if picture.progress.reached_s is None or picture.progress.stage >= len(picture.plan.stages):
        return
    for number, gate in enumerate(picture.stage.gates):
        key = stage_key(picture.progress.stage, number)
        target = stage_target(picture)
        yield Ask(key, gate, target), picture.progress.gates.get((key, target.key))


def stage_target(picture: Picture) -> Target:
    """Return what a stage's gate looks at: the instances of the target revision that have traffic."""
    plan = picture.plan
    instances = {
        name: instance.addresses
        for name, instance in picture.instances.items()
        if instance.revision == plan.target and (picture.weight(name) > 0 or not picture.carries_traffic)
    }
    return Target(plan.service.name, plan.revisions[plan.target].version, plan.target, "", plan.entrances, instances)


def due_action(picture: Picture) -> Perform | None:
    """Return the action that is due: one at a time, and where everything stops for it, when it has."""
    if not picture.pending_actions or not picture.progress.begun or others_gone(picture) is not None:
        return None
    number = picture.pending_actions[0]
    return Perform(number, picture.stage.actions[number])
