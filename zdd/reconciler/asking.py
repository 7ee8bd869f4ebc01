"""What is asked beside the driver: the gates that are due, and the action of a stage. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from zdd.model.cell import Instance, InstanceState
from zdd.model.gate import Target
from zdd.model.plan import Goal
from zdd.model.verdict import Result
from zdd.reconciler.decision import Ask, Perform
from zdd.reconciler.guards import others_gone
from zdd.reconciler.learn import steady_at_s
from zdd.reconciler.picture import PROOF_VALID_S, Picture
from zdd.reconciler.progress import GateRecord, admission_key, stage_key

REPROVE_S = PROOF_VALID_S / 3
"""How often an instance that has passed its gates is looked at again."""

PAUSE_LEAST_S = 0.05
"""How long a gate rests at least between two looks, whatever it says itself."""


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


def _pauses_s(picture: Picture) -> dict[str, list[tuple[float, float]]]:
    """Return, by revision, for how long each of its gates rests at an instance: after it passed, and otherwise."""
    return {
        name: [(max(gate.interval_s, REPROVE_S), max(gate.interval_s, PAUSE_LEAST_S)) for gate in revision.gates]
        for name, revision in picture.plan.revisions.items()
    }


def _admission_asks(picture: Picture) -> tuple[list[Ask], float]:
    """Return the gates of instances that are due, and when the next one will be, or a worker counts as steady."""
    now, due, next_s = picture.now, list[Ask](), float("inf")
    ready, passed, weights, pauses_s = InstanceState.READY, Result.PASSED, picture.weights, _pauses_s(picture)
    for cell in picture.observation.cells:
        goal = picture.goals.get(cell.name)
        for instance in cell.instances:
            if instance.state is not ready:
                continue
            said = picture.verdicts(instance.id)
            if not said:
                at_s = steady_at_s(picture.plan, instance)
                next_s = min(next_s, at_s if at_s > now else next_s)
            elif weights.get(instance.id, 0) > 0 or _concerns(picture, goal, instance):
                for number, record in enumerate(said):
                    after_pass_s, else_s = pauses_s[instance.revision][number]
                    at_s = now
                    if record is not None:
                        at_s = record.looked_s + (after_pass_s if record.verdict.result is passed else else_s)
                    if at_s <= now:
                        due.append(_ask(picture, instance, number))
                    elif at_s < next_s:
                        next_s = at_s
    return due, next_s


def _ask(picture: Picture, instance: Instance, number: int) -> Ask:
    gate = picture.plan.revisions[instance.revision].gates[number]
    return Ask(admission_key(instance.revision, number), gate, picture.target(instance))


def _concerns(picture: Picture, goal: Goal | None, instance: Instance) -> bool:
    """Tell whether an instance without traffic may get some."""
    if goal is None or not goal.replicas:
        return False
    if instance.revision != goal.revision:  # in a cell that is changed in place it serves until it is replaced
        return goal.in_place is not None and bool(goal.share)
    return bool(goal.share) or instance.revision == picture.plan.target


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
