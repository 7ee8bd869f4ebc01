"""Looking leaves what is left of commands, and tidying puts it right: an orchestrator that does not is caught."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryOrchestrator
from zdd.interfaces import Fence
from zdd.model.cell import Cell
from zdd.model.service import Service
from zdd.testing import ConformanceError
from zdd.testing.orchestrator_tidying import TIDYING_RULES as RULES

Check = Callable[..., tuple[str, ...]]


class ClaimsWhenLookedAt(MemoryOrchestrator):
    def observe(self, service: Service) -> tuple[Cell, ...]:
        cells = super().observe(service)
        if len(cells) == 1:
            super().claim(service, Fence(3, "somebody who only looks"))
        return cells


class RestartsWhenTidied(MemoryOrchestrator):
    def tidy(self, service: Service, fence: Fence) -> bool:
        for instance in self._world.instances(service.name):
            self._world.kill(instance.id)
        return True


class NeverTidies(MemoryOrchestrator):
    def tidy(self, service: Service, fence: Fence) -> bool:
        return False


class TidiesForAnybody(MemoryOrchestrator):
    def tidy(self, service: Service, fence: Fence) -> bool:
        greatest = self._world.orchestrator_fences._greatest[service.name].token
        super().claim(service, evolve(fence, token=greatest + 1))
        return True


BROKEN = [
    ("looking writes nothing", ClaimsWhenLookedAt),
    ("tidying changes no instance, and ends when nothing is left", RestartsWhenTidied),
    ("tidying changes no instance, and ends when nothing is left", NeverTidies),
    ("tidying with an old fence writes nothing", TidiesForAnybody),
]


def test_the_memory_orchestrator_keeps_every_rule(check: Check) -> None:
    assert check(MemoryOrchestrator, RULES) == tuple(rule.name for rule in RULES)


def test_where_nobody_can_tell_what_is_written_only_the_instances_are_looked_at(check: Check) -> None:
    tried = check(MemoryOrchestrator, RULES, written=None)
    assert tried == ("tidying changes no instance, and ends when nothing is left",)


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_one_that_breaks_a_rule_is_caught_by_it(check: Check, rule: str, kind: type[MemoryOrchestrator]) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind, RULES)
    assert rule in caught.value.broken
    assert f"  {rule}: " in str(caught.value)


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in RULES}
