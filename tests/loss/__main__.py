"""Count what strict clients lose while instances are replaced on a real swarm: ``make loss``.

Every case is an edge, a strategy, and what the application does on SIGTERM. The last line of standard output is the
verdict as JSON; the exit code is 1 if a promise was broken (if anything was lost outside in place, or more in place
than an instance that was stopped undrained explains), or if a case did not come to its end.

    python tests/loss [OPTION …] [EDGE/STRATEGY/APPLICATION …]

A case may be given in part: ``haproxy`` or ``traefik/rolling``. `--without idle` takes the wait for what is in
flight away, `--without gone` the one for the edges to let go, to show that then something is lost. Ctrl-C ends it after
the cases that were played; with `--figures FILE` the next run goes on with the others, if nothing else has changed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from apart import played
from attrs import evolve
from cases import APPLICATIONS, EDGES, STRATEGIES, Stand, Wanted, grouped
from figures import ZDD, Case, Figures, Result, Unusable, commit_of, verdict
from parts import HERE, running_lab
from table import print_table
from without import WAITS, without

SHOWN_LOSSES = 5
LOADS = ("mixed", "light")
DEPENDS_ON = ("requests", "removals", "longest_s", "replicas", "load", "slow_edge", "without")


def main() -> int:
    """Play the cases. Return the exit code."""
    arguments = _arguments()
    everything = [Case(*one) for one in itertools.product(EDGES, STRATEGIES, APPLICATIONS)]
    cases = [case for case in everything if _is_wanted(case, arguments.cases)]
    if not cases:
        print(f"no case is called {' or '.join(arguments.cases)}", file=sys.stderr)
        return 2
    # How much a case is to have depends on how many there are, so it is a part of what was asked for.
    asked = {"commit": commit_of(HERE), "of": len(cases), **{name: getattr(arguments, name) for name in DEPENDS_ON}}
    try:
        figures = Figures.open(arguments.figures, asked)
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2
    missing = [case for case in cases if figures.of(case) is None]
    if figures.results:
        _say(f"goes on with {arguments.figures}: {len(figures.results)} cases are there, {len(missing)} are missing")
    wanted = Wanted(
        -(-arguments.requests // len(cases)),
        -(-arguments.removals // len(cases)),
        arguments.longest_s,
        arguments.replicas,
        arguments.load,
        arguments.slow_edge,
    )
    unfinished = _play(missing, wanted, arguments, figures) if missing else 0
    figures.results.sort(key=lambda result: everything.index(evolve(result.case, deployer=ZDD)))
    print_table(figures)
    for result in figures.results:
        for words in result.broken:
            print(f"{result.case} broke its promise: {words}")
    print(json.dumps(verdict(figures.results)), flush=True)
    return 1 if unfinished or any(result.broken for result in figures.results) else 0


def _play(cases: Sequence[Case], wanted: Wanted, arguments: argparse.Namespace, figures: Figures) -> int:
    """Play what is missing, and return how many cases did not come to their end."""
    left = len(cases)
    try:
        with _stand(wanted, arguments.without) as stand:
            for outcome in played(grouped(cases), stand.play, arguments.jobs):
                if isinstance(outcome, Result):
                    figures.add(outcome)
                    left -= 1
                    _tell(outcome)
                else:
                    _say(outcome)
    except KeyboardInterrupt:
        _say(f"interrupted after {len(figures.results)} cases")
    return left


@contextmanager
def _stand(wanted: Wanted, wait: str | None) -> Iterator[Stand]:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, what it has started ends as well
    with ExitStack() as last:
        lab = last.enter_context(running_lab())
        if wait:
            last.enter_context(without(wait))
        yield Stand(lab, wanted, _say)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/loss", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000, help="how many there are to be at least, in all")
    parser.add_argument("--removals", type=int, default=300, help="how many instances are to be removed at least")
    parser.add_argument("--longest-s", type=float, default=10.0, help="how long the longest requests take, in seconds")
    parser.add_argument("--replicas", type=int, default=10, help="how many instances serve in each case")
    parser.add_argument("--jobs", type=int, default=2, help="how many groups of cases are played at the same time")
    parser.add_argument("--figures", type=Path, help="where what came of each case is kept, to go on from there")
    parser.add_argument("--load", choices=LOADS, default=LOADS[0], help="light: few and short requests")
    parser.add_argument("--slow-edge", action="store_true", help="let edges follow as slowly as they do by default")
    parser.add_argument("--without", choices=sorted(WAITS), help="take a wait of the drain away")
    parser.add_argument("cases", nargs="*", metavar="EDGE/STRATEGY/APPLICATION")
    return parser.parse_args()


def _is_wanted(case: Case, names: Sequence[str]) -> bool:
    return not names or any(str(case).startswith(name) for name in names)


def _tell(result: Result) -> None:
    _say(
        f"{result.case}: {result.requests} requests, {len(result.losses)} lost, {result.cut_websockets} websockets "
        f"cut, {result.busy_removals} of {result.removals} removed with requests, {result.seconds:.0f} s"
    )
    for words in result.losses[:SHOWN_LOSSES]:
        _say(f"{result.case} lost: {words}")
    if len(result.losses) > SHOWN_LOSSES:
        _say(f"{result.case} lost: … {len(result.losses) - SHOWN_LOSSES} more")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
