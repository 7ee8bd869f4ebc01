"""Count what strict clients lose while instances are replaced on a real swarm: ``make loss``.

Every case is an edge, a strategy, and what the application does on SIGTERM. The last line of standard output is the
verdict as JSON; the exit code is 1 if anything was lost outside in place.

    python tests/loss [OPTION …] [EDGE/STRATEGY/APPLICATION …]

A case may be given in part: ``haproxy`` or ``traefik/rolling``. `--without idle` takes the wait for what is in
flight away, to show that then something is lost. Ctrl-C ends it after the cases that were played.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cases import APPLICATIONS, EDGES, STRATEGIES, Case, Result, Stand, Wanted
from parts import running_consul, running_lab
from table import print_table
from without import WAITS, without

from zdd import DeploymentInterrupted

SHOWN_LOSSES = 5


def main() -> int:
    """Play the cases. Return the exit code."""
    arguments = _arguments()
    cases = [case for case in _all_cases() if _is_wanted(case, arguments.cases)]
    if not cases:
        print(f"no case is called {' or '.join(arguments.cases)}", file=sys.stderr)
        return 2
    wanted = Wanted(
        -(-arguments.requests // len(cases)),
        -(-arguments.removals // len(cases)),
        arguments.longest_s,
        arguments.replicas,
    )
    results = []
    with ExitStack() as last:
        lab = last.enter_context(running_lab())
        directory = Path(last.enter_context(tempfile.TemporaryDirectory(prefix="zdd-loss-")))
        agent = last.enter_context(running_consul(directory / "consul"))
        if arguments.without:
            last.enter_context(without(arguments.without))
        stand = Stand(lab, agent, wanted, _say)
        try:
            for case in cases:
                results.append(stand.play(case))
                _tell(results[-1])
        except (KeyboardInterrupt, DeploymentInterrupted):
            _say(f"interrupted after {len(results)} of {len(cases)} cases")
    print_table(results)
    print(json.dumps(_verdict(results)), flush=True)
    return 1 if any(result.broken for result in results) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/loss", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000, help="how many there are to be at least, in all")
    parser.add_argument("--removals", type=int, default=300, help="how many instances are to be removed at least")
    parser.add_argument("--longest-s", type=float, default=10.0, help="how long the longest requests take, in seconds")
    parser.add_argument("--replicas", type=int, default=10, help="how many instances serve in each case")
    parser.add_argument("--without", choices=sorted(WAITS), help="take a wait of the drain away")
    parser.add_argument("cases", nargs="*", metavar="EDGE/STRATEGY/APPLICATION")
    return parser.parse_args()


def _all_cases() -> list[Case]:
    return [Case(*one) for one in itertools.product(EDGES, STRATEGIES, APPLICATIONS)]


def _is_wanted(case: Case, names: Sequence[str]) -> bool:
    return not names or any(str(case).startswith(name) for name in names)


def _tell(result: Result) -> None:
    for words in result.losses[:SHOWN_LOSSES]:
        _say(f"{result.case} lost: {words}")
    if len(result.losses) > SHOWN_LOSSES:
        _say(f"{result.case} lost: … {len(result.losses) - SHOWN_LOSSES} more")


def _verdict(results: Sequence[Result]) -> dict[str, object]:
    return {
        "requests": sum(result.requests for result in results),
        "lost": sum(len(result.losses) for result in results),
        "removals": sum(result.busy_removals for result in results),
        "cases": [
            {
                "edge": result.case.edge,
                "strategy": result.case.strategy,
                "application": result.case.application,
                "requests": result.requests,
                "lost": len(result.losses),
                "cut_websockets": result.cut_websockets,
                "seconds": round(result.seconds, 1),
            }
            for result in results
        ],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
