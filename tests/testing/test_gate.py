from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen

from zdd.adapters.memory import Behaviour, HealthyGate, MemoryOrchestrator, MemoryWorld
from zdd.interfaces import Fence, Target
from zdd.model.address import Address
from zdd.model.command import Launch
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.verdict import Result, Sample, Verdict
from zdd.testing import GATE_RULES, ConformanceError, check_gate

BAD = Target("kit", "1.0", "r", "bad", {"http": Address("10.9.9.9", 80)})


@pytest.fixture
def world() -> MemoryWorld:
    world = MemoryWorld(behaviour=Behaviour())
    service, revision = Service("kit"), Revision("r", "1.0", {"kind": "process"})
    MemoryOrchestrator(world).launch(service, revision, Launch("kit", "r", 1), Fence(1, "test"))
    world.clock.run_until(world.clock.now() + 5.0)
    return world


def good(world: MemoryWorld) -> Target:
    (one,) = world.instances()
    return Target("kit", "1.0", "r", one.id, one.addresses)


def test_the_memory_worlds_gate_keeps_every_rule(world: MemoryWorld) -> None:
    gate = HealthyGate(world, "http", in_a_row=3)
    checked = check_gate(gate, good(world), bad_target=BAD, clock=world.clock)
    assert checked == tuple(rule.name for rule in GATE_RULES)


def test_without_a_bad_target_one_rule_less_is_tried(world: MemoryWorld) -> None:
    assert len(check_gate(HealthyGate(world), good(world), clock=world.clock)) == len(GATE_RULES) - 1


class SaysTooMuch(HealthyGate):
    def __str__(self) -> str:
        return "one line\nand another"


class LooksElsewhere(HealthyGate):
    def ports(self) -> frozenset[str]:
        return frozenset({"metrics"})


class AnswersYes(HealthyGate):
    def sample(self, target: Target) -> Any:
        return True


class BelievesAtOnce(HealthyGate):
    def judge(self, samples: Sequence[Sample]) -> Verdict:
        return super().judge(samples) if samples else Verdict(Result.PASSED)


class IsNeverContent(HealthyGate):
    def judge(self, samples: Sequence[Sample]) -> Verdict:
        return Verdict(Result.INCONCLUSIVE, "let me look again")


class IsAlwaysContent(HealthyGate):
    def judge(self, samples: Sequence[Sample]) -> Verdict:
        return Verdict(Result.PASSED if samples else Result.INCONCLUSIVE, "fine")


@frozen
class Remembers:
    """Counts how often it was asked, and concludes from that."""

    asked: list[int]
    world: MemoryWorld
    interval_s: float = 1.0
    deadline_s: None = None

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Target) -> Sample:
        return Sample(Result.PASSED if self.world.health_at(target.addresses["http"]).healthy else Result.FAILED)

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        self.asked.append(len(samples))
        return Verdict(Result.INCONCLUSIVE, f"asked {len(self.asked)} times")


BROKEN: list[tuple[str, Any]] = [
    ("its times are possible", lambda world: HealthyGate(world, deadline_s=0.0)),
    ("it says in one line what it is", SaysTooMuch),
    ("it names the ports that it looks at", LooksElsewhere),
    ("a look at a good target is a sample", AnswersYes),
    ("no samples are inconclusive", BelievesAtOnce),
    ("a good target passes", IsNeverContent),
    ("a bad target does not pass", IsAlwaysContent),
    ("the same samples give the same verdict", lambda world: Remembers([], world)),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_a_gate_that_breaks_a_rule_is_caught_by_it(world: MemoryWorld, rule: str, kind: Any) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_gate(kind(world), good(world), bad_target=BAD, clock=world.clock)
    assert rule in caught.value.broken


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in GATE_RULES}
