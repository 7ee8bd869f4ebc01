"""Checks every command against what its deployer could last see, and against what is true."""

from __future__ import annotations

from collections.abc import Mapping

from zdd.model.cell import InstanceState
from zdd.model.command import Change, Launch, Retire, Route, Scale
from zdd.model.evolve import evolve
from zdd.model.plan import Goal
from zdd.model.service import Overlap
from zdd.reconciler.guards import REPEAT_AFTER_S
from zdd.simulation.invariants import Invariant
from zdd.simulation.process import Look, Process
from zdd.simulation.watch import Watch, staying, weights_of


def check_command(watch: Watch, process: Process, command: object) -> None:
    """Look at a command that is about to be sent."""
    if isinstance(command, Route):
        watch.routed[weights_of(command.registrations)] = process
    if process.plan is None or process.look is None:
        return
    now_s = watch.world.clock.now()
    if now_s < process.in_doubt_s:
        watch.say(Invariant.IN_DOUBT, f"{type(command).__name__} was sent before a request without an answer settled")
    if isinstance(command, Route):
        _route(watch, process, process.look, command)
    elif isinstance(command, Launch | Change | Scale | Retire):
        _cell(watch, process, process.look, command)


def _cell(watch: Watch, process: Process, look: Look, command: Launch | Change | Scale | Retire) -> None:
    _repeated(watch, process, command.cell, command)
    if isinstance(command, Retire):
        _judged(watch, process, command)
    _keeps_ceiling(watch, process, look, command)
    cell = watch.world.cells.get(watch.service.name, command.cell)
    if cell is None or isinstance(command, Launch):
        return
    victims = set()
    if isinstance(command, Change):
        victims = {one.id for one in cell.staying() if one.revision != command.revision}
    elif isinstance(command, Retire) or command.replicas < cell.replicas:
        victims = {one.id for one in cell.staying()}
    _keeps_floor(watch, process, look, victims, command)


def _keeps_floor(watch: Watch, process: Process, look: Look, lost: set[str], command: object) -> None:
    plan = process.plan
    if plan is None or not lost & look.surely or process.interfered:
        return
    left, least = len(look.maybe - lost), min(plan.floor, len(look.surely))
    if left < least:
        what = f"{type(command).__name__} takes {', '.join(sorted(lost & look.surely))}"
        watch.say(Invariant.COMMAND_KEEPS_FLOOR, f"{what} and leaves {left} of {len(look.surely)}, {least} must serve")


def _keeps_ceiling(watch: Watch, process: Process, look: Look, command: Launch | Change | Scale | Retire) -> None:
    """Check that nothing is started for which there is no room, by what the deployer could last see."""
    plan, before = process.plan, look.sizes.get(command.cell, 0)
    if plan is None or look.stale or isinstance(command, Retire) or command.replicas <= before:
        return
    process.look = evolve(look, sizes={**look.sizes, command.cell: command.replicas})
    total = sum(process.look.sizes.values())
    if total > plan.ceiling:
        name = type(command).__name__
        watch.say(Invariant.CEILING, f"{name} of {command.cell} makes {total} instances, the ceiling is {plan.ceiling}")


def _repeated(watch: Watch, process: Process, key: str, command: object) -> None:
    now_s = watch.world.clock.now()
    before, at_s = process.told.get(key, (None, 0.0))
    intent = (type(command), command.cell) if isinstance(command, Retire) else command
    if intent == before and now_s < at_s + REPEAT_AFTER_S and not process.interfered:
        watch.say(Invariant.NOT_REPEATED, f"{type(command).__name__} of {key} again after {now_s - at_s:.2f} s")
    process.told[key], process.last_key = (intent, now_s), key


def _judged(watch: Watch, process: Process, command: Retire) -> None:
    plan = process.plan
    if plan is None or not process.forward:
        return
    goal = plan.goals_at(process.passed - 1).get(command.cell)
    if goal is not None and goal.replicas:
        watch.say(Invariant.RETREAT_OPEN, f"{command.cell} is retired before the stage that gives it up has passed")


def _route(watch: Watch, process: Process, look: Look, command: Route) -> None:
    weights = {one.instance: one.weight for one in command.registrations}
    existing = watch.world.cells.existing
    out = {name for name, weight in look.weights.items() if weight and not weights.get(name)}
    lost = {name for name in out if name in existing}
    admitted = [one for one in command.registrations if one.weight and not look.weights.get(one.instance)]
    _keeps_floor(watch, process, look, lost, command)
    _route_repeated(watch, process, command)
    for name in look.weights:
        if name not in weights and name in existing and existing[name].state is not InstanceState.STOPPING:
            watch.say(Invariant.TIDY, f"{name} is forgotten, though it lives")
    if process.interfered:
        return
    _someone(watch, process, weights, lost)
    _edges(watch, look, bool(admitted), lost & look.surely)
    if look.at_s < watch.world.clock.now():
        return  # it was paused since its look, and the world may have gone on
    goals = process.plan.goals_at(min(process.stage, len(process.plan.stages) - 1)) if process.plan else {}
    for one in admitted:
        goal = goals.get(one.cell)
        if goal is not None and not _cell_had_traffic(watch, look, one.cell) and _proven(watch, goal) < goal.replicas:
            watch.say(Invariant.WHOLE, f"{one.instance} is admitted before all of {one.cell} is proven")
    if process.forward:
        lowered = _lowered(watch, look, weights)
        _others_first(watch, process, look, goals, lowered, lost)
    if look.held or _forbidden(process):
        _held(watch, process, look, goals, command, lost)


def _forbidden(process: Process) -> bool:
    """Tell whether nothing may overlap: the service says so, or the strategy stops everything."""
    return process.plan is not None and process.plan.service.overlap is Overlap.FORBIDDEN


def _route_repeated(watch: Watch, process: Process, command: Route) -> None:
    registrations, held = watch.world.registered(watch.service.name)
    shown = {one.instance: one.weight for one in registrations}
    told = {one.instance: one.weight for one in command.registrations}
    if (told, command.held) != (shown, held):
        _repeated(watch, process, "", (tuple(sorted(told.items())), command.held))


def _someone(watch: Watch, process: Process, weights: Mapping[str, int], lost: set[str]) -> None:
    plan = process.plan
    if plan is None or not lost or _forbidden(process):
        return
    if not any(goal.share for goal in plan.goals_at(process.stage).values()):
        return
    known = watch.world.cells.existing.keys() | watch.frozen  # what ended behind a frozen list is there for all to see
    if not any(weight and name in known for name, weight in weights.items()):
        watch.say(Invariant.SOMEONE_SERVES, f"{', '.join(sorted(lost))} was the last one in traffic")


def _edges(watch: Watch, look: Look, admitted: bool, lost: set[str]) -> None:
    now_s = watch.world.clock.now()
    for edge, since_s in look.deaf.items():
        if admitted:
            watch.say(Invariant.EDGES_FOLLOW, f"something is admitted while {edge} can't be asked")
        if lost and now_s < since_s + watch.service.drain_deadline_s:
            watch.say(Invariant.EDGES_FOLLOW, f"{sorted(lost)[0]} is taken out, {edge} is deaf since {since_s:.2f} s")


def _cell_had_traffic(watch: Watch, look: Look, cell: str) -> bool:
    return any(look.weights.get(one.id) for one in staying(watch.world, cell)) or any(
        weight and name.rpartition(".")[0] == cell for name, weight in look.weights.items()
    )


def _lowered(watch: Watch, look: Look, weights: Mapping[str, int]) -> set[str]:
    """Return the instances that get less, but for those whose cell as a whole does not.

    Of a cell in which a person gave an instance a weight nobody can say what it had as a whole.
    """
    existing, totals = watch.world.cells.existing, dict[str, int]()
    for name in {*weights, *look.weights} & existing.keys():
        cell = existing[name].cell
        totals[cell] = totals.get(cell, 0) + weights.get(name, 0) - look.weights.get(name, 0)
    by_hand = {name.rpartition(".")[0] for name in watch.by_hand & look.weights.keys()}
    lowered = {name for name, weight in weights.items() if 0 < weight < look.weights.get(name, 0)}
    return {
        name
        for name in lowered
        if name not in existing or (totals[existing[name].cell] < 0 and existing[name].cell not in by_hand)
    }


def _proven(watch: Watch, goal: Goal) -> int:
    there = {one.id for one in staying(watch.world, goal.cell) if one.revision == goal.revision}
    return len((there | _hidden(watch, goal.cell)) & watch.passed)


def _hidden(watch: Watch, cell: str) -> set[str]:
    """Return the instances of a cell that ended behind a frozen list: they are there for all to see."""
    return {name for name in watch.frozen if name.rpartition(".")[0] == cell}


def _others_first(
    watch: Watch, process: Process, look: Look, goals: Mapping[str, Goal], lowered: set[str], lost: set[str]
) -> None:
    """Check that what rises is there before what falls is touched."""
    plan = process.plan
    if plan is None:
        return
    rising = [goal for goal in goals.values() if goal.share and goal.revision == plan.target]
    for goal in rising:
        if lowered and _proven(watch, goal) < goal.replicas:
            watch.say(Invariant.WHOLE, f"{sorted(lowered)[0]} has less of the traffic before {goal.cell} is proven")
    for name in sorted(lost & look.surely):
        own = goals.get(watch.world.cells.existing[name].cell)
        if own is not None and own.share:
            continue
        for goal in rising:
            there = {one.id for one in staying(watch.world, goal.cell)} | _hidden(watch, goal.cell)
            if len(there & look.maybe) < goal.replicas:
                watch.say(Invariant.WHOLE, f"{name} leaves before every edge shows all of {goal.cell}")


def _held(
    watch: Watch, process: Process, look: Look, goals: Mapping[str, Goal], command: Route, lost: set[str]
) -> None:
    plan = process.plan
    if plan is None or process.stage >= len(plan.stages):
        return
    if plan.stages[process.stage].held and lost and not look.held and any(one in look.surely for one in lost):
        watch.say(Invariant.HELD, f"{sorted(lost)[0]} leaves before requests are held")
    if look.held and not command.held and process.forward:  # going back, what never left traffic serves on
        for goal in goals.values():
            if goal.share and goal.revision == plan.target and _proven(watch, goal) < goal.replicas:
                watch.say(Invariant.HELD, f"requests go on before {goal.cell} is proven")
