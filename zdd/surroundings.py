"""Everything outside that a deployment needs, looked at and acted on as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from zdd.errors import AdapterError, ConfigurationError
from zdd.events import Event
from zdd.interfaces import Clock, Control, Discovery, Edge, Fence, Intents, Journal, Lease, Orchestrator
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.evolve import evolve
from zdd.model.names import check_methods
from zdd.model.observation import Observation, with_known_addresses
from zdd.model.plan import Plan
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.sampler import Sampler

LOOK_S_MOST = 5.0
"""How long a look may take, from its first question to its last answer, before it is made again."""


@frozen
class Surroundings:
    """Everything outside that a deployment needs.

    Attributes:
        orchestrator: Runs instances.
        discovery: Knows which of them serve.
        edges: Send requests to them.
        journal: Keeps what happened.
        lease: Lets one deployer at a time change a service.
        clock: Tells the time.
        make_sampler: Makes what runs gates and actions.
        listeners: Are called with every event; one that raises is logged and goes on being called.
        lease_s: How long the lease lasts when it is not renewed, in seconds.
        control: Carries orders to this deployer; None: nobody can give it any.
        intents: Keep what a service is meant to be, where mirrors read it sooner than from the journal.
        at_once: All edges are asked at the same time, each in a thread of its own, so that several that do not answer
            cost a look no more time than one. In virtual time they are asked one after the other.
        edges_gone: The names of edges that are gone for good; None: it is not looked at which ones served before.
    """

    orchestrator: Orchestrator
    discovery: Discovery
    edges: tuple[Edge, ...]
    journal: Journal
    lease: Lease
    clock: Clock
    make_sampler: Callable[[Clock], Sampler]
    listeners: tuple[Callable[[Event], object], ...] = ()
    lease_s: float = 15.0
    control: Control | None = None
    intents: Intents | None = None
    at_once: bool = False
    edges_gone: tuple[str, ...] | None = None

    def watched(self, service: Service) -> tuple[str, ...]:
        """Return the names of the edges that requests to this service come through; none if it has no way in."""
        return tuple(edge.name for edge in self.edges) if service.exposures else ()

    def observe(self, service: Service) -> Observation:
        """Look at everything: the cells, then discovery, then the edges.

        Whoever is suspended in the middle of that wakes up with an old list of the cells. So a look that took long is
        made again; if that one takes long, too, the parts are slow, and nothing newer can be had.

        Raises:
            AdapterError: The orchestrator or discovery can't say. An edge that can't is in the observation as such.
        """
        found = self._look(service)
        return found if self.clock.now() <= found.as_of_s + LOOK_S_MOST else self._look(service)

    def _look(self, service: Service) -> Observation:
        as_of_s = self.clock.now()
        cells = self.orchestrator.observe(service)
        if not service.exposures:
            return Observation(as_of_s, cells)
        registrations, held = self.discovery.registrations(service)
        cells = with_known_addresses(cells, registrations)
        watched = _places(cells, registrations)
        return Observation(as_of_s, cells, registrations, held, self._views(service, watched))

    def _views(self, service: Service, watched: Sequence[Address]) -> tuple[EdgeView, ...]:
        if not self.at_once or len(self.edges) < 2:
            return tuple(self._view(edge, service, watched) for edge in self.edges)
        with ThreadPoolExecutor(len(self.edges), "zdd-edge") as threads:
            return tuple(threads.map(lambda edge: self._view(edge, service, watched), self.edges))

    def _view(self, edge: Edge, service: Service, watched: Sequence[Address]) -> EdgeView:
        asked_s = self.clock.now()
        try:
            return evolve(edge.view(service, watched), as_of_s=asked_s)
        except AdapterError as error:
            return EdgeView(edge.name, asked_s, reachable=False, note=str(error))

    def act(self, plan: Plan, command: Command, observation: Observation, fence: Fence) -> None:
        """Send a command of the plan to whom it concerns. Raises what the adapter does."""
        service = plan.service
        match command:
            case Launch():
                self.orchestrator.launch(service, plan.revisions[command.revision], command, fence)
            case Change():
                self.orchestrator.change(service, plan.revisions[command.revision], command, fence)
            case Scale():
                cell = observation.cell(command.cell)
                name = cell.revision if cell else plan.target
                revision = plan.revisions.get(name) or Revision(name, "unknown", {})  # somebody changed the cell
                self.orchestrator.scale(service, revision, command, fence)
            case Retire():
                self.orchestrator.retire(service, command, fence)
            case Route():
                self.discovery.apply(service, command, fence)


def _places(cells: Sequence[Cell], registrations: Sequence[Registration]) -> tuple[Address, ...]:
    """Return every address of what runs, and of what discovery knows: mostly the same ones."""
    places: dict[Address, None] = {}
    listed: dict[str, Instance] = {}
    for cell in cells:
        places.update(cell.places)
        listed.update(cell.members)
    for one in registrations:
        instance = listed.get(one.instance)
        if instance is None or instance.addresses is not one.addresses:
            places.update(dict.fromkeys(one.addresses.values()))
    return tuple(places)


_METHODS = {
    "Orchestrator": ("observe", "launch", "retire"),
    "Discovery": ("registrations", "apply"),
    "Edge": ("view", "addresses"),
    "Journal": ("append", "read"),
    "Lease": ("acquire", "renew"),
}
"""By which methods a part is known for what it is."""


def check_parts(
    orchestrator: object, discovery: object, edges: Iterable[object], journal: object, lease: object
) -> None:
    """Look whether each part is in its own place.

    Raises:
        ConfigurationError: One of them is something else.
    """
    if isinstance(edges, str) or not isinstance(edges, Iterable):
        raise ConfigurationError(f"edges={edges!r}: use a list of edges")
    parts = {"Orchestrator": orchestrator, "Discovery": discovery, "Journal": journal, "Lease": lease}
    for kind, part in (*parts.items(), *(("Edge", edge) for edge in edges)):
        missing = [name for name in _METHODS[kind] if isinstance(part, type) or not hasattr(part, name)]
        if missing:
            raise ConfigurationError(
                f"{kind.lower()} {part!r} has no method {missing[0]}: use an object that has those of "
                f"zdd.interfaces.{kind}"
            )


def check_helpers(clock: object, control: object, intents: object, functions: Mapping[str, object]) -> None:
    """Look whether each part that may be left out is what it should be.

    Raises:
        ConfigurationError: One of them is something else.
    """
    for name, part, methods in (
        ("clock", clock, ("now", "wait")),
        ("control", control, ("orders", "send")),
        ("intents", intents, ("write", "read")),
    ):
        if part is not None:
            check_methods(name, part, methods, f"an object that has those of zdd.interfaces.{name.capitalize()}")
    for name, function in functions.items():
        if not callable(function):
            raise ConfigurationError(f"{name} is {function!r}: use a function")


def listeners_of(value: object) -> tuple[Callable[[Event], object], ...]:
    """Return the listeners that were given.

    Raises:
        ConfigurationError: It is no list of functions.
    """
    found = tuple(value) if isinstance(value, Iterable) else (value,)
    for listener in found:
        if not callable(listener) or isinstance(listener, type) or not isinstance(value, Iterable):
            raise ConfigurationError(f"listeners={value!r}: use a list of functions of one event, such as [print]")
    return found
