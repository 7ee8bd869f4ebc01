"""From a strategy and what is observed to a plan; and from a failed plan to the one that takes it back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from zdd.errors import ConfigurationError
from zdd.model.address import Address
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
    retreat = origin if retreat is None else tuple(retreat)
    shares = {goal.cell: goal.share for goal in origin}
    situation = Situation(service, target, observation.cells, shares, divide(service.replicas, cells), holds)
    stages = tuple(strategy.stages(situation))
    if not stages:
        raise ConfigurationError(f"{strategy} has no stage for {service.name}: a strategy returns at least one")
    for stage in stages:
        check_ports(service, stage.gates)
    before = sum(goal.replicas for goal in origin if goal.share)
    existing = sum(cell.size for cell in observation.cells)
    known = {name: revision for name, revision in revisions.items() if _mentioned(name, origin, retreat)}
    return check_plan(
        Plan(
            service=service,
            target=target.id,
            revisions={**known, target.id: target},
            origin=origin,
            stages=stages,
            floor=min(service.agreed_floor, before, service.replicas),
            ceiling=max(existing, service.replicas + strategy.surge(situation)),
            entrances=dict(entrances or {}),
            retreat=tuple(retreat),
            strategy=str(strategy),
        )
    )


def _mentioned(revision: str, *lists: Sequence[Goal]) -> bool:
    return any(goal.revision == revision for goals in lists for goal in goals)


def observed_goals(service: Service, observation: Observation) -> tuple[Goal, ...]:
    """Return what every observed cell is now, as goals."""
    weights: dict[str, int] = {}
    for registration in observation.registrations:
        weights[registration.cell] = weights.get(registration.cell, 0) + registration.weight
    goals = []
    for cell in observation.cells:
        share = weights.get(cell.name, 0) if service.exposures else full_share(service, cell.replicas)
        goals.append(Goal(cell.name, cell.revision, cell.replicas, share if cell.replicas else 0))
    return tuple(goals)


def make_retreat(plan: Plan, observation: Observation, told: Sequence[str] = ()) -> Plan:
    """Return the plan that takes a failed one back: from what is observed now to where the deployment came from.

    In its first stage the reconciler takes the new instances out of traffic as soon as the floor allows, starts again
    what is missing, and clears away what is not wanted. Where nothing would be left above the floor to begin with, a
    spare cell of the old revision serves meanwhile, and goes in a second stage. No gate of a stage and no hold time
    applies, only the gates of the instances.

    Args:
        plan: What failed.
        observation: What runs now.
        told: Cells that were told something: one that is not seen yet may still come into being.
    """
    service = plan.service
    if plan.exposures_before is not None:
        service = evolve(service, exposures=plan.exposures_before)
    current = observed_goals(service, observation)
    wanted = {goal.cell: goal for goal in plan.retreat if goal.replicas}
    target = max(wanted.values(), key=lambda goal: goal.replicas).revision if wanted else plan.target
    floor = min(plan.floor, sum(goal.replicas for goal in wanted.values() if goal.share))
    spare = _spare(service, current, wanted, target, floor)
    gone = [Goal(goal.cell, goal.revision, 0, 0) for goal in current if goal.cell not in wanted]
    seen = {*wanted, *(goal.cell for goal in current)}
    gone += [Goal(name, plan.target, 0, 0) for name in told if name not in seen]
    allowed_s = service.start_deadline_s + service.drain_deadline_s + service.stop_grace_s + service.settle_s
    rounds = 1 + len(wanted)  # with one spare cell, the cells come back one after the other
    back = Stage(
        "take back",
        (*spare, *wanted.values(), *gone),
        deadline_s=allowed_s * rounds + 30.0,
        on_failure=OnFailure.FREEZE,
        held=plan.stages[0].held,
    )
    away = Stage(
        "retire the spare cell",
        tuple(Goal(goal.cell, goal.revision, 0, 0) for goal in spare),
        deadline_s=allowed_s + 30.0,
        on_failure=OnFailure.FREEZE,
    )
    existing = sum(cell.size for cell in observation.cells)
    return Plan(
        service=service,
        target=target,
        revisions=plan.revisions,
        origin=current,
        stages=(back, away) if spare else (back,),
        floor=floor,
        ceiling=max(plan.ceiling, existing + sum(goal.replicas for goal in spare)),
        entrances=plan.entrances,
        strategy=plan.strategy,
        direction=Direction.BACK,
    )


def _spare(
    service: Service, current: Sequence[Goal], wanted: Mapping[str, Goal], target: str, floor: int
) -> tuple[Goal, ...]:
    """Return the spare cell that going back needs, if any: cells that are changed in place leave traffic meanwhile."""
    if service.overlap is Overlap.FORBIDDEN:
        return ()
    changed = [goal.replicas for goal in current if goal.share and _differs(goal, wanted.get(goal.cell))]
    there = {goal.cell for goal in current}
    room = sum(goal.replicas for goal in current if goal.share) - floor
    room += sum(goal.replicas for name, goal in wanted.items() if name not in there)
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
