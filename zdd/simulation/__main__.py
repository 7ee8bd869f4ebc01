"""Play one life again and tell all of it, or many and give the figures."""

from __future__ import annotations

import argparse
import sys

from zdd.simulation.campaign import campaign
from zdd.simulation.run import simulate
from zdd.simulation.scenario import draw
from zdd.simulation.telling import told


def main() -> int:
    """Return 1 if a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m zdd.simulation", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="play this life, and tell all of it")
    which.add_argument("--seeds", type=int, help="play so many lives, and give the figures")
    parser.add_argument("--first", type=int, default=0, help="with --seeds: the first of them")
    parser.add_argument("--jobs", type=int, default=2, help="with --seeds: on how many cores")
    parser.add_argument("--without-faults", action="store_true", help="with --seed: let nothing go wrong")
    parser.add_argument("--orders", action="store_true", help="let somebody give orders too")
    arguments = parser.parse_args()
    if arguments.seed is None:
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        lives = (draw(seed).with_orders() for seed in seeds) if arguments.orders else iter(seeds)
        figures = campaign(lives, jobs=arguments.jobs)
        sys.stdout.write("\n".join(figures.lines()) + "\n")
        return 1 if figures.broken else 0
    if arguments.seed < 0:
        parser.error("--seed: use a whole number from 0")
    scenario = draw(arguments.seed, faults=not arguments.without_faults)
    if arguments.orders:
        scenario = scenario.with_orders()
    result = simulate(scenario)
    sys.stdout.write(told(scenario, result) + "\n")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
