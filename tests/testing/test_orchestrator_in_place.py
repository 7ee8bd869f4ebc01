"""A change in place goes as far as it was told, and no further: an orchestrator that does otherwise is caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryOrchestrator
from zdd.interfaces import Fence
from zdd.model.cell import Cell, Instance
from zdd.model.command import Change
from zdd.model.service import Service
from zdd.testing import ConformanceError
from zdd.testing.orchestrator_in_place import IN_PLACE_RULES as RULES

Check = Callable[..., tuple[str, ...]]


class ChangesAllInPlace(MemoryOrchestrator):
    def change(self, service: Service, revision: Any, command: Change, fence: Fence) -> None:
        super().change(service, revision, evolve(command, in_place=None), fence)


class GoesOnWhenClaimed(MemoryOrchestrator):
    """Does the next batch when somebody writes to the service, as Swarm's own updater does."""

    _last: Any = None

    def change(self, service: Service, revision: Any, command: Change, fence: Fence) -> None:
        super().change(service, revision, command, fence)
        if command.in_place is not None:
            further = evolve(command.in_place, changed=min(command.replicas, command.in_place.changed + 1))
            type(self)._last = (service, revision, evolve(command, in_place=further))

    def claim(self, service: Service, fence: Fence) -> None:
        super().claim(service, fence)
        if self._last is not None:
            super().change(*self._last, fence)


class NamesNoVictim(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        def shown(instance: Instance) -> Instance:
            return evolve(instance, replaced_by="")

        return tuple(evolve(cell, instances=tuple(map(shown, cell.instances))) for cell in super().observe(service))


class StopsFirst(MemoryOrchestrator):
    def change(self, service: Service, revision: Any, command: Change, fence: Fence) -> None:
        if command.in_place is not None:
            command = evolve(command, in_place=evolve(command.in_place, order="stop-first"))
        super().change(service, revision, command, fence)


class NotAble(MemoryOrchestrator):
    @property
    def abilities(self) -> Any:
        return evolve(super().abilities, in_place=False)


FAR = "a change in place goes as far as it was told, whoever claims meanwhile"
VICTIM = "what starts first names the one in whose place it comes, which stays until it is ready or turned round"
BROKEN = [(FAR, ChangesAllInPlace), (FAR, GoesOnWhenClaimed), (VICTIM, NamesNoVictim), (VICTIM, StopsFirst)]


def test_the_memory_orchestrator_keeps_every_rule(check: Check) -> None:
    assert check(MemoryOrchestrator, RULES) == (FAR, VICTIM)


def test_only_what_can_be_tried_is(check: Check) -> None:
    assert check(MemoryOrchestrator, RULES, never_ready=None) == (FAR,)
    assert check(NotAble, RULES) == ()


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_one_that_breaks_a_rule_is_caught_by_it(check: Check, rule: str, kind: type[MemoryOrchestrator]) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind, RULES)
    assert rule in caught.value.broken
    assert f"  {rule}: " in str(caught.value)


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in RULES}
