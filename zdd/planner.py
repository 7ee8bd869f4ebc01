"""From a strategy and what is observed to a plan; and from a failed plan to the one that takes it back. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from attrs import evolve

from zdd.errors import ConfigurationError
from zdd.model.action import Action
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.names import check_text
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, OnFailure, Plan, Stage, check_plan
from zdd.model.release import Revision
from zdd.model.service import Overlap, Service, check_ports
from zdd.strategies.situation import Situation, Strategy, divide, fresh_names, full_share

REMOVAL = "removal"
"""What a plan that takes a service out calls its strategy."""


def make_plan(
    service: Service,
    target: Revision,
    observation: Observation,
    strategy: Strategy,
    *,
    revisions: Mapping[str, Revision],
    retreat: Sequence[Goal] | None = None,
    entrances: Mapping[str, Address] | None = None,
    cells: int,
    holds: bool = False,
) -> Plan:
    """Return the plan that a strategy makes of what is observed now.

    Args:
        service: How the service wants to be treated.
        target: The revision that is to run.
        observation: What runs now.
        strategy: What should happen.
        revisions: Every revision that runs now, or that going back may have to launch, by id.
        retreat: Where going back leads; None: to what is observed now.
        entrances: Port name → the stable address at the edges.
        cells: Into how many cells the instances are divided.
        holds: Every edge can hold requests back.

    Raises:
        ConfigurationError: The strategy can't do it, or its plan can't be carried out. Nothing was touched.
    """
    origin = observed_goals(service, observation)
    retreat = _unmixed(origin, observation) if retreat is None else tuple(retreat)
    shares = {goal.cell: goal.share for goal in origin}
    parts = divide(service.replicas, cells)
    situation = Situation(service, target, observation.cells, shares, parts, holds, observation.held)
    stages = _stages_of(strategy, situation)
    for stage in stages:
        check_ports(service, stage.gates)
    before = sum(goal.replicas for goal in origin if goal.share)
    batch = max(sum(goal.in_place.batch for goal in stage.goals if goal.in_place is not None) for stage in stages)
    floor = min(service.agreed_floor, before, service.replicas)
    if batch:  # what is replaced in place counts as lost from when it leaves traffic until the new one is admitted
        floor = min(floor, max(0, min(before, service.replicas) - batch))
    existing = sum(cell.size for cell in observation.cells)
    run = {instance.revision for instance in observation.instances()}
    known = {name: one for name, one in revisions.items() if name in run or _mentioned(name, origin, retreat)}
    return check_plan(
        Plan(
            service=service,
            target=target.id,
            revisions={**known, target.id: target},
            origin=origin,
            stages=stages,
            floor=floor,
            ceiling=max(existing, service.replicas + _surge_of(strategy, situation)),
            entrances=dict(entrances or {}),
            retreat=tuple(retreat),
            strategy=str(strategy),
            holds=holds,
            beside=getattr(strategy, "beside", False),
        )
    )


def _stages_of(strategy: Strategy, situation: Situation) -> tuple[Stage, ...]:
    """Return the stages of a strategy, which may be a user's own."""
    found: object = strategy.stages(situation)
    stages = tuple(found) if isinstance(found, Iterable) else (found,)
    for stage in stages:
        if not isinstance(stage, Stage) or not isinstance(found, Iterable):
            raise ConfigurationError(f"{strategy} returned {found!r}: stages() returns zdd.Stage objects, in a tuple")
        for goal in stage.goals:
            check_text(f"the cell of a goal of {strategy}", goal.cell)
            check_text(f"the revision of a goal of {strategy}", goal.revision)
    if not stages:
        name = situation.service.name
        raise ConfigurationError(f"{strategy} has no stage for {name}: a strategy returns at least one")
    return stages


def _surge_of(strategy: Strategy, situation: Situation) -> int:
    surge: object = strategy.surge(situation)
    if not isinstance(surge, int):
        raise ConfigurationError(f"{strategy} has the surge {surge!r}: surge() returns a whole number of instances")
    return surge


def _mentioned(revision: str, *lists: Sequence[Goal]) -> bool:
    return any(goal.revision == revision for goals in lists for goal in goals)


def _unmixed(origin: Sequence[Goal], observation: Observation) -> tuple[Goal, ...]:
    """Return where going back from these leads: a cell that was left half changed goes to what most of it runs."""
    goals = []
    for goal in origin:
        cell = observation.cell(goal.cell)
        if cell is not None and cell.mixed:
            ready = [instance.revision for instance in cell.instances if instance.state is InstanceState.READY]
            goal = evolve(goal, revision=max(sorted({*ready, goal.revision}), key=ready.count), in_place=None)
        goals.append(goal)
    return tuple(goals)


def observed_goals(service: Service, observation: Observation) -> tuple[Goal, ...]:
    """Return what every observed cell is now, as goals."""
    weights: dict[str, int] = {}
    for registration in observation.registrations:
        weights[registration.cell] = weights.get(registration.cell, 0) + registration.weight
    goals = []
    for cell in observation.cells:
        share = weights.get(cell.name, 0) if service.exposures else full_share(service, cell.replicas)
        # All instances of a cell that was left half changed go on serving until it is said what is to become of it.
        in_place = InPlace(cell.changed_to(cell.revision)) if cell.mixed and cell.replicas else None
        goals.append(Goal(cell.name, cell.revision, cell.replicas, share if cell.replicas else 0, in_place))
    return tuple(goals)


def make_retreat(plan: Plan, observation: Observation, told: Sequence[str] = (), undo: Sequence[Action] = ()) -> Plan:
    """Return the plan that takes a failed one back: from what is observed now to where the deployment came from.

    In its first stage the reconciler takes the new instances out of traffic as soon as the floor allows, starts again
    what is missing, and clears away what is not wanted. Where nothing would be left above the floor to begin with, a
    spare cell of the old revision serves meanwhile, and goes in a second stage. No gate of a stage and no hold time
    applies, only the gates of the instances.

    Where something has to be undone, everything is stopped for it, and only then starts again as it was.

    Args:
        plan: What failed.
        observation: What runs now.
        told: Cells that were told something: one that is not seen yet may still come into being.
        undo: What is done while nothing of the service runs, in this order.
    """
    service = plan.service if not undo else evolve(plan.service, overlap=Overlap.FORBIDDEN, floor=None)
    if plan.exposures_before is not None:
        service = evolve(service, exposures=plan.exposures_before)
    current = observed_goals(service, observation)
    wanted = {goal.cell: goal for goal in plan.retreat if goal.replicas}
    target = max(wanted.values(), key=lambda goal: goal.replicas).revision if wanted else plan.target
    floor = 0 if undo else min(plan.floor, sum(goal.replicas for goal in wanted.values() if goal.share))
    spare = _spare(service, current, wanted, target, floor)
    gone = [Goal(goal.cell, goal.revision, 0, 0) for goal in current if goal.cell not in wanted]
    seen = {*wanted, *(goal.cell for goal in current)}
    gone += [Goal(name, plan.target, 0, 0) for name in told if name not in seen]
    allowed_s = service.start_deadline_s + service.drain_deadline_s + service.stop_grace_s + service.settle_s
    in_place = _in_place(plan)
    if in_place is not None and not undo:
        return _retreat_in_place(evolve(plan, service=service), in_place, observation, gone, allowed_s)
    stages = _stages_back(plan, (*spare, *wanted.values(), *gone), spare, undo, allowed_s, rounds=1 + len(wanted))
    existing = sum(cell.size for cell in observation.cells)
    return Plan(
        service=service,
        target=target,
        revisions=plan.revisions,
        origin=current,
        stages=stages,
        floor=floor,
        ceiling=max(plan.ceiling, existing + sum(goal.replicas for goal in spare)),
        entrances=plan.entrances,
        strategy=plan.strategy,
        direction=Direction.BACK,
        holds=plan.holds,
        stated=plan.agreed if undo else plan.stated,
    )


def _stages_back(
    plan: Plan, goals: tuple[Goal, ...], spare: Sequence[Goal], undo: Sequence[Action], allowed_s: float, *, rounds: int
) -> tuple[Stage, ...]:
    """Return the stages of going back: with one spare cell, the cells come back one after the other, in rounds."""
    back = Stage(
        "take back",
        goals,
        actions=undo,
        deadline_s=allowed_s * (rounds + bool(undo)) + sum(action.deadline_s for action in undo) + 30.0,
        on_failure=OnFailure.FREEZE,
        held=plan.holds if undo else plan.stages[0].held,
        stopped=bool(undo),
    )
    away = Stage(
        "retire the spare cell",
        tuple(Goal(goal.cell, goal.revision, 0, 0) for goal in spare),
        deadline_s=allowed_s + 30.0,
        on_failure=OnFailure.FREEZE,
    )
    return (back, away) if spare else (back,)


def _in_place(plan: Plan) -> InPlace | None:
    """Return how the plan replaces instances that serve, if it does."""
    found = [goal.in_place for stage in plan.stages for goal in stage.goals if goal.in_place is not None]
    return max(found, key=lambda one: one.batch, default=None)


def _retreat_in_place(
    plan: Plan, in_place: InPlace, observation: Observation, gone: Sequence[Goal], allowed_s: float
) -> Plan:
    """Return the plan that takes back what was done in place, in place as well, batch by batch.

    The batch that failed may serve nobody while the next one is replaced, so the floor is lower by another batch.
    """
    batch = in_place.batch
    wanted = {goal.cell: goal for goal in plan.retreat if goal.replicas}
    first: list[Goal] = list(gone)
    later: list[Goal] = []
    for name, goal in wanted.items():
        cell = observation.cell(name)
        if cell is None:
            first.append(goal)
            continue
        replicas = max(goal.replicas, cell.replicas)  # none of those that serve is stopped for its number
        done = min(cell.changed_to(goal.revision), replicas - 1)
        for before in range(done, replicas, batch):
            so_far = evolve(in_place, changed=min(before + batch, replicas))
            later.append(Goal(name, goal.revision, replicas, goal.share, so_far))
    deadline_s = allowed_s * 2 + 30.0
    steps: list[tuple[Goal, ...]] = [(*first, *later[:1]), *((goal,) for goal in later[1:])]
    stages = [Stage("take back", goals, deadline_s=deadline_s, on_failure=OnFailure.FREEZE) for goals in steps]
    target = max(wanted.values(), key=lambda goal: goal.replicas).revision if wanted else plan.target
    existing = sum(cell.size for cell in observation.cells)
    return evolve(
        plan,
        target=target,
        origin=observed_goals(plan.service, observation),
        stages=tuple(stages),
        floor=max(plan.floor - batch, min(1, plan.floor)),
        ceiling=max(plan.ceiling, existing) + (batch if in_place.order is UpdateOrder.START_FIRST else 0),
        retreat=(),
        exposures_before=None,
        direction=Direction.BACK,
        warnings=(),
    )


def undoing(plan: Plan, stage: int, done: Container[str]) -> tuple[Action, ...]:
    """Return what undoes the actions, last first, if going back leaves changed data.

    Args:
        plan: What is taken back.
        stage: How many of its stages have passed.
        done: The names of the actions of the stage after those that were done: what that stage starts may have run.
    """
    kept = {goal.revision for goal in plan.retreat}
    left = {plan.target, *(goal.revision for goal in plan.origin)} - kept
    if not any(plan.revisions[name].changes_data for name in left if name in plan.revisions):
        return ()
    acted = [action for step in plan.stages[:stage] for action in step.actions]
    if stage < len(plan.stages):
        acted += [action for action in plan.stages[stage].actions if action.name in done]
    undo = [getattr(action, "undo", None) for action in acted]
    return tuple(action for action in reversed(undo) if action is not None)


def _spare(
    service: Service, current: Sequence[Goal], wanted: Mapping[str, Goal], target: str, floor: int
) -> tuple[Goal, ...]:
    """Return the spare cell that going back needs, if any: cells that are changed in place leave traffic meanwhile."""
    if service.overlap is Overlap.FORBIDDEN:
        return ()
    changed = [goal.replicas for goal in current if goal.share and _differs(goal, wanted.get(goal.cell))]
    there = {goal.cell for goal in current}
    room = sum(goal.replicas for goal in current if goal.share) - floor
    room += sum(goal.replicas for name, goal in wanted.items() if goal.share and name not in there)
    missing = max(changed, default=0) - max(room, 0)
    if missing <= 0:
        return ()
    name = fresh_names(service, {*there, *wanted}, 1)[0]
    return (Goal(name, target, missing, full_share(service, missing)),)


def _differs(goal: Goal, wanted: Goal | None) -> bool:
    return wanted is not None and (goal.revision != wanted.revision or goal.replicas > wanted.replicas)


def make_removal(service: Service, observation: Observation, revisions: Mapping[str, Revision]) -> Plan:
    """Return the plan that takes a service out: all traffic ends, everything drains, and everything is stopped."""
    origin = observed_goals(service, observation)
    allowed_s = service.drain_deadline_s + service.stop_grace_s + service.settle_s + 30.0
    gone = tuple(Goal(goal.cell, goal.revision, 0, 0) for goal in origin)
    target = origin[0].revision if origin else next(iter(revisions), "")
    return Plan(
        service=service,
        target=target,
        revisions={name: one for name, one in revisions.items() if name == target or _mentioned(name, origin)},
        origin=origin,
        stages=(Stage("remove", gone, deadline_s=allowed_s, on_failure=OnFailure.FREEZE),),
        floor=0,
        ceiling=sum(cell.size for cell in observation.cells),
        strategy=REMOVAL,
    )
