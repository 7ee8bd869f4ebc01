"""An edge of the memory world: it follows discovery after a while, and requests are in flight at what it sends to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, field

from zdd.adapters.memory.entry import Blame, What
from zdd.adapters.memory.instance import MemoryInstance
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.names import check_kind, check_number, check_text
from zdd.model.service import Service
from zdd.model.traffic import EdgeAbilities, EdgeView, Registration

if TYPE_CHECKING:
    from zdd.adapters.memory.world import MemoryWorld


@define(eq=False)
class _Route:
    """What an edge does for one service.

    `known` are the addresses of which discovery has told it, `left` those that it has forgotten since: its count says
    nothing of them any more.
    """

    weights: dict[Address, int] = field(factory=dict)
    held: bool = False
    known: dict[Address, None] = field(factory=dict)
    left: dict[Address, None] = field(factory=dict)
    in_flight: dict[Address, int] = field(factory=dict)
    out_number: dict[Address, int] = field(factory=dict)
    out_at_s: dict[Address, float] = field(factory=dict)

    def counts(self, addresses: Sequence[Address]) -> dict[Address, int]:
        """Return what is in flight at those of the addresses of which its count says anything."""
        asked = dict.fromkeys(addresses, 0)
        found = asked | self.in_flight
        if len(found) > len(asked):
            found = {address: found[address] for address in asked}
        for address in found.keys() & self.left.keys():
            del found[address]
        return found


class MemoryEdge:
    """An edge. Made by `MemoryWorld.add_edge`.

    It follows discovery `lag_s` after discovery changed. An address that it sends requests to has some in flight; once
    it is out, those end as the instance's behaviour says. Of an address that was deregistered its count says nothing.
    """

    def __init__(
        self,
        world: MemoryWorld,
        name: str,
        *,
        lag_s: float | None = None,
        abilities: EdgeAbilities | None = None,
    ) -> None:
        check_text("name of MemoryEdge", name)
        if lag_s is not None:
            check_number("lag_s of MemoryEdge", lag_s, least=0)
        if abilities is not None:
            check_kind("abilities of MemoryEdge", abilities, EdgeAbilities, "zdd.model.traffic.EdgeAbilities()")
        self.lag_s = lag_s
        self._world = world
        self._name = name
        self._abilities = abilities if abilities is not None else EdgeAbilities(holds=True)
        self._routes: dict[str, _Route] = {}
        self._takes_s = 0.0
        self._reachable = True
        self._waiting: dict[str, tuple[tuple[Registration, ...], bool]] | None = None
        self._old_picture: dict[str, _Route] | None = None
        self._process = 1
        self._counts_from_s = 0.0
        self._number = 0

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self._name

    @property
    def abilities(self) -> EdgeAbilities:
        """What it can do."""
        return self._abilities

    # -- what the driver asks --------------------------------------------------------------------------------------

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, the stable address at which clients reach the service."""
        return {exposure.port: Address(f"{self._name}.{service.name}", 80) for exposure in service.exposures}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Say where new requests of this service go right now, and what is in flight at the given addresses.

        Raises:
            TemporaryError: It can't be reached.
        """
        self._world.attempt("view", service.name)
        if not self._reachable:
            raise TemporaryError(f"edge {self._name} does not answer")
        route = (self._old_picture or self._routes).get(service.name) or _Route()
        weights = {} if route.held else route.weights  # nobody writes to it: the next change makes another one
        if not self._abilities.weighs:
            weights = dict.fromkeys(weights, 1)
        in_flight: dict[Address, int] = {}
        now_s = self._world.clock.now()
        if self._abilities.counts and now_s >= self._counts_from_s:
            in_flight = route.counts(addresses)
        return EdgeView(self._name, now_s, True, route.held, weights, in_flight, f"{self._name}#{self._process}")

    # -- what people do --------------------------------------------------------------------------------------------

    def cut_off(self) -> None:
        """Let nobody reach it to ask it anything. It goes on following discovery, and sending requests."""
        self._reachable = False
        self._note("cut off")

    def reconnect(self) -> None:
        """Let it be asked again."""
        self._reachable = True
        self._note("reconnected")

    def stick(self) -> None:
        """Let it go on with what it does, and follow discovery no more."""
        if self._waiting is None:
            self._waiting = {}
            self._note("stuck")

    def loosen(self) -> None:
        """Let it follow discovery again, beginning with what it missed."""
        missed, self._waiting = self._waiting, None
        self._note("no longer stuck")
        for service, (registrations, held) in (missed or {}).items():
            self.take(service, registrations, held)
            self._world.changed(service)

    def freeze_picture(self) -> None:
        """Let every answer be what is true now, while the edge itself goes on: a cache in between, for example."""
        self._old_picture = {
            service: _Route(r.weights, r.held, dict(r.known), dict(r.left), dict(r.in_flight))
            for service, r in self._routes.items()
        } or {"": _Route()}
        self._note("answers with an old picture")

    def thaw_picture(self) -> None:
        """Let answers be true again."""
        self._old_picture = None
        self._note("answers with the present picture")

    def reload(self, old_process_s: float) -> None:
        """Let another process take over. What is in flight is not known until the old one has gone."""
        self._process += 1
        self._counts_from_s = self._world.clock.now() + old_process_s
        self._note("reloaded")

    def _note(self, note: str) -> None:
        self._world.record(What.EDGE, "", edge=self._name, note=note)

    # -- what the world does ---------------------------------------------------------------------------------------

    def told(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        """Take it in after the lag, and after everything that was told earlier."""
        now_s = self._world.clock.now()
        lag_s = self._world.edge_lag_s if self.lag_s is None else self.lag_s
        self._takes_s = max(self._takes_s, now_s + lag_s)
        if self._takes_s > now_s:
            self._world.clock.call_at(self._takes_s, partial(self._take_later, service, registrations, held))
        else:
            self.take(service, registrations, held)

    def _take_later(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        self.take(service, registrations, held)
        self._world.changed(service)

    def take(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        """Do what discovery says, unless stuck."""
        if self._waiting is not None:
            self._waiting[service] = (registrations, held)
            return
        route = self._route(service)
        sending_before = {} if route.held else route.weights
        known = dict.fromkeys([address for one in registrations for address in one.addresses.values()])
        weights = {address: one.weight for one in registrations if one.weight > 0 for address in one.addresses.values()}
        there = self._world.cells.at  # of what has gone there is nothing to count any more: see `forget`
        left = [address for address in route.known if address not in known and there(address) is not None]
        route.left.update(dict.fromkeys(left))
        for address in route.left.keys() & known.keys():
            del route.left[address]
        could_answer = not weights and (route.held or any(map(self._answers, route.weights)))
        route.known, route.weights, route.held = known, weights, held and self._abilities.holds
        sending = {} if route.held else weights
        for address in sending_before:
            if address not in sending:
                self._out(route, address)
        for address in sending:
            if address not in sending_before:
                self._sends(route, address, service)
        if could_answer and not route.held:
            self._world.record(What.LOST, service, edge=self._name, requests=1, blame=Blame.GAP)

    def _answers(self, address: Address) -> bool:
        instance = self._world.cells.at(address)
        return instance is not None and instance.state in (InstanceState.READY, InstanceState.FAILED)

    def _route(self, service: str) -> _Route:
        route = self._routes.get(service)
        if route is None:
            route = self._routes[service] = _Route()
        return route

    def _sends(self, route: _Route, address: Address, service: str) -> None:
        route.out_number.pop(address, None)
        route.out_at_s.pop(address, None)
        instance = self._world.cells.last_at(address)
        if instance is None:
            note = f"nothing was ever at {address}"
            blame = Blame.ROUTED_BY_COMMAND
            self._world.record(What.LOST, service, edge=self._name, requests=1, blame=blame, note=note)
            return
        if instance.exists:
            instance.edges[self._name] = instance.edges.get(self._name, 0) + 1
            self._world.record_instance(What.SENDING, instance, edge=self._name)
        if instance.state is InstanceState.STARTING:
            self._world.record_loss(instance, self._name, 1, Blame.ROUTED_BY_COMMAND)
        elif instance.state is InstanceState.STOPPING or not instance.exists:
            blame = Blame.STOPPED_BY_COMMAND if instance.stopped_by_command else Blame.WORLD
            self._world.record_loss(instance, self._name, 1, blame)
        else:
            self._fill(route, address, instance)

    def _fill(self, route: _Route, address: Address, instance: MemoryInstance) -> None:
        if self._world.traffic:
            route.in_flight[address] = instance.behaviour.requests + instance.behaviour.long_connections

    def serves(self, instance: MemoryInstance) -> None:
        """An instance became ready: requests that are sent there are answered from now on."""
        if self._name in instance.edges:
            route = self._routes[instance.service]
            for address in instance.addresses.values():
                if address in route.weights and not route.held:
                    self._fill(route, address, instance)

    def _out(self, route: _Route, address: Address) -> None:
        instance = self._world.cells.at(address)
        if instance is None:
            route.in_flight.pop(address, None)
            return
        left = instance.edges.get(self._name, 0) - 1
        if left > 0:
            instance.edges[self._name] = left
        else:
            instance.edges.pop(self._name, None)
        route.out_at_s[address] = self._world.clock.now()
        self._world.record_instance(What.OUT, instance, edge=self._name)
        if route.in_flight.get(address):
            self._number += 1
            route.out_number[address] = self._number
            ended = partial(self._ended, route, address, instance, self._number)
            self._world.clock.call_after(instance.behaviour.request_s, ended)

    def _ended(self, route: _Route, address: Address, instance: MemoryInstance, number: int) -> None:
        if route.out_number.get(address) != number:
            return
        del route.out_number[address]
        if instance.behaviour.long_connections:
            route.in_flight[address] = instance.behaviour.long_connections
        else:
            route.in_flight.pop(address, None)
            self._world.record_instance(What.IDLE, instance, edge=self._name)
        self._world.changed(instance.service)

    def lost(self, instance: MemoryInstance, *, by_command: bool, announced: bool) -> None:
        """An instance stops: what is in flight there is lost, and so is what goes on being sent there."""
        route = self._routes.get(instance.service)
        if route is None:
            return
        in_flight = 0
        for address in instance.addresses.values():
            in_flight += route.in_flight.pop(address, 0)
            route.out_number.pop(address, None)
        sending = self._name in instance.edges
        if in_flight or sending:
            blame = Blame.STOPPED_BY_COMMAND if by_command else Blame.WORLD
            requests = in_flight + (1 if sending else 0)
            now_s = self._world.clock.now()
            out_s = max((route.out_at_s.get(address, now_s) for address in instance.addresses.values()), default=now_s)
            out_for_s = None if sending else now_s - out_s
            told = announced and not sending
            self._world.record_loss(instance, self._name, requests, blame, announced=told, out_for_s=out_for_s)

    def forget(self, instance: MemoryInstance) -> None:
        """Nothing is left of an instance, so nothing can be in flight there."""
        route = self._routes.get(instance.service)
        if route is not None:
            for address in instance.addresses.values():
                route.left.pop(address, None)
                route.out_at_s.pop(address, None)

    def truly_in_flight(self, instance: MemoryInstance) -> int:
        """Return how many requests and connections are truly in flight at an instance."""
        route = self._routes.get(instance.service)
        return sum(route.in_flight.get(address, 0) for address in instance.addresses.values()) if route else 0
