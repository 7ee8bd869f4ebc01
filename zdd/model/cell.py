"""What runs: instances, in cells."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import field, frozen

from zdd.model.address import Address
from zdd.model.cached import cached_property


class InstanceState(enum.Enum):
    """What the orchestrator says of an instance. `READY` is its own word only: gates decide about traffic."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


@frozen(slots=False)
class Instance:
    """One running copy.

    Attributes:
        id: Never used twice: a restarted or replaced copy has another id, so that it earns its own verdict.
        revision: The id of the revision it runs.
        state: What the orchestrator says of it.
        addresses: Port name → where it can be reached; empty while not known.
        since_s: Since when it is in this state, in seconds since the epoch.
        restarts: How often its predecessors in the same place ended by themselves.
        note: The orchestrator's own words: an exit code, an error.
        replaced_by: The id of the instance that is to take its place: when that one is ready, the orchestrator stops
            this one. Empty: none, or the orchestrator does not say.
        address_lost: It is ready, and the orchestrator will never say where it can be reached: `note` says why.
    """

    id: str
    revision: str
    state: InstanceState
    addresses: Mapping[str, Address] = field(factory=dict)
    since_s: float = 0.0
    restarts: int = 0
    note: str = ""
    replaced_by: str = ""
    address_lost: bool = False

    @cached_property
    def key(self) -> str:
        """Tells it, at these addresses, from all others: what a verdict is about."""
        return place_key(self.id, self.revision, self.addresses)


def place_key(who: str, revision: str, addresses: Mapping[str, Address]) -> str:
    """Return what tells somebody of a revision at these addresses from all others."""
    where = ",".join(f"{name}={address}" for name, address in sorted(addresses.items()))
    return f"{who}@{revision}[{where}]"


@frozen(slots=False)
class Cell:
    """A stable, named group of identical instances that the orchestrator runs as one.

    Attributes:
        name: Stable over the life of the service.
        revision: The id of the revision it is meant to run.
        replicas: How many instances it is meant to have.
        instances: Those that exist, sorted by id, the stopping ones among them.
        note: The orchestrator's own words about the cell.
        changed: What somebody else has changed since zdd wrote it, in words; empty: nothing that is known.
    """

    name: str
    revision: str
    replicas: int
    instances: tuple[Instance, ...] = ()
    note: str = ""
    changed: str = ""

    @cached_property
    def members(self) -> Mapping[str, Instance]:
        """Its instances by id."""
        return {instance.id: instance for instance in self.instances}

    @cached_property
    def places(self) -> Mapping[Address, None]:
        """Every address of its instances."""
        return dict.fromkeys([address for one in self.instances for address in one.addresses.values()])

    @cached_property
    def nowhere(self) -> frozenset[str]:
        """Its ready instances of which the orchestrator does not say where they are."""
        return frozenset([i.id for i in self.instances if not i.addresses and i.state is InstanceState.READY])

    @cached_property
    def size(self) -> int:
        """How many instances it may come to have: those it should have, or those not told to stop, if more."""
        return max(self.replicas, sum([1 for i in self.instances if i.state is not InstanceState.STOPPING]))

    @cached_property
    def mixed(self) -> bool:
        """Whether some of its instances run another revision, and were not told to stop: it is changed in place."""
        return any(i.revision != self.revision and i.state is not InstanceState.STOPPING for i in self.instances)

    def changed_to(self, revision: str) -> int:
        """Count the places whose instance runs this revision, or is about to: an old one beside it does not count.

        A place that is empty just now counts too: what comes next there is of the cell's own revision.
        """
        staying = [i for i in self.instances if i.state is not InstanceState.STOPPING]
        own = sum(1 for i in staying if i.revision == revision)
        if self.revision == revision:  # what takes an old one's place may have ended, and comes again
            listed = {instance.id for instance in self.instances}
            own += sum(1 for i in staying if i.revision != revision and i.replaced_by not in ("", *listed))
        others = sum(1 for i in staying if i.revision != revision)
        empty = self.replicas - others if self.revision == revision else 0
        return min(self.replicas, max(own, empty))
