from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryJournal
from zdd.adapters.memory.fences import MemoryFences
from zdd.errors import JournalError
from zdd.events import DeploymentStarted, Event, StagePassed
from zdd.interfaces import Fence
from zdd.testing import JOURNAL_RULES, ConformanceError, check_journal


class Shared(MemoryJournal):
    """A second journal onto the same events, and one whose events can be spoilt."""

    def again(self) -> MemoryJournal:
        other = type(self)()
        other._events, other._fences = self._events, self._fences
        return other

    def spoil(self) -> None:
        self._events["web"][0] = None  # type: ignore[call-overload]

    def read(self, service: str) -> tuple[Event, ...]:
        events = super().read(service)
        if None in events:
            raise JournalError("an event is damaged")
        return events


def check(kind: type[Shared]) -> tuple[str, ...]:
    return check_journal(kind, again=lambda journal: journal.again(), damage=lambda journal: journal.spoil())


def test_the_memory_journal_keeps_every_rule() -> None:
    assert check(Shared) == tuple(rule.name for rule in JOURNAL_RULES)


def test_without_a_second_deployer_and_damage_fewer_rules_are_tried() -> None:
    assert len(check_journal(MemoryJournal)) == len(JOURNAL_RULES) - 3


class IsNotEmpty(Shared):
    def services(self) -> tuple[str, ...]:
        return ("web", *super().services())


class ReturnsAList(Shared):
    def read(self, service: str) -> Any:
        return list(super().read(service))


class SortsByTime(Shared):
    def read(self, service: str) -> tuple[Event, ...]:
        return tuple(sorted(super().read(service), key=lambda event: -event.at_s))


class DropsDoubles(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        if event not in self.read(service):
            super().append(service, event, fence)


class ForgetsThePlan(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        if isinstance(event, DeploymentStarted):
            event = evolve(event, plan=evolve(event.plan, stages=()))
        super().append(service, event, fence)


class CutsText(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        if isinstance(event, StagePassed):
            event = evolve(event, title=event.title[:4096])
        super().append(service, event, fence)


class MixesServices(Shared):
    def read(self, service: str) -> tuple[Event, ...]:
        return tuple(event for name in self.services() for event in super(MixesServices, self).read(name))


class SortsServicesByAge(Shared):
    def services(self) -> tuple[str, ...]:
        return tuple(self._events)


class Unfenced(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        self._events.setdefault(service, []).append(event)


class RefusesButWrites(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        self._events.setdefault(service, []).append(event)
        self._fences.accept(service, fence)


class OneFenceForAll(Shared):
    def append(self, service: str, event: Event, fence: Fence) -> None:
        self._fences.accept("all", fence)
        super().append(service, event, fence)


class CachesWhatItRead(Shared):
    def __init__(self) -> None:
        super().__init__()
        self._own: list[Event] = []

    def append(self, service: str, event: Event, fence: Fence) -> None:
        super().append(service, event, fence)
        self._own.append(event)

    def read(self, service: str) -> tuple[Event, ...]:
        return tuple(self._own)


class FencesOfItsOwn(Shared):
    def again(self) -> MemoryJournal:
        other = super().again()
        other._fences = MemoryFences()
        return other


class SkipsDamage(Shared):
    def read(self, service: str) -> tuple[Event, ...]:
        return tuple(event for event in self._events.get(service, ()) if event is not None)


BROKEN = [
    ("a fresh journal is empty", IsNotEmpty),
    ("it reads back what was appended, in order", ReturnsAList),
    ("it reads back what was appended, in order", SortsByTime),
    ("two equal events are two events", DropsDoubles),
    ("every kind of event comes back as it was", ForgetsThePlan),
    ("every text comes back as it was", CutsText),
    ("events of one service are not those of another", MixesServices),
    ("events of one service are not those of another", SortsServicesByAge),
    ("an old fence is refused and nothing is written", Unfenced),
    ("an old fence is refused and nothing is written", RefusesButWrites),
    ("fences of one service are not those of another", OneFenceForAll),
    ("another deployer reads and writes the same journal", CachesWhatItRead),
    ("another deployer's fence counts", FencesOfItsOwn),
    ("a damaged journal is refused", SkipsDamage),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_a_journal_that_breaks_a_rule_is_caught_by_it(rule: str, kind: type[Shared]) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind)
    assert rule in caught.value.broken


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in JOURNAL_RULES}
