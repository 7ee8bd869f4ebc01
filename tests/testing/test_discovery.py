from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryClock, MemoryDiscovery, MemoryWorld
from zdd.adapters.memory.fences import MemoryFences
from zdd.errors import LeaseLost
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration
from zdd.testing import DISCOVERY_RULES, Conditions, ConformanceError, check_discovery

SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")))

State = tuple[tuple[Registration, ...], bool]


def check(kind: Callable[[MemoryWorld], MemoryDiscovery], lag_s: float = 1.0) -> tuple[str, ...]:
    worlds: list[MemoryWorld] = []
    clock = MemoryClock()

    def make() -> MemoryDiscovery:
        worlds.append(MemoryWorld(clock, discovery_lag_s=lag_s))
        return kind(worlds[-1])

    conditions = Conditions(service=SERVICE, clock=clock)
    return check_discovery(make, conditions, again=lambda _: kind(worlds[-1]))


@pytest.mark.parametrize("lag_s", [0.0, 1.0])
def test_the_memory_discovery_keeps_every_rule_however_late_it_is(lag_s: float) -> None:
    assert check(MemoryDiscovery, lag_s) == tuple(rule.name for rule in DISCOVERY_RULES)


class Shows(MemoryDiscovery):
    """Shows something else than what was applied."""

    def registrations(self, service: Service) -> State:
        registrations, held = super().registrations(service)
        return self.shown(registrations), held

    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return registrations


class StartsWithAList(MemoryDiscovery):
    def registrations(self, service: Service) -> Any:
        registrations, held = super().registrations(service)
        return registrations or [], held


class RoundsWeights(Shows):
    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return tuple(evolve(one, weight=min(one.weight, 256)) for one in registrations)


class LosesPorts(Shows):
    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return tuple(evolve(one, addresses={"http": one.addresses["http"]}) for one in registrations)


class ForgetsWhatIsOut(Shows):
    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return tuple(one for one in registrations if one.weight)


class SpeaksOnlyAscii(Shows):
    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return tuple(evolve(one, version=one.version.encode("ascii", "replace").decode()) for one in registrations)


class SortsBackwards(Shows):
    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return registrations[::-1]


class KeepsTheFirstAddress(Shows):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._first: dict[str, Any] = {}

    def shown(self, registrations: tuple[Registration, ...]) -> tuple[Registration, ...]:
        return tuple(
            evolve(one, addresses=self._first.setdefault(one.instance, one.addresses)) for one in registrations
        )


class OnlyAdds(MemoryDiscovery):
    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        known = {one.instance: one for one in (*self.registrations(service)[0], *command.registrations)}
        super().apply(service, evolve(command, registrations=tuple(known.values())), fence)


class TogglesHolding(MemoryDiscovery):
    def registrations(self, service: Service) -> State:
        return super().registrations(service)[0], False


class TwiceIsTwice(MemoryDiscovery):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._last: Route | None = None

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        again = command == self._last
        self._last = command
        registrations = command.registrations * 2 if again else command.registrations
        super().apply(service, evolve(command, registrations=registrations), fence)


class MixesServices(MemoryDiscovery):
    def registrations(self, service: Service) -> State:
        return super().registrations(SERVICE)


class RegistersOnCheck(MemoryDiscovery):
    def check(self, service: Service) -> None:
        self._world.register(service.name, (), held=True)


class EmptiesOnClaim(MemoryDiscovery):
    def claim(self, service: Service, fence: Fence) -> None:
        super().claim(service, fence)
        self._world.register(service.name, (), held=False)


class UnfencedApply(MemoryDiscovery):
    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        super().apply(service, command, evolve(fence, token=10**9))


class UnfencedClaim(MemoryDiscovery):
    def claim(self, service: Service, fence: Fence) -> None:
        pass


class RefusesButApplies(MemoryDiscovery):
    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        self._world.register(service.name, command.registrations, command.held)
        super().apply(service, command, fence)


class ForgetsFencesOfWrites(MemoryDiscovery):
    def _fenced(self, service: Service, command: Route, fence: Fence) -> None:
        greatest = self._world.discovery_fences._greatest.get(service.name)
        if greatest and fence.token < greatest.token:
            raise LeaseLost("too old")
        self._world.register(service.name, command.registrations, command.held)


class OneFenceForAll(MemoryDiscovery):
    def claim(self, service: Service, fence: Fence) -> None:
        self._world.discovery_fences.accept(SERVICE.name, fence)


class FencesOfItsOwn(MemoryDiscovery):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._own = MemoryFences()

    def claim(self, service: Service, fence: Fence) -> None:
        self._own.accept(service.name, fence)

    def _fenced(self, service: Service, command: Route, fence: Fence) -> None:
        self._own.accept(service.name, fence)
        self._world.register(service.name, command.registrations, command.held)


class RemembersOnlyItsOwn(MemoryDiscovery):
    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self._wrote = False

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        super().apply(service, command, fence)
        self._wrote = True

    def registrations(self, service: Service) -> State:
        return super().registrations(service) if self._wrote else ((), False)


BROKEN = [
    ("a service that nobody registered has no registrations", StartsWithAList),
    ("registrations are exactly what was applied", LosesPorts),
    ("what is not applied again is gone", OnlyAdds),
    ("registrations are sorted by instance", SortsBackwards),
    ("apply twice is the same as once", TwiceIsTwice),
    ("weights are kept exactly", RoundsWeights),
    ("weight 0 stays registered", ForgetsWhatIsOut),
    ("versions and revisions are kept letter by letter", SpeaksOnlyAscii),
    ("an address can change", KeepsTheFirstAddress),
    ("whether requests are held back is kept", TogglesHolding),
    ("registrations of one service are not those of another", MixesServices),
    ("check changes nothing", RegistersOnCheck),
    ("an old fence is refused and changes nothing", UnfencedApply),
    ("an old fence is refused and changes nothing", UnfencedClaim),
    ("an old fence is refused and changes nothing", RefusesButApplies),
    ("a write with a greater token shuts out smaller ones", ForgetsFencesOfWrites),
    ("a claim changes no registration", EmptiesOnClaim),
    ("fences of one service are not those of another", OneFenceForAll),
    ("another deployer sees the same registrations", RemembersOnlyItsOwn),
    ("another deployer's fence counts", FencesOfItsOwn),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_a_discovery_that_breaks_a_rule_is_caught_by_it(rule: str, kind: type[MemoryDiscovery]) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind, lag_s=0.0)
    assert rule in caught.value.broken


def test_what_it_said_in_place_of_what_was_awaited_is_told() -> None:
    with pytest.raises(ConformanceError, match=r"it did not happen that it said .*, True\); it said \(.*, False\)"):
        check(TogglesHolding, lag_s=0.0)


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in DISCOVERY_RULES}
