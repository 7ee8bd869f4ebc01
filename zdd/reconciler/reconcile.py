"""`reconcile`: decide what may be done next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.gate import Target
from zdd.model.in_place import UpdateOrder
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan
from zdd.model.service import Overlap
from zdd.model.traffic import Registration
from zdd.model.verdict import Result
from zdd.reconciler.crashing import crash_failure
from zdd.reconciler.decision import Ask, Decision, Perform
from zdd.reconciler.guards import GUARDS, Guard, Hold, Refusal, Release, Shift, Tally, Traffic, permit, route_awaited
from zdd.reconciler.learn import steady_at_s
from zdd.reconciler.picture import PROOF_VALID_S, Picture
from zdd.reconciler.progress import GateRecord, Passed, Progress, TrafficReached, admission_key, stage_key

REPROVE_S = PROOF_VALID_S / 3
"""How often an instance that has passed its gates is looked at again."""

PAUSE_LEAST_S = 0.05
"""How long a gate rests at least between two looks, whatever it says itself."""

CLEAR_AWAY_S = 30.0
"""What clearing away may take beyond the drain, the grace period and the settling time."""


def reconcile(
    observation: Observation, plan: Plan, progress: Progress, now: float, guards: Sequence[Guard] = GUARDS
) -> Decision:
    """Return what may be done now so that the world gets nearer to the stage's goals.

    Args:
        observation: The present look, begun after the last command was answered.
        plan: What is wanted.
        progress: The evidence so far, the present look included (`learn`).
        now: Seconds since the epoch.
        guards: The safe order; another one than `GUARDS` only serves to test the tests.
    """
    picture = Picture(observation, plan, progress, now)
    due, asleep_s = _asks(picture)
    useful = len(picture.useful) if picture.measured else None
    complete = tuple(goal.cell for goal in picture.goals.values() if goal.replicas and picture.complete(goal))
    decision = Decision(
        asks=tuple(due), perform=_perform(picture), complete=complete, useful=useful, existing=picture.existing
    )
    failed = _failure(picture)
    if failed:
        return evolve(decision, failed=failed)
    commands, refusals, traffic_waits = _commands(picture, guards)
    if commands:
        return evolve(decision, commands=commands, waits=refusals, until_s=now)
    waits = (*_acting(picture, decision), *refusals, *_incomplete(picture), *_unshown(picture), *_holding(picture))
    until_s = min([asleep_s, _deadline_s(picture), *(wait.until_s for wait in waits if wait.until_s > now)])
    decision = evolve(decision, waits=_by_importance(waits), until_s=max(now, until_s))
    if picture.progress.stage < len(plan.stages):
        return decision if traffic_waits else evolve(decision, mark=_mark(picture))
    return evolve(decision, finished=not traffic_waits and _tidy(picture))


# -- what would bring the world nearer --------------------------------------------------------------------------------


def _commands(picture: Picture, guards: Sequence[Guard]) -> tuple[tuple[Command, ...], tuple[Refusal, ...], bool]:
    """Return what may be sent, what has to wait, and whether a change of traffic is among the latter."""
    tally = Tally()
    refusals: list[Refusal] = []
    commands: list[Command] = []
    wanted = picture.wanted
    allowed: list[Traffic] = []
    for proposal in _shifts(picture, wanted):
        refusal = permit(picture, proposal, tally, guards)
        if refusal is None:
            tally = tally.plus(picture, proposal)
            allowed.append(proposal)
        else:
            refusals.append(refusal)
    # The last one in traffic may have to stay there for good: that keeps no stage from being passed.
    traffic_waits = any(refusal.guard != "someone-serves" for refusal in refusals)
    held, held_refusal = _held(picture, guards)
    if held_refusal is not None:
        refusals.append(held_refusal)
    if allowed or held != picture.observation.held:
        commands.append(_route(picture, wanted, allowed, held))
    for command in _cell_commands(picture):
        refusal = permit(picture, command, tally, guards)
        if refusal is None:
            tally = tally.plus(picture, command)
            commands.append(_with_cut(picture, command))
        else:
            refusals.append(refusal)
    return tuple(commands), tuple(refusals), traffic_waits


def _cell_commands(picture: Picture) -> Iterator[Launch | Change | Scale | Retire]:
    goals = picture.goals
    # What clears away comes first, so that it makes room under the ceiling for what is to start.
    for name in sorted(goals, key=lambda name: (goals[name].replicas > 0, name)):
        goal, cell = goals[name], picture.cells.get(name)
        if cell is None:
            if goal.replicas:
                yield Launch(name, goal.revision, goal.replicas)
        elif not goal.replicas and picture.plan.service.overlap is Overlap.FORBIDDEN and cell.replicas:
            yield Scale(name, 0)  # it must have stopped before anything else starts; it is retired when that is passed
        elif picture.stopping:
            continue  # it is stopped, and runs again in this stage
        elif not goal.replicas:
            if (
                cell.replicas
                or not cell.instances
                or any(i.state is not InstanceState.STOPPING for i in cell.instances)
            ):
                yield Retire(name)
        elif goal.in_place is not None:
            if cell.replicas != goal.replicas:
                yield Scale(name, goal.replicas)
            elif cell.revision != goal.revision or cell.changed_to(goal.revision) < goal.in_place.changed:
                yield Change(name, goal.revision, goal.replicas, goal.in_place)
        elif cell.revision != goal.revision or cell.mixed:
            if picture.plan.service.overlap is Overlap.FORBIDDEN and (cell.replicas or cell.instances):
                if cell.replicas:
                    yield Scale(name, 0)
            else:
                yield Change(name, goal.revision, goal.replicas)
        elif cell.replicas != goal.replicas:
            yield Scale(name, goal.replicas)


def _with_cut(picture: Picture, command: Launch | Change | Scale | Retire) -> Command:
    if not isinstance(command, Retire):
        return command
    names = [instance.id for instance in picture.cells[command.cell].instances]
    records = [(name, picture.record(name)) for name in names]
    return evolve(command, cut=tuple(name for name, record in records if record and record.cut_s is not None))


def _shifts(picture: Picture, wanted: Mapping[str, Registration]) -> Iterator[Traffic]:
    # Edges give an instance that is missing its share until it is forgotten, so nobody gets it before.
    missing = {known.cell for name, known in picture.registered.items() if known.weight and name not in picture.located}
    lowered = [Traffic(Shift.LOWER, name, wanted[name].cell) for names in picture.overweight.values() for name in names]
    # A cell that has too much makes room first; in any other what is given up is taken over by those that join it.
    yield from (proposal for proposal in lowered if picture.has_too_much(proposal.cell))
    for name, registration in wanted.items():
        before, after = picture.weight(name), registration.weight
        if after and not before:
            yield Traffic(Shift.ADMIT, name, registration.cell)
        elif after > before and registration.cell in missing:
            continue
        elif after > before:
            yield Traffic(Shift.RAISE, name, registration.cell)
        elif before and not after:
            yield Traffic(Shift.OUT, name, registration.cell)
    yield from (proposal for proposal in lowered if not picture.has_too_much(proposal.cell))
    for name, known in picture.registered.items():
        if name not in wanted:
            yield Traffic(Shift.FORGET, name, known.cell)


def _held(picture: Picture, guards: Sequence[Guard]) -> tuple[bool, Refusal | None]:
    if picture.must_hold:
        if picture.observation.held:
            return True, None
        refusal = permit(picture, Hold(), Tally(), guards)
        return refusal is None, refusal
    if not picture.observation.held:
        return False, None
    refusal = permit(picture, Release(), Tally(), guards)
    return refusal is not None, refusal


def _route(picture: Picture, wanted: Mapping[str, Registration], allowed: Sequence[Traffic], held: bool) -> Route:
    registrations = dict(picture.registered)
    for shift in allowed:
        if shift.shift is Shift.FORGET:
            del registrations[shift.instance]
        else:
            registrations[shift.instance] = wanted[shift.instance]
    return Route(tuple(registrations[name] for name in sorted(registrations)), held)


# -- what is asked beside the driver ----------------------------------------------------------------------------------


def _asks(picture: Picture) -> tuple[list[Ask], float]:
    """Return the gates that are due, and when the next one will be."""
    due, next_s = _admission_asks(picture)
    for ask, record in _stage_asks(picture):
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
    now, due, next_s = picture.now, list[Ask](), float("inf")
    for cell in picture.observation.cells:
        goal = picture.goals.get(cell.name)
        for instance in cell.instances:
            if instance.state is not InstanceState.READY:
                continue
            said = picture.verdicts(instance.id)
            if not said:
                at_s = steady_at_s(picture.plan, instance)
                next_s = min(next_s, at_s if at_s > now else next_s)
            elif _concerns(picture, goal, instance):
                gates = picture.plan.revisions[instance.revision].gates
                for number, record in enumerate(said):
                    pause_s = gates[number].interval_s
                    if record is not None and record.verdict.result is Result.PASSED:
                        pause_s = max(pause_s, REPROVE_S)
                    at_s = _again_s(now, record, pause_s)
                    if at_s <= now:
                        key = admission_key(instance.revision, number)
                        due.append(Ask(key, gates[number], picture.target(instance)))
                    elif at_s < next_s:
                        next_s = at_s
    return due, next_s


def _concerns(picture: Picture, goal: Goal | None, instance: Instance) -> bool:
    if picture.weight(instance.id) > 0:
        return True
    if goal is None or not goal.replicas:
        return False
    if instance.revision != goal.revision:  # in a cell that is changed in place it serves until it is replaced
        return goal.in_place is not None and bool(goal.share)
    return bool(goal.share) or instance.revision == picture.plan.target


def _stage_asks(picture: Picture) -> Iterator[tuple[Ask, GateRecord | None]]:
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
        for name, (_, instance) in picture.located.items()
        if instance.revision == plan.target and (picture.weight(name) > 0 or not picture.carries_traffic)
    }
    return Target(plan.service.name, plan.revisions[plan.target].version, plan.target, "", plan.entrances, instances)


def _perform(picture: Picture) -> Perform | None:
    if not picture.pending_actions or not picture.progress.begun or (picture.stopping and picture.located):
        return None
    number = picture.pending_actions[0]
    return Perform(number, picture.stage.actions[number])


# -- how far it is ----------------------------------------------------------------------------------------------------


def _reached(picture: Picture) -> bool:
    """Tell whether the stage's traffic is where it should be, at every edge, and what should be up is proven."""
    if picture.pending_actions or not picture.progress.begun or route_awaited(picture) is not None:
        return False  # a look from before the last change shows nothing
    for goal in picture.goals.values():
        if not goal.replicas or not picture.answers_for(goal):
            continue
        if not picture.complete(goal):
            return False
        if goal.share and not picture.all_serve(goal):
            return False
    return not picture.carries_traffic or not picture.unlike


def _mark(picture: Picture) -> TrafficReached | Passed | None:
    if not _reached(picture):
        return None
    if picture.progress.reached_s is None:
        return TrafficReached()
    if picture.progress.paused is not None or picture.now < _held_until_s(picture, picture.progress.reached_s):
        return None
    return Passed() if _stage_gates_pass(picture) else None


def _held_until_s(picture: Picture, reached_s: float) -> float:
    return reached_s if picture.progress.promoted else reached_s + picture.stage.hold_s


def _stage_gates_pass(picture: Picture) -> bool:
    return all(record is not None and record.verdict.result is Result.PASSED for _, record in _stage_asks(picture))


def _tidy(picture: Picture) -> bool:
    if any(not goal.replicas and goal.cell in picture.cells for goal in picture.goals.values()):
        return False
    if picture.observation.held or any(name not in picture.located for name in picture.registered):
        return False
    if _leaving(picture):
        return False
    return _reached(picture)


def _leaving(picture: Picture) -> list[str]:
    """Return the instances that are still there although their cell is to run without them."""
    return [
        instance.id
        for cell in picture.observation.cells
        for instance in cell.instances
        if instance.state is InstanceState.STOPPING or instance.revision != cell.revision
    ]


def _deadline_s(picture: Picture) -> float:
    if picture.progress.stage < len(picture.plan.stages):
        return picture.deadline_s
    service = picture.plan.service
    allowed_s = service.drain_deadline_s + service.stop_grace_s + service.settle_s + CLEAR_AWAY_S
    return picture.progress.entered_s + allowed_s


def _failure(picture: Picture) -> str:
    progress = picture.progress
    if progress.failure:
        return progress.failure
    if progress.stage < len(picture.plan.stages):
        reason = _gate_failure(picture) or (_start_failure(picture) if picture.forward else "")
        if reason:
            return reason
    deadline_s = _deadline_s(picture)
    if picture.now < deadline_s:
        return ""
    waits = [*_commands(picture, GUARDS)[1], *_incomplete(picture), *_holding(picture)]
    awaited = "; ".join(wait.reason for wait in _by_importance(waits)[:3]) or "the edges to show it"
    return f"not reached within {deadline_s - progress.entered_s:g} s, still waiting for: {awaited}"


def _gate_failure(picture: Picture) -> str:
    progress = picture.progress
    for ask, record in _stage_asks(picture):
        if record is None:
            continue
        if record.verdict.result is Result.FAILED:
            return f"gate {ask.gate} failed: {record.verdict.reason}"
        patience_s = ask.gate.deadline_s
        since_s = max(record.asked_s, record.passed_s or 0.0)
        if record.verdict.result is Result.PASSED or patience_s is None or progress.paused is not None:
            continue
        if picture.now >= since_s + patience_s + progress.stood_s:
            return f"gate {ask.gate} did not pass within {patience_s:g} s: {record.verdict.reason}"
    return ""


def _start_failure(picture: Picture) -> str:
    patience_s = picture.plan.service.start_deadline_s
    for goal in picture.goals.values():
        cell = picture.cells.get(goal.cell)
        since_s = _starting_since_s(picture, goal, cell)
        if since_s is None or picture.complete(goal):
            continue
        stops_first = goal.in_place is not None and goal.in_place.order is UpdateOrder.STOP_FIRST
        before_s = picture.plan.service.stop_grace_s if stops_first else 0.0  # it starts when the old one has stopped
        for instance in cell.instances if cell else ():
            reason = picture.condemned.get(instance.id) or crash_failure(picture, goal, instance, since_s)
            if reason:
                return f"{instance.id}: {reason}"
        if picture.now >= since_s + before_s + patience_s:
            return f"{goal.cell} was not ready and proven within {patience_s:g} s: {_state_of(picture, cell)}"
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


# -- words for what is awaited ----------------------------------------------------------------------------------------


def _incomplete(picture: Picture) -> list[Refusal]:
    found = []
    for goal in picture.goals.values():
        cell = picture.cells.get(goal.cell)
        if cell is not None and goal.replicas and cell.revision != goal.revision:
            continue  # what keeps it from being changed is among the refusals
        if goal.replicas and picture.answers_for(goal) and not picture.complete(goal):
            told = picture.progress.told.get(goal.cell)
            until_s = told.at_s + picture.plan.service.start_deadline_s if told else _deadline_s(picture)
            found.append(Refusal("start", f"{goal.cell}: {_state_of(picture, cell)}", until_s))
        elif not goal.replicas and cell is not None and not cell.replicas:
            found.append(Refusal("stop", f"{goal.cell} to stop", _deadline_s(picture)))
    if not found and picture.progress.stage >= len(picture.plan.stages):
        found.extend(Refusal("stop", f"{name} to stop", _deadline_s(picture)) for name in _leaving(picture))
    if not found and picture.carries_traffic:
        found.extend(
            Refusal("edge", f"{edge} to show the traffic as it was told", _deadline_s(picture))
            for edge in picture.unlike
        )
    return found


def _state_of(picture: Picture, cell: Cell | None) -> str:
    if cell is None:
        return "not there yet"
    for instance in cell.instances:
        if picture.proven(instance.id) or instance.revision != cell.revision:
            continue
        verdicts = [record.verdict for record in picture.verdicts(instance.id) if record is not None]
        why = next((one.reason for one in verdicts if one.result is not Result.PASSED), instance.note)
        state = "has failed" if instance.state is InstanceState.FAILED else f"is {instance.state.value}"
        return f"{instance.id} {state}" + (f", {why}" if why else "")
    return f"{picture.proven_in(cell)} of {cell.replicas} proven"


def _acting(picture: Picture, decision: Decision) -> list[Refusal]:
    if decision.perform is None:
        return []
    return [Refusal("action", f"action {decision.perform.action.name} to end", _deadline_s(picture))]


def _unshown(picture: Picture) -> list[Refusal]:
    awaited = route_awaited(picture)
    return [] if awaited is None else [Refusal("not-repeated", *awaited)]


def _holding(picture: Picture) -> list[Refusal]:
    reached_s = picture.progress.reached_s
    if picture.progress.stage >= len(picture.plan.stages):
        return []
    found = _paused(picture)
    if reached_s is None:
        return found
    for ask, record in _stage_asks(picture):
        if record is None or record.verdict.result is not Result.PASSED:
            why = f": {record.verdict.reason}" if record and record.verdict.reason else ""
            patience_s = ask.gate.deadline_s
            until_s = _deadline_s(picture) if patience_s is None or record is None else record.asked_s + patience_s
            found.append(Refusal("gate", f"gate {ask.gate}{why}", until_s))
    until_s = _held_until_s(picture, reached_s)
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


_IMPORTANCE = ("settled", "start", "drained", "gate", "pause", "hold", "edge", "stop")


def _by_importance(waits: Sequence[Refusal]) -> tuple[Refusal, ...]:
    order = {name: number for number, name in enumerate(_IMPORTANCE)}
    return tuple(sorted(dict.fromkeys(waits), key=lambda wait: order.get(wait.guard, len(order))))
