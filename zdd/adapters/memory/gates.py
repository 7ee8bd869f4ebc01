"""A gate that asks the memory world, without I/O."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from zdd.adapters.memory.world import MemoryWorld
from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict


@frozen
class HealthyGate:
    """Passes when the world says that what listens at the target's port is healthy.

    For a stage's gate, all instances of the rising revision must be. An instance that hangs fails a look without time
    passing.

    Attributes:
        world: The world it asks.
        port: The port's name; empty: all the target's ports.
        interval_s: Seconds between two looks.
        deadline_s: Seconds within which it must pass; None: the service's.
        in_a_row: How many good looks in a row pass.
        failures: How many bad looks in a row fail.
    """

    world: MemoryWorld = field(repr=False)
    port: str = ""
    interval_s: float = field(default=0.5, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)
    in_a_row: int = field(default=1, kw_only=True)
    failures: int = field(default=3, kw_only=True)

    def __str__(self) -> str:
        return "is healthy"

    def ports(self) -> frozenset[str]:
        """The name of the port it looks at."""
        return frozenset([self.port]) if self.port else frozenset()

    def sample(self, target: Target) -> Sample:
        """Look once."""
        addresses = self._addresses(target)
        if not addresses:
            return Sample(Result.INCONCLUSIVE, "no address to look at")
        for address in addresses:
            health = self.world.health_at(address)
            if not health.healthy:
                return Sample(Result.FAILED, health.reason)
        return Sample(Result.PASSED, f"{len(addresses)} healthy", {"healthy": float(len(addresses))})

    def _addresses(self, target: Target) -> list[Address]:
        places = [target.addresses] if target.instance else list(target.instances.values())
        return [address for place in places for port, address in place.items() if self.port in ("", port)]

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Pass after enough good looks in a row, fail after enough bad ones, else conclude nothing."""
        if not samples:
            return Verdict(Result.INCONCLUSIVE, "not looked yet")
        last = samples[-1]
        needed = self.in_a_row if last.result is Result.PASSED else self.failures
        tail = samples[-needed:]
        if len(tail) == needed and all(sample.result is last.result for sample in tail):
            return Verdict(last.result, last.reason, last.figures)
        return Verdict(Result.INCONCLUSIVE, last.reason, last.figures)
