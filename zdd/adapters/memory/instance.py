"""An instance and a cell of the memory world, as they truly are."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from zdd.adapters.memory.behaviour import Behaviour
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.release import Revision
from zdd.model.service import Service


@define(eq=False)
class MemoryInstance:
    """One copy as it truly is. For reading: only the world changes it.

    Attributes:
        id: Never used twice.
        service: The service's name.
        cell: The cell's name.
        revision: The id of its revision.
        version: What people call it.
        behaviour: How it behaves.
        addresses: Port name → where it can be reached.
        since_s: Since when it is in its state, in virtual seconds.
        restarts: How often its predecessors in the same place ended by themselves.
        state: What the orchestrator says of it.
        exists: False once nothing of it is left.
        healthy: What gates see, errors under traffic apart.
        hangs: It accepts connections and never answers.
        stopped_by_command: A command told it to stop, not a person.
        edges: Edge name → how many of its addresses that edge sends new requests to.
        in_place_of: The id of the instance that is stopped when this one is ready.
        replaced_by: The id of the one that takes its place.
        address_lost: The orchestrator never says where it is.
    """

    id: str
    service: str
    cell: str
    revision: str
    version: str
    behaviour: Behaviour
    addresses: Mapping[str, Address]
    since_s: float
    restarts: int
    state: InstanceState = InstanceState.STARTING
    exists: bool = True
    healthy: bool = True
    hangs: bool = False
    stopped_by_command: bool = False
    note: str = ""
    edges: dict[str, int] = field(factory=dict)
    in_place_of: str = ""
    replaced_by: str = ""
    address_lost: bool = False

    @property
    def ready(self) -> bool:
        """Whether the orchestrator says ready."""
        return self.state is InstanceState.READY

    @property
    def sent_to(self) -> bool:
        """Whether any edge sends it new requests."""
        return bool(self.edges)

    @property
    def truly_healthy(self) -> bool:
        """Whether it answers as it should, right now."""
        return self.healthy and not self.hangs and not (self.behaviour.errors_under_traffic and self.sent_to)

    def shown(self) -> Instance:
        """Return it as the orchestrator shows it."""
        addresses = {} if self.state is InstanceState.STARTING or self.address_lost else self.addresses
        lost = self.address_lost and self.ready
        note = self.note or ("its address was lost" if lost else "")
        return Instance(
            self.id, self.revision, self.state, addresses, self.since_s, self.restarts, note, self.replaced_by, lost
        )


@define(eq=False)
class MemoryCell:
    """A cell as it truly is.

    Attributes:
        service: The service, as the last command had it.
        revision: What it is meant to run.
        replicas: How many instances it is meant to have.
        retired: It is forgotten with its last instance.
        in_place: It may run several revisions: those that are not told to stop go on.
        instances: Those of which something is left, oldest first.
    """

    service: Service
    name: str
    revision: Revision
    replicas: int
    retired: bool = False
    in_place: bool = False
    instances: dict[str, MemoryInstance] = field(factory=dict)
    _picture: Cell | None = None

    def staying(self) -> list[MemoryInstance]:
        """Return those that were not told to stop, oldest first."""
        return [one for one in self.instances.values() if one.state is not InstanceState.STOPPING]

    def counts(self, instance: MemoryInstance) -> bool:
        """Tell whether an instance has a place of its own among the replicas."""
        if self.in_place:
            return not instance.in_place_of
        return instance.revision == self.revision.id

    def released(self, instance: MemoryInstance) -> MemoryInstance | None:
        """Return the one whose place an instance was to take, and let neither know of the other any more."""
        victim = self.instances.get(instance.in_place_of)
        instance.in_place_of = ""
        if victim is not None:
            victim.replaced_by = ""
        return victim

    def changed(self) -> None:
        """Forget the picture."""
        self._picture = None

    def shown(self) -> Cell:
        """Return it as the orchestrator shows it."""
        if self._picture is None:
            instances = tuple(self.instances[name].shown() for name in sorted(self.instances))
            self._picture = Cell(self.name, self.revision.id, self.replicas, instances)
        return self._picture


@frozen
class Health:
    """What a gate sees at an address."""

    healthy: bool
    reason: str
