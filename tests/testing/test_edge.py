from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import Behaviour, MemoryClock, MemoryDiscovery, MemoryEdge, MemoryOrchestrator, MemoryWorld
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Launch
from zdd.model.release import Revision
from zdd.model.service import Exposure, Service
from zdd.model.traffic import EdgeAbilities, EdgeView, Registration
from zdd.testing import EDGE_RULES, Conditions, ConformanceError, EdgeBench, check_edge

SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")))

ABLE = EdgeAbilities(weighs=True, holds=True, counts=True)
UNABLE = EdgeAbilities(weighs=False, holds=False, counts=False)

ONLY_ABLE = {
    "it divides traffic by weight",
    "it holds requests back and lets them go",
    "what is out is still counted, and comes to nothing",
    "a request is in flight until it has ended",
    "counts name the process that counted",
}
ONLY_UNABLE = {
    "an edge that can't weigh says 1",
    "an edge that can't hold never says that it does",
    "an edge that can't count tells no counts",
}

Kind = Callable[..., MemoryEdge]


def check(kind: Kind, abilities: EdgeAbilities = ABLE) -> tuple[str, ...]:
    clock = MemoryClock()
    conditions = Conditions(service=SERVICE, clock=clock)
    return check_edge(partial(bench, clock, kind, abilities), conditions)


def bench(clock: MemoryClock, kind: Kind, abilities: EdgeAbilities) -> EdgeBench:
    """Two instances that run, and an edge; with one request at a time, which is in flight only where that is asked."""
    world = MemoryWorld(clock, Behaviour(requests=1))
    edge = kind(world, "edge", abilities=abilities)
    world.edges.append(edge)
    revision = Revision("r", "1.0", {"kind": "process"})
    MemoryOrchestrator(world).launch(SERVICE, revision, Launch("kit", "r", 2), Fence(1, "test"))
    clock.run_until(clock.now() + 5.0)

    @contextmanager
    def open_request() -> Iterator[None]:
        """A request that lasts as long as its context: the world's requests don't end meanwhile."""
        (one, *_) = world.instances()
        one.behaviour = Behaviour(requests=1, request_s=20.0)
        yield
        one.behaviour = Behaviour(requests=1)

    @contextmanager
    def cut_off() -> Iterator[None]:
        edge.cut_off()
        yield
        edge.reconnect()

    registrations = [Registration(i.id, i.cell, i.revision, i.version, i.addresses, 0) for i in world.instances()]
    return EdgeBench(
        edge=edge,
        discovery=MemoryDiscovery(world),
        registrations=registrations,
        open_request=open_request,
        cut_off=cut_off,
    )


def test_the_memory_edge_keeps_every_rule_of_an_able_one() -> None:
    assert set(check(MemoryEdge)) == {rule.name for rule in EDGE_RULES} - ONLY_UNABLE


def test_the_memory_edge_keeps_every_rule_of_one_that_can_do_little() -> None:
    assert set(check(MemoryEdge, UNABLE)) == {rule.name for rule in EDGE_RULES} - ONLY_ABLE


def test_an_edge_is_tried_with_two_instances_or_more() -> None:
    clock = MemoryClock()

    def make() -> EdgeBench:
        whole = bench(clock, MemoryEdge, ABLE)
        return evolve(whole, registrations=whole.registrations[:1])

    with pytest.raises(ConformanceError, match="two registrations or more"):
        check_edge(make, Conditions(service=SERVICE, clock=clock))


class Shows(MemoryEdge):
    """Says something else than what is."""

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        return self.shown(super().view(service, addresses))

    def shown(self, view: EdgeView) -> EdgeView:
        return view


class ForgetsItsName(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, edge="proxy")


class MovesItsAddress(MemoryEdge):
    def addresses(self, service: Service) -> dict[str, Address]:
        route = self._route(service.name)
        return {port: Address(f"edge-{len(route.known)}", 80) for port in super().addresses(service)}


class LacksAPort(MemoryEdge):
    def addresses(self, service: Service) -> dict[str, Address]:
        return {"http": super().addresses(service)["http"]}


class TellsTheTimeOfTheAnswer(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, as_of_s=view.as_of_s + 3.0)


class SaysItIsNotReachable(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, reachable=False)


class HidesThatItIsCutOff(MemoryEdge):
    def cut_off(self) -> None:
        pass


class SendsToAStranger(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, weights=view.weights or {Address("10.9.9.9", 80): 1})


class EchoesNothing(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, weights={})


class SplitsEvenly(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, weights=dict.fromkeys(view.weights, 1))


class ClaimsWeights(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, weights={one: 1 + place for place, one in enumerate(view.weights)})


class FollowsOnlyUp(MemoryEdge):
    def take(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        super().take(service, tuple(evolve(one, weight=max(1, one.weight)) for one in registrations), held)


class ForgetsForGood(MemoryEdge):
    def take(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        gone = self.__dict__.setdefault("gone", set())
        gone.update(one.instance for one in registrations if not one.weight)
        kept = tuple(evolve(one, weight=0) if one.instance in gone else one for one in registrations)
        super().take(service, kept, held)


class NeverForgets(MemoryEdge):
    def take(self, service: str, registrations: tuple[Registration, ...], held: bool) -> None:
        known = self.__dict__.setdefault("all", {})
        known.update({one.instance: one for one in registrations})
        super().take(service, tuple(known.values()), held)


class MixesServices(MemoryEdge):
    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        return super().view(SERVICE, addresses)


class NeverLetsGo(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        self.__dict__["was_held"] = self.__dict__.get("was_held", False) or view.held
        return evolve(view, held=self.__dict__["was_held"])


class ClaimsToHold(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, held=True)


class TellsTooMuch(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, in_flight={**view.in_flight, Address("10.9.9.9", 80): 1})


class CountsOnlyWhatItSendsTo(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, in_flight={one: n for one, n in view.in_flight.items() if one in view.weights})


class GuessesNothing(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, in_flight=dict.fromkeys(view.in_flight, 0))


class CallsNobodyIdle(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, in_flight=dict.fromkeys(view.in_flight, 1))


class IsAnotherProcessEachTime(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        self._number += 1
        return evolve(view, process=f"process {self._number}")


class CountsThoughItCanNot(Shows):
    def shown(self, view: EdgeView) -> EdgeView:
        return evolve(view, in_flight=dict.fromkeys(view.weights, 0))


BROKEN: list[tuple[str, Any, EdgeAbilities]] = [
    ("it keeps its name", ForgetsItsName, ABLE),
    ("it has a stable address for every port", LacksAPort, ABLE),
    ("it has a stable address for every port", MovesItsAddress, ABLE),
    ("a view says when it was asked", TellsTheTimeOfTheAnswer, ABLE),
    ("an edge that answers is reachable", SaysItIsNotReachable, ABLE),
    ("an edge that can't be reached says so", HidesThatItIsCutOff, ABLE),
    ("nothing is sent before anything is registered", SendsToAStranger, ABLE),
    ("it follows discovery", EchoesNothing, ABLE),
    ("it divides traffic by weight", SplitsEvenly, ABLE),
    ("an edge that can't weigh says 1", ClaimsWeights, UNABLE),
    ("what is out gets no new requests", FollowsOnlyUp, ABLE),
    ("what was out can come back", ForgetsForGood, ABLE),
    ("what was deregistered gets no new requests", NeverForgets, ABLE),
    ("requests of one service are not those of another", MixesServices, ABLE),
    ("it holds requests back and lets them go", NeverLetsGo, ABLE),
    ("an edge that can't hold never says that it does", ClaimsToHold, UNABLE),
    ("it tells counts only of what was asked", TellsTooMuch, ABLE),
    ("what is out is still counted, and comes to nothing", CountsOnlyWhatItSendsTo, ABLE),
    ("what is out is still counted, and comes to nothing", CallsNobodyIdle, ABLE),
    ("a request is in flight until it has ended", GuessesNothing, ABLE),
    ("an edge that can't count tells no counts", CountsThoughItCanNot, UNABLE),
    ("counts name the process that counted", IsAnotherProcessEachTime, ABLE),
]


@pytest.mark.parametrize(("rule", "kind", "abilities"), BROKEN)
def test_an_edge_that_breaks_a_rule_is_caught_by_it(rule: str, kind: Any, abilities: EdgeAbilities) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind, abilities)
    assert rule in caught.value.broken


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule.name for rule in EDGE_RULES}
