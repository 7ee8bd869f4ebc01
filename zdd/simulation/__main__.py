"""Play one life again, and tell all of it: ``python -m zdd.simulation --seed N``."""

from __future__ import annotations

import argparse
import sys

from zdd.simulation.run import simulate
from zdd.simulation.scenario import draw
from zdd.simulation.telling import told


def main() -> int:
    """Return 1 if a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m zdd.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="which life to play")
    parser.add_argument("--without-faults", action="store_true", help="let nothing go wrong")
    arguments = parser.parse_args()
    if arguments.seed < 0:
        parser.error("--seed: use a whole number from 0")
    scenario = draw(arguments.seed, faults=not arguments.without_faults)
    result = simulate(scenario)
    sys.stdout.write(told(scenario, result) + "\n")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
