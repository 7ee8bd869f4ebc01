"""The cases as a table for a person."""

from __future__ import annotations

from attrs import evolve
from figures import SWARM, Figures, Result

HEAD = ("edge", "strategy", "on SIGTERM", "requests", "lost", "websockets cut", "removed", "with requests",
        "drain median", "seconds")  # fmt: skip
PEER_HEAD = ("Swarm: requests", "lost", "seconds")
LEFT = 3


def print_table(figures: Figures) -> None:
    """Print a line for each case of zdd's, with Swarm's own beside it if that was played."""
    own = [result for result in figures.results if result.case.deployer != SWARM]
    with_peer = len(own) < len(figures.results)
    rows = [(*HEAD, *(PEER_HEAD if with_peer else ()))]
    rows += [(*_row(result), *(_peer_row(figures, result) if with_peer else ())) for result in own]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) if column < LEFT else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        print("  ".join(cells).rstrip())


def _row(result: Result) -> tuple[str, ...]:
    case = result.case
    figures = (result.requests, len(result.losses), result.cut_websockets, result.removals, result.busy_removals)
    times = (f"{result.drain_median_s:.1f} s", f"{result.seconds:.0f}")
    return (case.edge, case.strategy, case.application, *map(str, figures), *times)


def _peer_row(figures: Figures, own: Result) -> tuple[str, ...]:
    result = figures.of(evolve(own.case, deployer=SWARM))
    if result is None:
        return ("", "", "")
    return (str(result.requests), str(len(result.losses)), f"{result.seconds:.0f}")
