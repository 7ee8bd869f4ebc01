"""What would bring the world nearer to the stage's goals, and what of it the guards allow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from attrs import evolve

from zdd.model.cell import InstanceState
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.service import Overlap
from zdd.reconciler.guard import Guard, Refusal, concerned, permit
from zdd.reconciler.lost_addresses import starts_anew
from zdd.reconciler.picture import Picture
from zdd.reconciler.proposals import Hold, Release, Shift, Tally, Traffic


def permitted(picture: Picture, guards: Sequence[Guard]) -> tuple[tuple[Command, ...], tuple[Refusal, ...], bool]:
    """Return what may be sent, what has to wait, and whether a change of traffic is among the latter."""
    tally = Tally()
    refusals: list[Refusal] = []
    commands: list[Command] = []
    allowed: list[Traffic] = []
    traffic_waits = False
    lacking: set[str] = set()  # cells of which an instance that is missing keeps what it had
    for shift, proposals in groupby(_shifts(picture), key=attrgetter("shift")):
        about = concerned(guards, shift)
        for proposal in proposals:
            if shift is Shift.RAISE and proposal.cell in lacking:
                continue  # edges give it that until it is forgotten, so nobody gets it before
            refusal = permit(picture, proposal, tally, about)
            if refusal is None:
                tally.add(picture, proposal)
                allowed.append(proposal)
            else:
                refusals.append(refusal)
                traffic_waits = traffic_waits or _keeps_from_passing(picture, proposal, refusal)
                if shift is Shift.FORGET and picture.weight(proposal.instance):
                    lacking.add(proposal.cell)
    held, held_refusal = _held(picture, guards)
    if held_refusal is not None:
        refusals.append(held_refusal)
    if allowed or held != picture.observation.held:
        commands.append(_route(picture, allowed, held))
    for command in _cell_commands(picture):
        refusal = permit(picture, command, tally, concerned(guards, type(command)))
        if refusal is None:
            tally.add(picture, command)
            commands.append(_with_cut(picture, command))
        else:
            refusals.append(refusal)
    return tuple(commands), tuple(refusals), traffic_waits


def _keeps_from_passing(picture: Picture, proposal: Traffic, refusal: Refusal) -> bool:
    """Tell whether a stage is not passed while a change of traffic waits.

    The last one in traffic may have to stay there for good, and what is to be replaced may come and go for ever.
    """
    if refusal.guard == "someone-serves":
        return False
    return proposal.cell not in picture.passing or proposal.shift in (Shift.LOWER, Shift.OUT)


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
        elif starts_anew(picture, goal, cell):
            yield Scale(name, 0)  # nobody can choose which one stops; then it is to have all of them again


def _with_cut(picture: Picture, command: Launch | Change | Scale | Retire) -> Command:
    if not isinstance(command, Retire):
        return command
    names = [instance.id for instance in picture.cells[command.cell].instances]
    records = [(name, picture.record(name)) for name in names]
    return evolve(command, cut=tuple(name for name, record in records if record and record.cut_s is not None))


def _shifts(picture: Picture) -> Iterator[Traffic]:
    lowered = [
        Traffic(Shift.LOWER, name, cell) for cell, names in picture.all_cells.overweight.items() for name in names
    ]
    # A cell that has too much makes room first; in any other what is given up is taken over by those that join it.
    yield from (proposal for proposal in lowered if picture.has_too_much(proposal.cell))
    raised = []
    for name, registration in picture.all_cells.unlike_wanted.items():
        before, after = picture.weight(name), registration.weight
        if after and not before:
            yield Traffic(Shift.ADMIT, name, registration.cell)
        elif after > before:
            raised.append(Traffic(Shift.RAISE, name, registration.cell))
        elif before and not after:
            yield Traffic(Shift.OUT, name, registration.cell)
    yield from (proposal for proposal in lowered if not picture.has_too_much(proposal.cell))
    # What is forgotten leaves its part to the others of its cell at once, so that no other cell has more meanwhile.
    for name in picture.unlisted:
        yield Traffic(Shift.FORGET, name, picture.registered[name].cell)
    yield from raised


def _held(picture: Picture, guards: Sequence[Guard]) -> tuple[bool, Refusal | None]:
    if picture.must_hold:
        if picture.observation.held:
            return True, None
        refusal = permit(picture, Hold(), Tally(), concerned(guards, Hold))
        return refusal is None, refusal
    if not picture.observation.held:
        return False, None
    refusal = permit(picture, Release(), Tally(), concerned(guards, Release))
    return refusal is not None, refusal


def _route(picture: Picture, allowed: Sequence[Traffic], held: bool) -> Route:
    registrations, wanted = dict(picture.registered), picture.all_cells.unlike_wanted
    for shift in allowed:
        if shift.shift is Shift.FORGET:
            del registrations[shift.instance]
        else:
            registrations[shift.instance] = wanted[shift.instance]
    return Route(tuple([registrations[name] for name in sorted(registrations)]), held)
