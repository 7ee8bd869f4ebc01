"""Plays many lives, then plants every bug and looks for it; the last line is the figures as JSON.

``python tests/simulation --seeds 500`` plays 500 lives of each strategy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from planted import ALL, search

from zdd.simulation import ASKED_FOR, FaultClass, Scenario, StrategyKind, campaign, simulate
from zdd.simulation.small import crash_pairs, killed, orders, world

JOBS = 2

CALLS = 320
"""No deployment of the smallest world makes more calls under its lease."""

ENOUGH = 1000
"""In so many lives every class of faults happens in at least one of twenty."""

FAMILIES = {"orders": 1, "kills": 1, "pairs of kills": 53}
"""Families of small worlds, and of how many one is played: there are 100,000 pairs."""


def hunt(number: int) -> tuple[str, tuple[int, int, str] | None]:
    bug = ALL[number]
    return bug.name, search(bug, range(bug.within))


def small_worlds(which: tuple[StrategyKind, str, int]) -> list[str]:
    """Play every `every`-th small world of a strategy; return how many, and what was broken.

    One in which a deployer came to its end before it was to be killed is not counted, and none with a later kill of the
    same one is played.
    """
    kind, family, every = which
    scenarios: Iterable[Scenario]
    if family == "orders":
        scenarios = orders(kind)
    elif family == "kills":
        scenarios = (killed(world(kind, replicas=2), call) for call in range(CALLS))
    else:
        scenarios = crash_pairs(kind, CALLS)
    count, broken, survived = 0, list[str](), set[int]()
    for one in islice(scenarios, 0, None, every):
        call = one.troubles[0].pick
        if family != "orders" and call in survived:
            continue
        result = simulate(one)
        if result.violations:
            broken.append(f"{kind.value} {family} {one.troubles}: {result.violations[0]}")
        if family == "orders" or result.faults.get(FaultClass.DEPLOYER_KILLED, 0) == len(one.troubles):
            count += 1
        else:
            survived.add(call)
    return [str(count), *broken]


def play_small_worlds(every: int) -> tuple[dict[str, int], list[str]]:
    counts, broken = dict.fromkeys(FAMILIES, 0), list[str]()
    tasks = [(kind, family, every * often) for family, often in FAMILIES.items() for kind in StrategyKind]
    with multiprocessing.get_context("fork").Pool(JOBS) as pool:
        for (_, family, _), (count, *wrong) in zip(tasks, pool.imap(small_worlds, tasks), strict=True):
            counts[family] += int(count)
            broken += wrong
    return counts, broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many lives of each strategy")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--every", type=int, default=1, help="of how many small worlds one is played")
    parser.add_argument("--figures", type=Path, help="a file that the figures are written to as well")
    parser.add_argument("--without-planted", action="store_true", help="plant no bugs")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    total = arguments.seeds * len(StrategyKind)
    figures = campaign(range(arguments.first, arguments.first + total), jobs=JOBS)
    print("\n".join(figures.lines()), flush=True)
    rare = [kind.value for kind in FaultClass if kind not in ASKED_FOR if 20 * figures.seeds_with[kind] < figures.total]
    if figures.total >= ENOUGH and rare:
        print(f"in fewer than one of twenty lives: {', '.join(rare)}", flush=True)
    found, hunted = 0, 0 if arguments.without_planted else len(ALL)
    if hunted:
        print("planted bugs: after how many seeds, at which, by which rule", flush=True)
        with multiprocessing.get_context("fork").Pool(JOBS) as pool:
            for name, at in pool.imap(hunt, range(hunted)):
                found += at is not None
                print(f"  {name:<44} " + (f"{at[0]:>5} {at[1]:>5}  {at[2]}" if at else "not found"), flush=True)
        print(f"found {found} of {hunted}")
    counts, broken = play_small_worlds(arguments.every)
    print("small worlds: " + ", ".join(f"{count} {family}" for family, count in counts.items()))
    print("\n".join(broken) or "no rule was broken in any of them", flush=True)
    summary = {
        "seeds": figures.total,
        "violations": len(figures.broken) + len(broken),
        "small_worlds": counts,
        "simulated_hours": round(figures.simulated_s / 3600, 1),
        "seconds": round(time.monotonic() - began_s, 1),
        "deployers": figures.deployments,
        "deployers_per_second": round(figures.deployments / figures.seconds, 1) if figures.seconds else 0,
        "commands": figures.commands,
        "faults": {kind.value: figures.faults[kind] for kind in FaultClass},
        "planted": hunted,
        "found": found,
    }
    if arguments.figures is not None:
        arguments.figures.parent.mkdir(parents=True, exist_ok=True)
        arguments.figures.write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary))
    return 1 if summary["violations"] or found < hunted or (figures.total >= ENOUGH and rare) else 0


if __name__ == "__main__":
    sys.exit(main())
