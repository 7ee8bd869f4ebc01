"""What is known of a simulated life to those who look at it, and what they found broken."""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import define, field

from zdd.adapters.memory import MemoryInstance, MemoryWorld
from zdd.model.cell import InstanceState
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.process import Process

UNNOTICED_S = 36.0
"""For how long an instance may be sick unnoticed: a proof counts for 30 s, and three looks make a verdict."""

Weights = frozenset[tuple[str, int]]
"""Each instance that discovery knows, and its weight."""


@define(eq=False)
class Watch:
    """What is known of a life, and what was broken in it.

    Attributes:
        process: The deployer that claimed its place last.
        caller: Whose call changes something now, and when it was made.
        passed: The instances of which their gate ever said yes.
        cut: The instances that are on record as cut.
        by_hand: The instances that a person registered.
        by_hand_s: When a person changed something last.
        stale: The orchestrator shows what ran at `stale_s`.
        routed: What discovery was told, as weights → who told it last. A slow one may show it to the next deployer.
        violations: What was broken.
        marks: What happened at least once.
        world_losses: How many requests the world or a person lost.
    """

    world: MemoryWorld
    service: Service
    began_s: float
    process: Process | None = None
    caller: tuple[Process, float] | None = None
    passed: set[str] = field(factory=set)
    cut: set[str] = field(factory=set)
    by_hand: set[str] = field(factory=set)
    sick_s: dict[str, float] = field(factory=dict)
    died: dict[str, float] = field(factory=dict)
    serving: set[str] = field(factory=set)
    disturbed_s: float = 0.0
    by_hand_s: float = -math.inf
    stuck: dict[str, float] = field(factory=dict)
    deaf: dict[str, float] = field(factory=dict)
    stale: bool = False
    stale_s: float = 0.0
    frozen: set[str] = field(factory=set)
    routed: dict[Weights, Process] = field(factory=dict)
    violations: list[Violation] = field(factory=list)
    marks: set[str] = field(factory=set)
    world_losses: int = 0
    commands: int = 0

    def say(self, invariant: Invariant, text: str) -> None:
        """Write down that a rule was broken."""
        self.violations.append(Violation(invariant, self.world.clock.now() - self.began_s, text))

    def serves(self, now_s: float) -> set[str]:
        """Return the instances that serve as far as anybody can know."""
        for name in self.sick_s:  # what happens to an instance is in the log; that it has been sick for long is not
            if name in self.serving and not self.serves_now(name, now_s):
                self.serving.discard(name)
            elif name not in self.serving and self.serves_now(name, now_s):
                self.serving.add(name)
        return self.serving

    def serves_now(self, name: str, now_s: float) -> bool:
        """Tell whether an instance serves as far as anybody can know."""
        one = self.world.cells.existing.get(name)
        if one is None or one.state is not InstanceState.READY:
            return False
        if not self.service.exposures:
            return True  # nobody asks a worker how it is
        return not self._long_sick(one, now_s) and len(one.edges) >= len(self.world.edges)

    def _long_sick(self, one: MemoryInstance, now_s: float) -> bool:
        """Tell whether it was sick for so long that everybody knows; note since when it is sick, or well again."""
        since_s = self.sick_s.get(one.id, 0.0)
        if one.truly_healthy:
            if since_s > 0:
                self.sick_s[one.id] = -now_s
            return False
        if since_s <= 0:
            since_s = self.sick_s[one.id] = self.disturbed_s = now_s
        return since_s <= now_s - UNNOTICED_S

    def long_well(self, name: str, now_s: float) -> bool:
        """Tell whether it has been well for so long that everybody knows."""
        since_s = self.sick_s.get(name)
        return since_s is None or (since_s < 0 and -since_s <= now_s - UNNOTICED_S)

    def note_interference(self, process: Process) -> None:
        """Note that what a person changed while a process was at work, or just before it began, may show only now."""
        hidden = self.stale and self.by_hand_s >= self.stale_s
        if hidden or self.world.clock.now() <= self.by_hand_s + self.lags_s():
            process.interfered = True

    def lags_s(self) -> float:
        """Return after how many seconds every edge shows what discovery was told."""
        return max([edge.lag_s or 0.0 for edge in self.world.edges]) + self.world.discovery_lag_s


def weights_of(registrations: Iterable[Registration]) -> Weights:
    """Return the weights of registrations."""
    return frozenset([(one.instance, one.weight) for one in registrations])


def staying(world: MemoryWorld, cell: str) -> list[MemoryInstance]:
    """Return the instances of a cell that were not told to stop."""
    return [
        one for one in world.cells.existing.values() if one.cell == cell and one.state is not InstanceState.STOPPING
    ]
