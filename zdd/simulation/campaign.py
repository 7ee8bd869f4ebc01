"""Many lives, on several cores, and the figures of them all."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from attrs import define, field

from zdd.simulation.run import Result, simulate
from zdd.simulation.scenario import Scenario, StrategyKind
from zdd.simulation.trouble import FaultClass

CHUNK = 20


@define
class Figures:
    """What came of many seeds.

    Attributes:
        seeds: How many, by strategy.
        broken: Those in which a rule was broken, in order.
        simulated_s: Virtual seconds in all.
        seconds: Seconds that it took.
        deployments: Deployers' processes.
        commands: Commands that were checked.
        faults: Class → how often a fault of it happened.
        seeds_with: Class → in how many seeds it happened.
        marks: What happened at least once → in how many seeds.
        world_losses: Requests that the world or a person lost.
    """

    seeds: Counter[StrategyKind] = field(factory=Counter)
    broken: list[Result] = field(factory=list)
    simulated_s: float = 0.0
    seconds: float = 0.0
    deployments: int = 0
    commands: int = 0
    faults: Counter[FaultClass] = field(factory=Counter)
    seeds_with: Counter[FaultClass] = field(factory=Counter)
    marks: Counter[str] = field(factory=Counter)
    world_losses: int = 0

    def add(self, result: Result) -> None:
        """Count one more seed."""
        self.seeds[result.kind] += 1
        if result.violations:
            self.broken.append(result)
        self.simulated_s += result.simulated_s
        self.deployments += result.deployments
        self.commands += result.commands
        self.faults.update(result.faults)
        self.seeds_with.update(result.faults.keys())
        self.marks.update(result.marks)
        self.world_losses += result.world_losses

    @property
    def total(self) -> int:
        """How many seeds were run."""
        return sum(self.seeds.values())

    def lines(self) -> Iterator[str]:
        """Yield the figures, for a person."""
        rate = self.deployments / self.seconds if self.seconds else 0.0
        yield f"{self.total} seeds: " + ", ".join(f"{n} {kind.value}" for kind, n in self.seeds.items())
        yield f"{self.simulated_s / 3600:.1f} simulated hours in {self.seconds:.0f} s"
        yield f"{self.deployments} deployers ({rate:.0f} a second), {self.commands} commands checked"
        yield f"{self.world_losses} requests lost by the world's doing or by hand, none of them counted"
        yield "faults: class, times, share of the seeds"
        for kind in FaultClass:
            share = 100 * self.seeds_with[kind] / max(1, self.total)
            yield f"  {kind.value:<32} {self.faults[kind]:>8} {share:>6.1f} %"
        yield "happened in so many seeds"
        for mark, count in sorted(self.marks.items()):
            yield f"  {mark:<32} {count:>8}"
        yield f"{len(self.broken)} seeds in which a rule was broken"
        for result in self.broken:
            orders = " --orders" if FaultClass.ORDERED in result.faults else ""
            yield f"  python -m zdd.simulation --seed {result.seed}{orders}: {result.violations[0]}"


def campaign(
    seeds: Iterable[Scenario | int], *, jobs: int = 1, shown: Callable[[Figures], None] | None = None
) -> Figures:
    """Play the lives of these seeds and return the figures.

    Args:
        seeds: Which; or the scenarios themselves.
        jobs: On how many cores.
        shown: Is called now and then with the figures so far.
    """
    figures, began_s = Figures(), time.monotonic()
    for number, result in enumerate(_results(seeds, jobs)):
        figures.add(result)
        figures.seconds = time.monotonic() - began_s
        if shown is not None and number % 1000 == 999:
            shown(figures)
    figures.broken.sort(key=lambda result: result.seed)
    return figures


def _results(seeds: Iterable[Scenario | int], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(simulate, seeds)
        return
    # What the modules made is looked through for cycles again and again, and never is one.
    with multiprocessing.get_context("fork").Pool(jobs, gc.freeze) as pool:
        yield from pool.imap_unordered(simulate, seeds, chunksize=CHUNK)
