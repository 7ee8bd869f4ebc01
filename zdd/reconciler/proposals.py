"""What may be proposed to the guards, and what each proposal would do to what exists and serves. Pure."""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import TypeGuard

from attrs import define, field, frozen

from zdd.model.cell import Cell, InstanceState
from zdd.model.command import Change, Command, Launch, Retire, Scale
from zdd.model.in_place import UpdateOrder
from zdd.reconciler.picture import Picture


class Shift(enum.Enum):
    """What can happen to the traffic of one instance."""

    ADMIT = "admit"
    RAISE = "raise"
    LOWER = "lower"
    OUT = "take out"
    FORGET = "forget"


@frozen(slots=False)
class Traffic:
    """The proposal to change the traffic of one instance."""

    shift: Shift
    instance: str
    cell: str


@frozen
class Release:
    """The proposal to let held requests go on."""


@frozen
class Hold:
    """The proposal to hold requests back."""


Proposal = Launch | Change | Scale | Retire | Traffic | Release | Hold


@define
class Tally:
    """What the same decision has already allowed. Guards only read it.

    Attributes:
        added: Instances that will be started.
        removed: Instances that will no longer serve.
        lowered: Instances that will have less of the traffic.
        joined: Cells of which another instance will have traffic.
        useful: How many of the removed are proven to serve until then.
    """

    added: int = 0
    removed: set[str] = field(factory=set)
    lowered: set[str] = field(factory=set)
    joined: set[str] = field(factory=set)
    useful: int = 0

    def add(self, picture: Picture, proposal: Proposal) -> None:
        """Count one more proposal as allowed."""
        if isinstance(proposal, Traffic) and proposal.shift is Shift.LOWER:
            self.lowered.add(proposal.instance)
        elif admits(proposal):
            self.joined.add(proposal.cell)
        else:
            lost = losing(picture, proposal)
            self.useful = self.useful_without(picture, lost)
            self.added += growth(picture, proposal)
            self.removed.update(lost)

    def useful_without(self, picture: Picture, lost: Collection[str]) -> int:
        """Return how many that are proven to serve would serve no longer if these did not either."""
        return self.useful + sum([1 for name in lost if name in picture.useful and name not in self.removed])


# -- what it would do -------------------------------------------------------------------------------------------------


def growth(picture: Picture, proposal: Proposal) -> int:
    """Return how many more instances would exist."""
    if not isinstance(proposal, Launch | Change | Scale):
        return 0
    cell = picture.cells.get(proposal.cell)
    if cell is not None and isinstance(proposal, Change) and proposal.in_place is not None:
        return _replaced(cell, proposal) if proposal.in_place.order is UpdateOrder.START_FIRST else 0
    return max(0, proposal.replicas - (cell.size if cell else 0))


def _replaced(cell: Cell, change: Change) -> int:
    """Return how many more instances would be replaced in place."""
    return max(0, change.in_place.changed - cell.changed_to(change.revision)) if change.in_place is not None else 0


def _lost_in_place(picture: Picture, cell: Cell, change: Change) -> tuple[str, ...]:
    """Return the worst that can happen: nobody can choose the victims, so they are those that serve."""
    staying = [i for i in cell.instances if i.state is not InstanceState.STOPPING and i.revision != change.revision]
    leaving = [instance.id for instance in staying if instance.replaced_by]
    others = [instance.id for instance in staying if not instance.replaced_by]
    others.sort(key=lambda name: (name not in picture.useful, name not in picture.serving, name))
    return (*leaving, *others[: _replaced(cell, change)])


def victims(picture: Picture, proposal: Proposal) -> tuple[str, ...]:
    """Return the instances that may be stopped, and so must be drained. Which a smaller number hits, nobody can choose.

    Those that are replaced in place serve until then: that is the weaker promise of such a stage.
    """
    if isinstance(proposal, Traffic | Release | Hold | Launch):
        return ()
    cell = picture.cells.get(proposal.cell)
    if cell is None:
        return ()
    if isinstance(proposal, Change):
        if replaces_in_place(picture, proposal):
            return ()
        return tuple(instance.id for instance in cell.instances if instance.revision != proposal.revision)
    if isinstance(proposal, Scale) and proposal.replicas >= cell.replicas:
        return tuple(instance.id for instance in cell.instances if instance.revision != cell.revision)
    return tuple(instance.id for instance in cell.instances)


def losing(picture: Picture, proposal: Proposal) -> tuple[str, ...]:
    """Return the instances that would no longer serve."""
    if isinstance(proposal, Traffic):
        return (proposal.instance,) if proposal.shift is Shift.OUT else ()
    if isinstance(proposal, Change) and replaces_in_place(picture, proposal):
        return _lost_in_place(picture, picture.cells[proposal.cell], proposal)
    return victims(picture, proposal)


def replaces_in_place(picture: Picture, change: Change) -> bool:
    """Tell whether the stage says that so many may be replaced while the others serve."""
    goal = picture.goals.get(change.cell)
    return change.in_place is not None and goal is not None and goal.in_place == change.in_place


# -- words ------------------------------------------------------------------------------------------------------------


def admits(proposal: Proposal) -> TypeGuard[Traffic]:
    """Tell whether an instance without traffic would get some."""
    return isinstance(proposal, Traffic) and proposal.shift is Shift.ADMIT


def intent(command: Command | Proposal) -> object:
    """Return what two commands that mean the same have in common."""
    return Retire(command.cell) if isinstance(command, Retire) else command


def command_words(command: Launch | Change | Scale | Retire) -> str:
    """Say in a few words what a cell is to do."""
    match command:
        case Launch():
            return "start"
        case Change():
            if command.in_place is not None:
                return f"replace until {command.in_place.changed} of {command.replicas} run {command.revision}"
            return f"change to {command.revision}"
        case Scale():
            return f"have {command.replicas} instances"
        case Retire():
            return "stop"


def proposal_name(proposal: Proposal) -> str:
    """Say in a few words what is proposed."""
    if isinstance(proposal, Traffic):
        return f"to {proposal.shift.value} {proposal.instance}"
    if isinstance(proposal, Release):
        return "to release held requests"
    if isinstance(proposal, Hold):
        return "to hold requests back"
    return f"for {proposal.cell} to {command_words(proposal)}"
