"""A world without I/O: what the memory adapters share, what people do to it, and what truly happens in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from zdd.adapters.memory.behaviour import Behaviour, behaviour_of
from zdd.adapters.memory.cells import MemoryCells
from zdd.adapters.memory.clock import MemoryClock
from zdd.adapters.memory.edge import MemoryEdge
from zdd.adapters.memory.entry import Blame, Entry, What
from zdd.adapters.memory.fault import Fault
from zdd.adapters.memory.fences import MemoryFences
from zdd.adapters.memory.instance import Health, MemoryInstance
from zdd.errors import LeaseLost, PermanentError
from zdd.model.address import Address
from zdd.model.cell import Cell, InstanceState
from zdd.model.names import check_kind, check_number, pairs_of
from zdd.model.release import Specification
from zdd.model.traffic import EdgeAbilities, Registration

Intercept = Callable[[str, str], Fault | None]
Observer = Callable[[Entry], None]


class MemoryWorld:
    """A world without I/O, threads or chance: the same calls in the same order give the same history.

    Attributes:
        clock: Its time.
        traffic: Clients send requests. Without, nothing is ever in flight.
        edge_lag_s: Seconds until an edge follows discovery, for edges that have no lag of their own.
        discovery_lag_s: Seconds until discovery has taken in what it was told.
        restart_delay_s: Seconds until the orchestrator replaces an instance that ended by itself.
        intercept: Asked before every call with the method's and the service's name; the fault that it returns
            happens. It may raise as well, in place of a deployer that dies in that moment.
        edges: Its edges, in the order in which they were made.
    """

    def __init__(
        self,
        clock: MemoryClock | None = None,
        behaviour: Behaviour | None = None,
        *,
        versions: Mapping[str, Behaviour] | None = None,
        edge_lag_s: float = 0.1,
        discovery_lag_s: float = 0.0,
        restart_delay_s: float = 1.0,
    ) -> None:
        lags = {"edge_lag_s": edge_lag_s, "discovery_lag_s": discovery_lag_s, "restart_delay_s": restart_delay_s}
        for name, seconds in lags.items():
            check_number(f"{name} of MemoryWorld", seconds, least=0)
        if clock is not None:
            check_kind("clock of MemoryWorld", clock, MemoryClock, "a MemoryClock()")
        if behaviour is not None:
            check_kind("behaviour of MemoryWorld", behaviour, Behaviour, "a Behaviour()")
        self.clock = clock if clock is not None else MemoryClock()
        self.traffic = True
        self.edge_lag_s = edge_lag_s
        self.discovery_lag_s = discovery_lag_s
        self.restart_delay_s = restart_delay_s
        self.intercept: Intercept | None = None
        self.edges: list[MemoryEdge] = []
        self.cells = MemoryCells(self)
        self.orchestrator_fences = MemoryFences()
        self.discovery_fences = MemoryFences()
        self._behaviour = behaviour if behaviour is not None else Behaviour()
        self._versions: dict[str, Behaviour] = pairs_of(
            "versions of MemoryWorld", versions or {}, {"2.0": "Behaviour()"}
        )
        self._registered: dict[str, tuple[tuple[Registration, ...], bool]] = {}
        self._registers_s = 0.0
        self._old_lists: dict[str, tuple[Cell, ...]] | None = None
        self._faults: list[Fault] = []
        self._entries: list[Entry] = []
        self._observers: list[Observer] = []
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    # -- what truly is ---------------------------------------------------------------------------------------------

    @property
    def log(self) -> tuple[Entry, ...]:
        """Everything that happened, oldest first."""
        return tuple(self._entries)

    def lost(self, blame: Blame | None = None, *, announced: bool | None = None) -> tuple[Entry, ...]:
        """Return the entries of lost requests; of one blame only, announced or not only, if that is given."""
        return tuple(
            entry
            for entry in self._entries
            if entry.what is What.LOST and blame in (None, entry.blame) and announced in (None, entry.announced)
        )

    def observe_changes(self, callback: Observer) -> Callable[[], None]:
        """Call it with every entry, in the moment in which it happens. Return a function that ends this."""
        self._observers.append(callback)
        return partial(self._observers.remove, callback)

    def instances(self, service: str | None = None) -> tuple[MemoryInstance, ...]:
        """Return the instances of which something is left, oldest first; those of one service, if it is given."""
        return tuple(one for one in self.cells.existing.values() if service in (None, one.service))

    def serving(self, service: str | None = None) -> tuple[MemoryInstance, ...]:
        """Return those that serve: ready, truly healthy, and sent new requests by every edge."""
        count = len(self.edges)
        return tuple(
            one
            for one in self.cells.existing.values()
            if len(one.edges) == count and one.ready and one.truly_healthy and service in (None, one.service)
        )

    def in_flight(self, instance: MemoryInstance) -> int:
        """Return how many requests and connections are truly in flight at it."""
        return sum(edge.truly_in_flight(instance) for edge in self.edges)

    def health_at(self, address: Address) -> Health:
        """Return what a gate sees at an address."""
        instance = self.cells.at(address)
        if instance is None or instance.state is InstanceState.STARTING:
            return Health(False, f"nothing listens at {address}")
        if instance.hangs:
            return Health(False, f"no answer from {address}")
        if not instance.truly_healthy:
            return Health(False, f"{address} says that it is not healthy")
        return Health(True, f"{address} is healthy")

    def behaviour_of(self, version: str, workload: Specification) -> Behaviour:
        """Return how a version behaves: what was set for it, else what its workload states, else the default."""
        if version in self._versions:
            return self._versions[version]
        return behaviour_of(workload) or self._behaviour

    # -- what people do --------------------------------------------------------------------------------------------

    def set_behaviour(self, version: str, behaviour: Behaviour) -> None:
        """Let the instances of a version that start from now on behave like this."""
        self._versions[version] = behaviour

    def kill(self, instance: str) -> None:
        """End an instance at once. The orchestrator replaces it. One that has gone already is no error."""
        found = self.cells.existing.get(instance)
        if found is not None:
            self.cells.crash(found)

    def lose_address(self, instance_id: str) -> None:
        """Let the orchestrator say no more where an instance is, which serves as before."""
        self.cells.lose_address(instance_id)

    def mark(self, instance: str, *, healthy: bool | None = None, hangs: bool | None = None) -> None:
        """Change what gates see of an instance."""
        found = self._find(instance)
        found.healthy = found.healthy if healthy is None else healthy
        found.hangs = found.hangs if hangs is None else hangs
        self.record_instance(What.HEALTH, found, "healthy" if found.truly_healthy else "not healthy")

    def mark_failed(self, instance: str, note: str = "marked by hand") -> None:
        """Let the orchestrator say that an instance has failed, though it goes on running."""
        found = self._find(instance)
        cell = self.cells.get(found.service, found.cell)
        if cell is not None:
            self.cells.set_state(cell, found, InstanceState.FAILED, note)
            self.changed(found.service)

    def scale_by_hand(self, service: str, cell: str, replicas: int) -> None:
        """Start or stop instances of a cell behind the deployer's back."""
        self.cells.scale_by_hand(service, cell, replicas)
        self.changed(service)

    def register_by_hand(self, service: str, registrations: tuple[Registration, ...], *, held: bool = False) -> None:
        """Change what discovery knows behind the deployer's back."""
        self.register(service, registrations, held)
        self.changed(service)

    def freeze_lists(self) -> None:
        """Let the orchestrator show what runs now, whatever happens from here on."""
        self._old_lists = self.cells.observe_all()

    def thaw_lists(self) -> None:
        """Let the orchestrator show what runs again."""
        self._old_lists = None

    def listed(self, service: str) -> tuple[Cell, ...]:
        """Return the cells that the orchestrator shows."""
        return self.cells.observe(service) if self._old_lists is None else self._old_lists.get(service, ())

    def add_edge(
        self, name: str = "edge", *, lag_s: float | None = None, abilities: EdgeAbilities | None = None
    ) -> MemoryEdge:
        """Return a new edge of this world. It knows at once what discovery knows."""
        edge = MemoryEdge(self, name, lag_s=lag_s, abilities=abilities)
        self.edges.append(edge)
        for service, (registrations, held) in self._registered.items():
            edge.take(service, registrations, held)
        return edge

    def add_fault(self, fault: Fault, times: int = 1) -> None:
        """Let the next call that it matches go wrong; the next ones, if more than once."""
        self._faults.extend([fault] * times)

    def _find(self, instance: str) -> MemoryInstance:
        found = self.cells.existing.get(instance)
        if found is None:
            known = ", ".join(self.cells.existing) or "none"
            raise KeyError(f"there is no instance {instance!r}; there are: {known}")
        return found

    # -- what the adapters do --------------------------------------------------------------------------------------

    def attempt(self, method: str, service: str, effect: Callable[[], None] | None = None) -> None:
        """Let a call happen, go wrong, or be lost: as `intercept` and the faults say.

        Raises:
            AdapterError: It goes wrong, or its outcome is unknown.
        """
        fault = self._next_fault(method, service)
        if fault is None:
            if effect is not None:
                effect()
            return
        self.record(What.COMMAND, service, note=f"{method}: {fault.kind.value}")
        if effect is not None and fault.applied_after_s is not None:
            late = partial(self._apply_unanswered, method, service, effect)
            if fault.applied_after_s > 0:
                self.clock.call_after(fault.applied_after_s, late)
            else:
                late()
        raise fault.error(method)

    def _next_fault(self, method: str, service: str) -> Fault | None:
        fault = self.intercept(method, service) if self.intercept is not None else None
        if fault is None and self._faults:
            fault = next((fault for fault in self._faults if fault.matches(method, service)), None)
            if fault is not None:
                self._faults.remove(fault)
        return fault

    def _apply_unanswered(self, method: str, service: str, effect: Callable[[], None]) -> None:
        try:
            effect()
        except (LeaseLost, PermanentError) as refusal:
            self.record(What.COMMAND, service, note=f"{method} refused: {refusal}")
        else:
            self.record(What.COMMAND, service, note=f"{method} applied without an answer")
            self.changed(service)

    def registered(self, service: str) -> tuple[tuple[Registration, ...], bool]:
        """Return what discovery knows."""
        return self._registered.get(service, ((), False))

    def register(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        """Let discovery know this after its lag, and then the edges after theirs."""
        ordered = tuple(sorted(registrations, key=_instance_of))
        self._registers_s = max(self._registers_s, self.clock.now() + self.discovery_lag_s)
        if self._registers_s > self.clock.now():
            self.clock.call_at(self._registers_s, partial(self._took_in, service, ordered, held))
        else:
            self._register_now(service, ordered, held)

    def _took_in(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        self._register_now(service, registrations, held)
        self.changed(service)

    def _register_now(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        self._registered[service] = (registrations, held)
        self.record(What.REGISTERED, service, note="held" if held else "")
        for edge in self.edges:
            edge.told(service, registrations, held)

    # -- telling ---------------------------------------------------------------------------------------------------

    def record(
        self, what: What, service: str, *, cell: str = "", edge: str = "", requests: int = 0,
        blame: Blame | None = None, note: str = "",
    ) -> None:  # fmt: skip
        """Write down what happened to a service, and tell the observers."""
        self._tell(Entry(self.clock.now(), what, service, "", cell, edge, requests, blame, False, None, note))

    def record_instance(self, what: What, instance: MemoryInstance, note: str = "", edge: str = "") -> None:
        """Write down what happened to an instance, and tell the observers."""
        service, cell = instance.service, instance.cell
        self._tell(Entry(self.clock.now(), what, service, instance.id, cell, edge, 0, None, False, None, note))

    def record_loss(
        self, instance: MemoryInstance, edge: str, requests: int, blame: Blame, *,
        announced: bool = False, out_for_s: float | None = None,
    ) -> None:  # fmt: skip
        """Write down that requests were lost at an instance, and tell the observers."""
        now_s, service, cell = self.clock.now(), instance.service, instance.cell
        self._tell(Entry(now_s, What.LOST, service, instance.id, cell, edge, requests, blame, announced, out_for_s))

    def _tell(self, entry: Entry) -> None:
        self._entries.append(entry)
        for observer in self._observers:
            observer(entry)

    def watch(self, service: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call it whenever something has changed that no command did. Return a function that ends the watch."""
        watchers = self._watchers.setdefault(service, [])
        watchers.append(wake)
        return partial(_remove, watchers, wake)

    def changed(self, service: str) -> None:
        """Wake those who watch a service."""
        for wake in self._watchers.get(service, ()):
            wake()


def _instance_of(registration: Registration) -> str:
    return registration.instance


def _remove(watchers: list[Callable[[], None]], wake: Callable[[], None]) -> None:
    if wake in watchers:
        watchers.remove(wake)
