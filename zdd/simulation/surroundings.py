"""What one process of a simulated deployer has around it: each call may be the last one it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve, field, frozen

from zdd.adapters.memory import HealthyGate, MemoryClock, MemoryLease, MemoryOrchestrator, MemoryWorld
from zdd.interfaces import Fence, Holder, OrchestratorAbilities
from zdd.model.action import ActionContext
from zdd.model.cell import Cell
from zdd.model.gate import Target
from zdd.model.service import Service
from zdd.model.verdict import Result, Sample, Verdict
from zdd.reconciler.decision import Ask, Perform
from zdd.reconciler.progress import Fact
from zdd.sampler import look_for, run

Called = Callable[[str], None]
"""Is told the method of every call before it is made; it may raise."""


@define(eq=False)
class ProcessLease:
    """The lease as one process sees it: a process that was killed can't let go of it."""

    lease: MemoryLease
    called: Called
    killed: Callable[[], bool]
    got: Callable[[], None]

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take it."""
        self.called("acquire")
        fence = self.lease.acquire(service, holder, ttl_s)
        self.got()
        return fence

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep it."""
        self.called("renew")
        self.lease.renew(service, fence, ttl_s)

    def release(self, service: str, fence: Fence) -> None:
        """Let go of it, if this process lives."""
        if not self.killed():
            self.lease.release(service, fence)

    def holder(self, service: str) -> Holder | None:
        """Return who holds it."""
        return self.lease.holder(service)


class ListingOrchestrator(MemoryOrchestrator):
    """An orchestrator whose list can be an older one, or lack an instance, for one look at a time."""

    def __init__(self, world: MemoryWorld, abilities: OrchestratorAbilities, lists: Lists) -> None:
        super().__init__(world, abilities)
        self._lists = lists

    def observe(self, service: Service) -> tuple[Cell, ...]:
        """Return the cells that exist, or that existed."""
        return self._lists.shown(super().observe(service))


@define(eq=False)
class Lists:
    """What the orchestrator listed lately, and which wrong list it shows next.

    Attributes:
        next: What is wrong with the next list: nothing, "old", or "partial".
    """

    next: str = ""
    pick: int = 0
    _known: list[tuple[Cell, ...]] = field(factory=list)

    def shown(self, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        """Return what is shown in place of these cells."""
        wrong, self.next = self.next, ""
        if not self._known or self._known[-1] is not cells:
            self._known = [*self._known[-7:], cells]
        if wrong == "old":
            return self._known[0]
        return _lacking(cells, self.pick) if wrong == "partial" else cells


def _lacking(cells: tuple[Cell, ...], pick: int) -> tuple[Cell, ...]:
    names = [instance.id for cell in cells for instance in cell.instances]
    if not names:
        return cells
    gone = names[pick % len(names)]
    return tuple(evolve(cell, instances=tuple(one for one in cell.instances if one.id != gone)) for cell in cells)


@frozen
class WatchedGate:
    """The gate of the world's health, which tells what it said."""

    world: MemoryWorld = field(repr=False)
    passed: Callable[[str], None] = field(repr=False)
    interval_s: float = 0.5
    deadline_s: float | None = None

    def __str__(self) -> str:
        return "is healthy"

    def ports(self) -> frozenset[str]:
        """It looks at every port."""
        return frozenset()

    def sample(self, target: Target) -> Sample:
        """Look once."""
        sample = HealthyGate(self.world).sample(target)
        if sample.result is Result.PASSED:
            self.passed(target.instance)
        return sample

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Pass after a good look, fail after three bad ones in a row."""
        return HealthyGate(self.world).judge(samples)


@frozen
class StageGate:
    """A stage's gate that always says the same."""

    says: Result
    interval_s: float = 1.0
    deadline_s: float | None = 5.0

    def __str__(self) -> str:
        return f"says {self.says.value}"

    def ports(self) -> frozenset[str]:
        """It looks at no port."""
        return frozenset()

    def sample(self, target: Target) -> Sample:  # noqa: ARG002 - it has made up its mind
        """Look once."""
        return Sample(self.says, "as it was told")

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Say what it says, once it has looked."""
        return Verdict(samples[-1].result if samples else Result.INCONCLUSIVE, "as it was told")


@define(eq=False)
class SlowSampler:
    """Runs gates that take their time, in virtual time. Each look of the same gate can take longer or less long."""

    clock: MemoryClock
    wake: Callable[[], None]
    takes_s: Callable[[], float]
    _facts: list[Fact] = field(factory=list)
    _under_way: set[tuple[str, str]] = field(factory=set)
    _closed: bool = False

    def ask(self, ask: Ask) -> None:
        """Begin to look, unless this gate is looking at this target already."""
        key = (ask.key, ask.target.key)
        if key in self._under_way:
            return
        self._under_way.add(key)
        takes_s = self.takes_s()
        if takes_s:
            self.clock.call_after(takes_s, partial(self._looked, key, ask, self.clock.now()))
        else:
            self._looked(key, ask, self.clock.now())

    def _looked(self, key: tuple[str, str], ask: Ask, asked_s: float) -> None:
        if not self._closed:
            self._under_way.discard(key)
            self._facts.append(look_for(ask, asked_s))
            self.wake()

    def perform(self, perform: Perform, context: ActionContext) -> None:
        """Run the action at once."""
        self._facts.append(run(perform, context))
        self.wake()

    def collect(self) -> list[Fact]:
        """Return what has come to its end since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def close(self) -> None:
        """Stop caring."""
        self._closed = True
