"""`reconcile`: decide what may be done next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.model.traffic import Registration
from zdd.model.verdict import Result
from zdd.reconciler.asking import due_action, due_gates, stage_asks
from zdd.reconciler.awaited import (
    acting,
    by_importance,
    deadline_s,
    held_until_s,
    holding,
    incomplete,
    leaving,
    unshown,
)
from zdd.reconciler.commands import permitted
from zdd.reconciler.decision import Decision
from zdd.reconciler.failing import failure
from zdd.reconciler.guard import Guard
from zdd.reconciler.guards import GUARDS, route_awaited
from zdd.reconciler.memory import Memory
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import Passed, Progress, TrafficReached


def reconcile(
    observation: Observation,
    plan: Plan,
    progress: Progress,
    now: float,
    guards: Sequence[Guard] = GUARDS,
    memory: Memory | None = None,
) -> Decision:
    """Return what may be done now so that the world gets nearer to the stage's goals.

    Args:
        observation: The present look, begun after the last command was answered.
        plan: What is wanted.
        progress: The evidence so far, the present look included (`learn`).
        now: Seconds since the epoch.
        guards: The safe order; another one than `GUARDS` only serves to test the tests.
        memory: That of the last decision, if there was one: with it the same is decided sooner.
    """
    picture = Picture(observation, plan, progress, now, memory)
    due, asleep_s = due_gates(picture)
    perform = due_action(picture)
    decision = partial(
        Decision,
        asks=tuple(due),
        perform=perform,
        complete=tuple([goal.cell for goal in picture.goals.values() if goal.replicas and picture.complete(goal)]),
        useful=len(picture.useful) if picture.all_cells.measured else None,
        existing=picture.existing,
        memory=picture.to_remember(),
    )
    failed = failure(picture)
    if failed:
        return decision(failed=failed)
    commands, refusals, traffic_waits = permitted(picture, guards)
    if commands:
        return decision(commands=commands, waits=refusals, until_s=now)
    waits = (*acting(picture, perform), *refusals, *incomplete(picture), *unshown(picture), *holding(picture))
    until_s = min([asleep_s, deadline_s(picture), *[wait.until_s for wait in waits if wait.until_s > now]])
    decision = partial(decision, waits=by_importance(waits), until_s=max(now, until_s))
    if picture.progress.stage < len(plan.stages):
        return decision(mark=None if traffic_waits else _mark(picture))
    return decision(finished=not traffic_waits and _tidy(picture))


# -- how far it is ----------------------------------------------------------------------------------------------------


def _reached(picture: Picture) -> bool:
    """Tell whether the stage's traffic is where it should be, at every edge, and what should be up is proven."""
    if picture.pending_actions or not picture.progress.begun or _may_be_older(picture):
        return False
    for goal in picture.goals.values():
        if not goal.replicas or not picture.answers_for(goal):
            continue
        if not picture.complete(goal):
            return False
        if goal.share and not picture.all_serve(goal):
            return False
    return not picture.carries_traffic or not picture.unlike


def _may_be_older(picture: Picture) -> bool:
    """Tell whether what is seen may be from before the last change of what the stage waits for: then it shows nothing.

    What comes and goes may do so for ever, and each time discovery is told: for that the stage does not wait.
    """
    if route_awaited(picture) is None:
        return False
    routed, shown = picture.progress.routed, picture.registered
    if routed is None or not picture.passing or routed.held != picture.observation.held:
        return True
    told = {one.instance: one for one in routed.registrations}
    changed = [one for name, one in {**shown, **told}.items() if _weight(shown, name) != _weight(told, name)]
    return not all(one.cell in picture.passing for one in changed)


def _weight(registrations: Mapping[str, Registration], name: str) -> int | None:
    return registrations[name].weight if name in registrations else None


def _mark(picture: Picture) -> TrafficReached | Passed | None:
    if not _reached(picture):
        return None
    reached_s, paused = picture.progress.reached_s, picture.progress.paused is not None
    if reached_s is None:
        # Where nothing more is waited for, it is passed by that.
        return TrafficReached() if paused or picture.stage.gates or picture.stage.hold_s else Passed()
    if paused or picture.now < held_until_s(picture, reached_s):
        return None
    return Passed() if _stage_gates_pass(picture) else None


def _stage_gates_pass(picture: Picture) -> bool:
    return all(record is not None and record.verdict.result is Result.PASSED for _, record in stage_asks(picture))


def _tidy(picture: Picture) -> bool:
    if picture.now < picture.progress.settles_s:  # a request without an answer may still leave something
        return False
    if any(not goal.replicas and goal.cell in picture.cells for goal in picture.goals.values()):
        return False
    if picture.observation.held or picture.unlisted:
        return False
    if leaving(picture):
        return False
    return _reached(picture)
