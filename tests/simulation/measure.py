"""How fast deployments are simulated, and how that grows: ``make measure``.

Figures are processor seconds of one core. Of several times the same is done the least counts, because other work on
the machine makes processor seconds longer too.
"""

from __future__ import annotations

import argparse
import sys
import time

from attrs import evolve

from zdd import BlueGreen, Canary, Deployer, Recreate, Release, RollingUpdate, Service, Strategy
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.simulation import Scenario, StrategyKind, draw, simulate

STRATEGIES: tuple[Strategy, ...] = (RollingUpdate(), BlueGreen(), Canary(hold_s=0), Recreate())
REPLICAS, CELLS = 8, 4
TIMES = 10
LIVES, TIMES_A_LIFE = 10, 3
"""How many lives of each strategy are played, without faults and with them."""

FIXED = 5
"""How many are changed at once where that does not grow with the service."""

FIXED_MOST = 1000
"""With a fixed batch the number of stages grows too, so that is measured for fewer instances."""


def seconds(service: Service, strategy: Strategy, times: int = 1) -> float:
    """Return the processor seconds of a deployment over one that runs: the least of so many times."""
    return min(_seconds(service, strategy) for _ in range(times))


def _seconds(service: Service, strategy: Strategy) -> float:
    deployer = Deployer.in_memory(MemoryWorld())
    deployer.deploy(service, Release("1", Behaviour()))
    began_s = time.process_time()
    deployer.deploy(service, Release("2", Behaviour()), strategy)
    return time.process_time() - began_s


def _played(scenario: Scenario) -> tuple[int, float]:
    """Return how many deployers there were in a life, and its processor seconds: the least of several times."""
    found = []
    for _ in range(TIMES_A_LIFE):
        began_s = time.process_time()
        deployers = simulate(scenario).deployments
        found.append((deployers, time.process_time() - began_s))
    return min(found)


def rates() -> None:
    print(f"deployments of {REPLICAS} instances in {CELLS} cells, nothing watched")
    found = []
    for strategy in STRATEGIES:
        overlap = "forbidden" if isinstance(strategy, Recreate) else "allowed"
        found.append(1 / seconds(Service("web", replicas=REPLICAS, cells=CELLS, overlap=overlap), strategy, TIMES))
        print(f"  {strategy!s:<48} {found[-1]:>7.1f} a second")
    print(f"  {'mean':<48} {sum(found) / len(found):>7.1f} a second")


def of_eight(scenario: Scenario) -> Scenario:
    """Return the same life of a service of a fixed size, and with batches that fit."""
    service = evolve(scenario.service, replicas=REPLICAS, cells=CELLS, floor=None)
    return evolve(scenario, service=service, steps=tuple(evolve(step, batch=0) for step in scenario.steps))


def lives(*, faults: bool) -> None:
    kinds = tuple(StrategyKind)
    print(
        f"deployers in lives of such services, every rule checked at every event, {'with' if faults else 'no'} faults"
    )
    found = []
    for number, kind in enumerate(kinds):
        scenarios = [of_eight(draw(number + len(kinds) * life, faults=faults)) for life in range(LIVES)]
        played = [_played(scenario) for scenario in scenarios]
        found.append(sum(deployers for deployers, _ in played) / sum(spent for _, spent in played))
        print(f"  {kind.value:<48} {found[-1]:>7.1f} a second")
    print(f"  {'mean':<48} {sum(found) / len(found):>7.1f} a second", flush=True)


def growth(title: str, most: int, cells_of: int | None) -> None:
    print(f"a rolling update, {title}")
    replicas, before = 10, 0.0
    while replicas <= most:
        batch = FIXED if cells_of is None else max(1, replicas // cells_of)
        service = Service("web", replicas=replicas, cells=replicas // batch, floor=replicas - batch)
        spent = seconds(service, RollingUpdate(batch))
        print(
            f"  {replicas:>6} instances {spent:>9.3f} s" + (f"  {spent / before:.1f} times as long" if before else ""),
            flush=True,
        )
        replicas, before = 10 * replicas, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000, help="up to how many instances")
    most = parser.parse_args().most
    print(f"Python {sys.version.split()[0]}")
    rates()
    lives(faults=False)
    lives(faults=True)
    growth("batches of a tenth", most, 10)
    growth(f"batches of {FIXED}", min(most, FIXED_MOST), None)


if __name__ == "__main__":
    main()
