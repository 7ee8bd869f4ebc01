"""What zdd asks of the outside world. The docstring of each method is its contract; `zdd.testing` checks it.

Rules that hold for every method:

* It raises only errors of `zdd.errors`: `TemporaryError`, `PermanentError` and `OutcomeUnknown` for the world's
  faults, `ConfigurationError` for what can't work, `LeaseLost` for a fence that is too old.
* It returns within a time-out of its own, and never waits for an effect: effects are observed.
* A command may be applied twice, and means the same the second time.
* A write that carries a `Fence` is refused with `LeaseLost` when the adapter has accepted one with a greater token
  for that service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import frozen

from zdd.model.action import Action, ActionContext
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.gate import Gate, Target
from zdd.model.traffic import EdgeAbilities

if TYPE_CHECKING:
    from zdd.events import Event
    from zdd.model.address import Address
    from zdd.model.cell import Cell
    from zdd.model.command import Change, Launch, Retire, Route, Scale
    from zdd.model.intent import Intent
    from zdd.model.order import Order
    from zdd.model.release import Revision, Specification
    from zdd.model.service import Service
    from zdd.model.traffic import EdgeView, Registration
    from zdd.stacks.stack import Stack, StackService

__all__ = [
    "Action",
    "ActionContext",
    "Clock",
    "Control",
    "Demand",
    "Discovery",
    "Edge",
    "Fence",
    "Finding",
    "Gate",
    "Holder",
    "Inspected",
    "Intents",
    "Journal",
    "Lease",
    "Orchestrator",
    "OrchestratorAbilities",
    "Severity",
    "StackHost",
    "Target",
    "gives_way",
    "mirror_role",
]

STACK = "stack:"
"""What the name under which a stack's own record is kept begins with. No service can be called so."""

MIRROR = "mirror "
"""What the name of a mirror as a lease's holder begins with."""


@frozen
class Fence:
    """Proof of a lease. Of two deployers of one service, the one with the greater token is the later one."""

    token: int
    holder: str


@frozen
class Holder:
    """Who holds the lease of a service.

    Attributes:
        name: ``user@host:process id``.
        since_s: Since when, in seconds since the epoch.
        expires_s: When it ends if it is not renewed, in seconds since the epoch.
    """

    name: str
    since_s: float
    expires_s: float

    @property
    def is_mirror(self) -> bool:
        """Whether it is a mirror, which keeps no deployer out."""
        return self.name.startswith(MIRROR)


def mirror_role(service: str) -> str:
    """Return the name of the lease that the active mirror of a service holds for as long as it runs."""
    return f"{service}/mirror"


def gives_way(held_by: str, wanted_by: str) -> bool:
    """Tell whether one who holds a lease has to let another one have it: a mirror does, to a deployer."""
    return held_by.startswith(MIRROR) and not wanted_by.startswith(MIRROR)


@frozen
class OrchestratorAbilities:
    """What an orchestrator can do.

    Attributes:
        cell_per_instance: Cells cost nothing and nobody sees their names: by default every instance has its own.
        poll_s: How often it may be observed while something is awaited, in seconds.
        replaces: An instance that ends is replaced by another one, at another address, which serves only when
            somebody registers it.
        in_place: It can replace some of the instances of a cell while the others serve.
    """

    cell_per_instance: bool = False
    poll_s: float = 1.0
    replaces: bool = False
    in_place: bool = False


class Orchestrator(Protocol):
    """Runs instances in cells."""

    @property
    def abilities(self) -> OrchestratorAbilities:
        """What it can do."""

    def check(self, service: Service, workload: Specification) -> None:
        """Raise `ConfigurationError` if it could not run this workload for this service. Change nothing.

        Everything that can be known beforehand is looked at: the kind of workload, the program or image, directories,
        ports. The message names the thing and the fix. Where nobody can say at the moment, it raises `TemporaryError`.
        """

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse every write for this service that carries a smaller token. Called before anything else."""

    def observe(self, service: Service) -> tuple[Cell, ...]:
        """Return the cells that exist, sorted by name, whoever made them; with what they are, not what was asked for.

        A cell exists from the moment `launch` was accepted until its last instance has gone. An instance that has
        ended is not listed; one that was told to stop is listed as `STOPPING` until nothing of it is left.

        Looking writes nothing: anybody may, at any time, who deploys nothing and holds no lease. What is left to be
        written when a command has had its effect is for `tidy`.
        """

    def tidy(self, service: Service, fence: Fence) -> bool:
        """Put right what commands that have had their effect left behind, such as the record of a retired cell.

        No instance that serves is started, stopped or restarted by it, and no cell comes or goes that `observe` lists.
        A deployer calls it after every look, by which it may go, and a mirror when something has changed. So where
        nothing is left to be put right, nothing is written and the fence need not be looked at.

        Returns:
            Whether nothing is left that it would put right later.
        """

    def launch(self, service: Service, revision: Revision, command: Launch, fence: Fence) -> None:
        """Create the cell and begin to start its instances. If the cell exists with this revision: like `scale`.

        Raises:
            PermanentError: The cell exists with another revision.
        """

    def change(self, service: Service, revision: Revision, command: Change, fence: Fence) -> None:
        """Begin to stop every instance of the cell that runs another revision, and to start `replicas` new ones.

        The instances of the new revision may start before the old ones have gone.

        With ``in_place`` the cell may have traffic: begin to replace as many as are missing until ``changed`` of them
        run the revision, and none beyond that, not even later. The others go on running what they run. With
        `UpdateOrder.START_FIRST` an old one is told to stop when the one in its place is ready, and says beforehand, in
        ``replaced_by``, which one that is. The same revision again, in place or not, with more instances that are to
        run it, goes on; another revision turns round. Only an orchestrator that has the ability is asked.
        """

    def scale(self, service: Service, revision: Revision, command: Scale, fence: Fence) -> None:
        """Begin to start or stop instances until the cell has `replicas`. Running ones are not restarted."""

    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        """Begin to stop every instance politely, by force after ``service.stop_grace_s``, and forget the cell then.

        A cell that does not exist is already retired.
        """

    def watch(self, service: Service, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from any thread, whenever something may have changed. Return a function that ends the watch.

        A missed or spurious wake is allowed: it only makes the driver look later, or once too often.
        """


class Discovery(Protocol):
    """Knows which instances serve, and tells the edges."""

    def check(self, service: Service) -> None:
        """Raise `ConfigurationError` if it could not carry this service. Change nothing."""

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse every write for this service that carries a smaller token. Called before anything else.

        What it needs in order to be asked is up afterwards. Where requests go does not change.
        """

    def registrations(self, service: Service) -> tuple[tuple[Registration, ...], bool]:
        """Return what is registered, sorted by instance, whoever registered it; and whether requests are held back."""

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        """Make the registrations of this service exactly these, reached by the service's exposures as stated now.

        In one call lowered weights take effect before raised ones, or at the same time.
        """


class Edge(Protocol):
    """Sends requests to instances. zdd tells discovery and asks the edges; it never tells an edge."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def abilities(self) -> EdgeAbilities:
        """What it can do."""

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, the stable address at which clients reach the service."""

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Say where new requests of this service go right now, and what is in flight at the given addresses.

        It is the edge's own word, never what discovery was told. An edge that can't be reached raises
        `TemporaryError`. A count that isn't known is left out, never guessed.
        """


@runtime_checkable
class Inspected(Protocol):
    """What an orchestrator, a discovery or an edge may have besides: it looks for what could go wrong.

    `check` refuses what can't work. `inspect` tells what works, but not as well as it might, or only by luck.
    """

    def inspect(self, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:
        """Return what was found, the same for the same state of the world. Change nothing.

        What only warns is shown with the plan and kept in the report; an error refuses the deployment.

        Args:
            service: How the service wants to be treated.
            workload: What is to run.
            demand: What is needed at once while it is deployed.
        """


@runtime_checkable
class Examined(Protocol):
    """What any part may have besides: it looks at itself, without a service."""

    def examine(self) -> tuple[Finding, ...]:
        """Return what is wrong with it, or soon will be. Change nothing."""


class Journal(Protocol):
    """Keeps what happened to a service, in order, for ever or for as long as the user wants."""

    def append(self, service: str, event: Event, fence: Fence) -> None:
        """Write the event durably before returning, after all earlier ones.

        Raises:
            LeaseLost: A greater token was accepted for this service.
            JournalError: It can't be written.
        """

    def read(self, service: str) -> tuple[Event, ...]:
        """Return every event of this service, oldest first.

        Raises:
            JournalError: An event is damaged, or was written in a format that this version does not know.
        """

    def services(self) -> tuple[str, ...]:
        """Return the names of the services that have events, sorted."""


class Lease(Protocol):
    """Lets one deployer at a time change a service."""

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take the lease for `ttl_s` seconds. The fence's token is greater than all before it for this service.

        A mirror that holds it gives way to a deployer (`gives_way`): it is as if it had expired.

        Raises:
            DeploymentInProgress: Somebody else holds it, and has not let it expire.
        """

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep it for another `ttl_s` seconds from now.

        Raises:
            LeaseLost: It expired and somebody else took it.
        """

    def release(self, service: str, fence: Fence) -> None:
        """Let go of it, if it is still held."""

    def holder(self, service: str) -> Holder | None:
        """Return who holds it, or None."""


class Intents(Protocol):
    """Keeps, for each service, what it was last meant to be: what mirrors go by."""

    def write(self, service: str, intent: Intent, fence: Fence) -> None:
        """Write it durably before returning, in place of the one before."""

    def read(self, service: str) -> Intent | None:
        """Return it; None if the service was never deployed.

        Raises:
            JournalError: It is damaged, or was written in a format that this version does not know.
        """


class Control(Protocol):
    """Carries orders to the deployer that runs a deployment, from any process or machine that shares it.

    No lease is needed to give one: whoever may write here may order. An order is bound to its deployment's id, so one
    that comes too late reaches nobody. It need not be kept longer than its deployment lasts.
    """

    def send(self, service: str, order: Order) -> None:
        """Keep the order before returning, after all earlier ones. Sent twice, the same order is there once."""

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        """Return the orders for this deployment in the order in which they were sent, without the first `after`.

        That order is the same for everybody who asks, and is not changed by an order that comes later.
        """


class StackHost(Protocol):
    """Makes what the services of a stack share."""

    def check(self, stack: Stack, *, adopt: bool) -> None:
        """Raise `ConfigurationError` if the stack can't be deployed here, or is somebody else's. Change nothing.

        `adopt` allows to take over one that somebody else has deployed. Where nobody can say at the moment, it raises
        `TemporaryError`.
        """

    def adopt(self, stack: Stack) -> None:
        """Mark services of this stack that somebody else has deployed as zdd's. No instance is restarted."""

    def pull(self, services: Sequence[StackService]) -> tuple[str, ...]:
        """Let every node that may run these services have their images; return what was done, one line each.

        Raise `ConfigurationError` if a node can't, and `TemporaryError` if one does not in time.
        """

    def prepare(self, stack: Stack) -> tuple[tuple[str, str], ...]:
        """Make what isn't there yet; return kind and name of what was made.

        Doing it twice is harmless. If it fails half-way, what it has made by then stays.
        """

    def complete(self, stack: Stack) -> Mapping[str, Specification]:
        """Return what each service is to run, with what is known only here: digests of images, ids. Change nothing."""

    def discard(self, stack: Stack, made: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        """Remove what `prepare` has made and nothing uses. Return what could not be removed, one line each."""


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> float:
        """Return seconds since the epoch, by a clock that never goes back within one process."""

    def wait(self, until_s: float) -> None:
        """Return at that time, or earlier if `wake` is called; at once if it was called since the last wait."""

    def wake(self) -> None:
        """End the wait that is under way, or the next one. May be called from any thread."""
