"""`rehearse`: what would become of a plan, played many times in memory and in virtual time."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from random import Random
from typing import TypeVar

from attrs import evolve, field, frozen

from zdd.adapters.memory import (
    Behaviour,
    Entry,
    HealthyGate,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
    What,
)
from zdd.driver import Driver
from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.interfaces import OrchestratorAbilities
from zdd.model.gate import Gate
from zdd.model.names import check_number
from zdd.model.plan import Goal, Plan, Stage, check_plan, peak
from zdd.model.release import Revision
from zdd.model.traffic import Registration
from zdd.report import Report
from zdd.sampler import InlineSampler
from zdd.strategies.situation import divide, split
from zdd.surroundings import Surroundings
from zdd.wording import change, count, duration, printable

SEEDS = 100
"""How often a plan is played when nothing else is said."""

BARS = 8
"""Into how many parts the picture divides the durations."""

WIDTH = 40
"""How long the longest bar of the picture is, in characters."""

FOR_EVER_S = 1e9
"""Nobody else is there to take the lease, and whatever changes is told: nothing has to be asked for in between."""

Number = TypeVar("Number", float, int)

Startup = float | tuple[float, float] | Callable[[Random], float]
"""How long an instance starts, in seconds: always the same, from the least to the most, or drawn by a function."""


@frozen
class Rehearsal:
    """What became of a plan that was played many times.

    Attributes:
        plan: What was played.
        outcomes: How often it ended how.
        durations_s: How long each took, in seconds, shortest first.
        capacities: The smallest useful capacity of each, in instances, smallest first.
        surges: How many instances existed at most beyond the service's replicas, in each, fewest first.
        reasons: Why it did not succeed → how often, most often first.
    """

    plan: Plan = field(repr=False)
    outcomes: Mapping[Outcome, int]
    durations_s: tuple[float, ...] = field(repr=False)
    capacities: tuple[int, ...] = field(repr=False)
    surges: tuple[int, ...] = field(repr=False)
    reasons: Mapping[str, int] = field(factory=dict)

    @property
    def played(self) -> int:
        """How often it was played."""
        return len(self.durations_s)

    def duration_s(self, percentile: float = 50) -> float:
        """Return the duration in seconds that so many percent did not exceed."""
        return _at(self.durations_s, percentile)

    def capacity(self, percentile: float = 50) -> int:
        """Return the smallest useful capacity, in instances, below which so many percent did not fall."""
        return _at(self.capacities, 100 - percentile)

    def surge(self, percentile: float = 50) -> int:
        """Return how many instances beyond the service's replicas so many percent did not exceed."""
        return _at(self.surges, percentile)

    def __str__(self) -> str:
        plan, ends = self.plan, self.outcomes.items()
        versions = sorted({plan.revisions[goal.revision].version for goal in plan.origin if goal.replicas})
        what = change(", ".join(versions), plan.revisions[plan.target].version)
        seconds = [duration(self.duration_s(percentile)) for percentile in (50, 90, 100)]
        floors = [str(self.capacity(percentile)) for percentile in (50, 90, 100)]
        lines = [
            f"{printable(plan.service.name)}: {what} by {printable(plan.strategy)}",
            f"Played    {count(self.played, 'time')}",
            "Outcome   " + ", ".join(f"{number} {outcome.value}" for outcome, number in ends),
            "Duration  {} in half of them, {} in nine of ten, {} at most".format(*seconds),
            "Capacity  never below {} in half of them, {} in nine of ten, {} in all".format(*floors)
            + f" (floor {plan.floor} of {plan.service.replicas})",
            f"Surge     {count(self.surge(100), 'instance')} at most (ceiling {plan.ceiling})",
            *(f"Failed    {count(number, 'time')}: {printable(reason)}" for reason, number in self.reasons.items()),
            "",
            *self.picture(),
        ]
        return "\n".join(lines)

    def picture(self) -> list[str]:
        """Return how the durations are distributed, as lines of text."""
        least, most = self.durations_s[0], self.durations_s[-1]
        if most - least < 0.1:
            return [f"{duration(least):>12}  {WIDTH * '█'} {self.played}"]
        step_s = (most - least) / BARS
        counts = Counter(min(BARS - 1, int((one - least) / step_s)) for one in self.durations_s)
        longest = max(counts.values())
        return [
            f"{duration(least + number * step_s):>12}  "
            f"{'█' * max(1 if counts[number] else 0, round(WIDTH * counts[number] / longest))} {counts[number]}"
            for number in range(BARS)
        ]

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _at(values: Sequence[Number], percentile: float) -> Number:
    check_number("percentile", percentile, least=0, most=100)
    place = -(-len(values) * percentile // 100)
    return values[max(0, int(place) - 1)]


def rehearse(
    plan: Plan,
    *,
    startup: Startup = 1.0,
    failure_rate: float = 0.0,
    replicas: int | None = None,
    seeds: int | Iterable[int] = SEEDS,
) -> Rehearsal:
    """Play a plan many times, in memory and in virtual time, and return what became of it. Nothing real happens.

    The driver and the reconciler are the real ones. A gate of the plan becomes one that sees whether an instance is
    well, as often as its own looks; an action takes no time.

    Args:
        plan: What `Deployer.plan` returned.
        startup: How many seconds an instance of the new version starts: a number, (least, most), or a function that
            draws it.
        failure_rate: How likely an instance of the new version is to end while it starts, from 0 to 1. The orchestrator
            starts another one in its place, which is as likely to.
        replicas: Play it as if the service had so many, everything else in proportion. None: as it is.
        seeds: How often, or from which seeds. The same seeds give the same rehearsal.

    Raises:
        ConfigurationError: A value is illegal, or the plan has no stages, or none with so many replicas.
    """
    check_number("failure_rate", failure_rate, least=0, most=1)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not plan.stages or not chosen:
        raise ConfigurationError("there is nothing to rehearse: give a plan with stages, and at least one seed")
    if replicas is not None:
        plan = scaled(plan, replicas)
    reports = [_play(plan, _startup_of(startup), failure_rate, seed) for seed in chosen]
    reasons = Counter(report.reason for report in reports if not report.succeeded)
    return Rehearsal(
        plan,
        dict(Counter(report.outcome for report in reports if report.outcome is not None).most_common()),
        tuple(sorted(report.seconds for report in reports)),
        tuple(sorted(report.capacity_floor or 0 for report in reports)),
        tuple(sorted(max(0, _most(report) - plan.service.replicas) for report in reports)),
        dict(reasons.most_common()),
    )


def _startup_of(startup: Startup) -> Callable[[Random], float]:
    if callable(startup):
        return startup
    least, most = startup if isinstance(startup, tuple) else (startup, startup)
    check_number("startup", least, least=0)
    check_number("startup", most, least=least)
    return partial(_between, least, most)


def _between(least: float, most: float, chance: Random) -> float:
    return chance.uniform(least, most)


def _most(report: Report) -> int:
    return max((point.existing for point in report.capacity), default=0)


def scaled(plan: Plan, replicas: int) -> Plan:
    """Return the plan as it would be with so many replicas, everything else in proportion.

    Raises:
        ConfigurationError: It can't be carried out with so many.
    """
    check_number("replicas", replicas, least=1, whole=True)
    before, sizes = plan.service.replicas, _sizes(plan, replicas)
    if any(goal.in_place is not None for stage in plan.stages for goal in stage.goals):
        raise ConfigurationError("replicas: a plan that changes instances in place can only be rehearsed as it is")
    goals: Callable[[Sequence[Goal]], tuple[Goal, ...]] = partial(_resized, sizes, replicas / before)
    stages = tuple(evolve(stage, goals=goals(stage.goals)) for stage in plan.stages)
    floor = plan.service.floor
    service = evolve(
        plan.service,
        replicas=replicas,
        floor=None if floor is None else floor * replicas // before,
        cells=None if plan.service.cells is None else min(plan.service.cells, replicas),
    )
    larger = evolve(
        plan,
        service=service,
        origin=goals(plan.origin),
        retreat=goals(plan.retreat),
        stages=stages,
        floor=plan.floor * replicas // before,
    )
    needed = max(peak(larger.goals_at(number - 1), larger.goals_at(number)) for number in range(len(stages)))
    return check_plan(evolve(larger, ceiling=max(needed, -(-plan.ceiling * replicas // before))))


def _sizes(plan: Plan, replicas: int) -> dict[str, tuple[int, int]]:
    """Return for each cell at the beginning or the end how many instances it has, and how many it is to have."""
    found: dict[str, tuple[int, int]] = {}
    for goals in (plan.origin, plan.final()):
        cells = {goal.cell: goal.replicas for goal in goals if goal.replicas}
        total = sum(cells.values()) * replicas // plan.service.replicas
        found.update(zip(cells, zip(cells.values(), split(total, list(cells.values())), strict=True), strict=True))
    return found


def _resized(sizes: Mapping[str, tuple[int, int]], factor: float, goals: Sequence[Goal]) -> tuple[Goal, ...]:
    def size(goal: Goal) -> int:
        before, after = sizes.get(goal.cell, (0, 0))
        return after if goal.replicas == before else math.ceil(goal.replicas * factor)

    return tuple(evolve(goal, replicas=size(goal)) for goal in goals)


# -- one rehearsal ----------------------------------------------------------------------------------------------------


def _play(plan: Plan, startup_s: Callable[[Random], float], failure_rate: float, seed: int) -> Report:
    chance = Random(f"{seed}/rehearsal")  # noqa: S311 - nothing is kept secret by it
    world = MemoryWorld(behaviour=Behaviour())
    world.add_edge()
    played = _in_memory(plan, world)
    _begin(played, world)
    version = played.revisions[played.target].version

    def draw(entry: Entry | None = None) -> None:
        """Draw how the next instance of the new version behaves."""
        if entry is None or entry.what is What.LAUNCHED:
            seconds = max(0.0, startup_s(chance))
            fails = chance.random() < failure_rate
            world.set_behaviour(version, Behaviour(startup_s=seconds, crashes_after_s=seconds / 2 if fails else None))

    draw()
    world.observe_changes(draw)
    lease = MemoryLease(world.clock)
    around = Surroundings(
        MemoryOrchestrator(world, OrchestratorAbilities(poll_s=FOR_EVER_S)),
        MemoryDiscovery(world),
        tuple(world.edges),
        MemoryJournal(),
        lease,
        world.clock,
        InlineSampler,
        lease_s=FOR_EVER_S,
    )
    name = played.service.name
    fence = lease.acquire(name, "rehearsal", around.lease_s)
    driver = Driver(around, name, fence, f"{name}-rehearsal", "rehearsal", world.clock.now())
    versions = [played.revisions[goal.revision].version for goal in played.origin if goal.share]
    driver.carry_out(played, versions[0] if versions else "")
    return Report.of(driver.events)


def _in_memory(plan: Plan, world: MemoryWorld) -> Plan:
    """Return the plan with gates that look at this world, and without anything that would do something outside."""

    def gates(own: Sequence[Gate]) -> tuple[Gate, ...]:
        return tuple(HealthyGate(world, interval_s=gate.interval_s, deadline_s=gate.deadline_s) for gate in own[:1])

    def revision(own: Revision) -> Revision:
        return evolve(own, gates=gates(own.gates), workload={"kind": "rehearsal"})

    def stage(own: Stage) -> Stage:
        return evolve(own, gates=gates(own.gates), actions=tuple(_Instant(action.name) for action in own.actions))

    return evolve(
        plan,
        service=evolve(plan.service, gates=()),
        revisions={name: revision(one) for name, one in plan.revisions.items()},
        stages=tuple(stage(one) for one in plan.stages),
    )


@frozen
class _Instant:
    """An action that takes no time."""

    name: str
    deadline_s: float = 60.0

    def run(self, context: object) -> str:  # noqa: ARG002 - it does nothing with it
        return "not done in a rehearsal"


def _begin(plan: Plan, world: MemoryWorld) -> None:
    """Let run in the world what the plan begins with."""
    service, registrations = plan.service, list[Registration]()
    for goal in plan.origin:
        world.cells.launch(service, plan.revisions[goal.revision], goal.cell, goal.replicas)
    world.clock.run_until(world.clock.now() + 60.0)
    for goal in plan.origin if service.exposures else ():
        instances = [one for one in world.instances(service.name) if one.cell == goal.cell]
        for one, weight in zip(instances, divide(goal.share, max(1, len(instances))), strict=False):
            if weight:
                registrations.append(
                    Registration(one.id, goal.cell, one.revision, one.version, one.addresses, weight)
                )  # what has no share is not registered
    if registrations:
        world.register(service.name, tuple(registrations), held=False)
        world.clock.run_until(world.clock.now() + 1.0)
