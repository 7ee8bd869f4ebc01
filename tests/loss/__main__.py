"""Count what strict clients lose while instances are replaced on a real swarm: ``make loss``.

Every case is an edge, a strategy, and what the application does on SIGTERM. The last line of standard output is the
verdict as JSON; the exit code is 1 if a promise was broken (if anything was lost outside in place, or more in place
than an instance that was stopped undrained explains), or if a case did not come to its end.

    python tests/loss [OPTION …] [EDGE/STRATEGY/APPLICATION …]

A case may be given in part: ``haproxy`` or ``traefik/rolling``. The edges ``haproxy-overlay`` and ``traefik-overlay``,
services of the swarm that are on an overlay network with the instances, are played when they are named.

`--without idle` takes the wait for what is in flight away, `--without gone` the one for the edges to let go, to show
that then something is lost. Ctrl-C ends it after the cases that were played; with `--figures FILE` the next run goes on
with the others, if nothing else has changed.
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

from apart import Play, played
from attrs import evolve
from cases import APPLICATIONS, EDGES, OVERLAY_EDGES, STRATEGIES, Stand, grouped
from figures import SWARM, ZDD, Case, Figures, Result, Unusable, commit_of, verdict
from parts import HERE, running_lab
from peer import Peer
from table import print_table
from wanted import Wanted
from without import WAITS, without

SHOWN_LOSSES = 5
LOADS = ("mixed", "light")
DEPLOYERS = {"zdd": (ZDD,), "swarm": (SWARM,), "both": (ZDD, SWARM)}
DEPENDS_ON = ("requests", "removals", "longest_s", "replicas", "load", "slow_edge", "without")


def main() -> int:
    """Play the cases. Return the exit code."""
    arguments = _arguments()
    everything = [Case(*one) for one in itertools.product((*EDGES, *OVERLAY_EDGES), STRATEGIES, APPLICATIONS)]
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
    both = [evolve(case, deployer=one) for one in DEPLOYERS[arguments.deployer] for case in cases]
    missing = [case for case in both if figures.of(case) is None]
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
        for words in result.breaches:
            print(f"{result.case} broke its promise: {words}")
    print(json.dumps(verdict(figures.results)), flush=True)
    return 1 if unfinished or any(result.broken for result in figures.results) else 0


def _play(cases: Sequence[Case], wanted: Wanted, arguments: argparse.Namespace, figures: Figures) -> int:
    """Play what is missing, and return how many cases did not come to their end."""
    left = len(cases)
    try:
        with _stand(wanted, arguments.without) as stand:
            for outcome in played(grouped(cases), stand, arguments.jobs):
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
def _stand(wanted: Wanted, wait: str | None) -> Iterator[Play]:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, what it has started ends as well
    with ExitStack() as last:
        lab = last.enter_context(running_lab())
        if wait:
            last.enter_context(without(wait))
        own, peer = Stand(lab, wanted, _say), Peer(lab, wanted, _say)
        yield lambda group: own.play(group) if group[0].deployer == ZDD else peer.play(group)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/loss", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000, help="how many there are to be at least, in all")
    parser.add_argument("--removals", type=int, default=300, help="how many instances are to be removed at least")
    parser.add_argument("--longest-s", type=float, default=10.0, help="how long the longest requests take, in seconds")
    parser.add_argument("--replicas", type=int, default=10, help="how many instances serve in each case")
    parser.add_argument("--deployer", choices=DEPLOYERS, default="zdd", help="swarm: docker service update instead")
    parser.add_argument("--jobs", type=int, default=2, help="how many groups of cases are played at the same time")
    parser.add_argument("--figures", type=Path, help="where what came of each case is kept, to go on from there")
    parser.add_argument("--load", choices=LOADS, default=LOADS[0], help="light: few and short requests")
    parser.add_argument("--slow-edge", action="store_true", help="let edges follow as slowly as they do by default")
    parser.add_argument("--without", choices=sorted(WAITS), help="take a wait of the drain away")
    parser.add_argument("cases", nargs="*", metavar="EDGE/STRATEGY/APPLICATION")
    return parser.parse_args()


def _is_wanted(case: Case, names: Sequence[str]) -> bool:
    if not names:
        return case.edge in EDGES
    parts = str(case).split("/")
    return any(parts[: len(wanted)] == wanted for wanted in (name.split("/") for name in names))


def _tell(result: Result) -> None:
    _say(
        f"{result.case}: {result.requests} requests, {result.lost} lost, {result.cut_websockets} websockets "
        f"cut, {result.busy_removals} of {result.removals} removed with requests, {result.seconds:.0f} s"
    )
    if result.below_floor_s:
        _say(f"{result.case}: fewer served than the floor for {result.below_floor_s:.1f} s")
    for words in result.losses[:SHOWN_LOSSES]:
        _say(f"{result.case} lost: {words}")
    if result.lost > SHOWN_LOSSES:
        _say(f"{result.case} lost: … {result.lost - SHOWN_LOSSES} more")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
