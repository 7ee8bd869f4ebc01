"""Plays many lives, then plants every bug and looks for it; the last line is the figures as JSON.

``python tests/simulation --seeds 500`` plays 500 lives of each strategy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time

from planted import ALL, search

from zdd.simulation import FaultClass, StrategyKind, campaign

JOBS = 2


def hunt(number: int) -> tuple[str, tuple[int, int, str] | None]:
    bug = ALL[number]
    return bug.name, search(bug, range(bug.within))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many lives of each strategy")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--without-planted", action="store_true", help="plant no bugs")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    total = arguments.seeds * len(StrategyKind)
    figures = campaign(range(arguments.first, arguments.first + total), jobs=JOBS)
    print("\n".join(figures.lines()), flush=True)
    found, hunted = 0, 0 if arguments.without_planted else len(ALL)
    if hunted:
        print("planted bugs: after how many seeds, at which, by which rule", flush=True)
        with multiprocessing.get_context("fork").Pool(JOBS) as pool:
            for name, at in pool.imap(hunt, range(hunted)):
                found += at is not None
                print(f"  {name:<44} " + (f"{at[0]:>5} {at[1]:>5}  {at[2]}" if at else "not found"), flush=True)
        print(f"found {found} of {hunted}")
    summary = {
        "seeds": figures.total,
        "violations": len(figures.broken),
        "simulated_hours": round(figures.simulated_s / 3600, 1),
        "seconds": round(time.monotonic() - began_s, 1),
        "deployers": figures.deployments,
        "deployers_per_second": round(figures.deployments / figures.seconds, 1) if figures.seconds else 0,
        "commands": figures.commands,
        "faults": {kind.value: figures.faults[kind] for kind in FaultClass},
        "planted": hunted,
        "found": found,
    }
    print(json.dumps(summary))
    return 1 if figures.broken else 0


if __name__ == "__main__":
    sys.exit(main())
