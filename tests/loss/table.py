"""The cases as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from figures import SWARM, ZDD, Figures, Result

Row = tuple[str, ...]

CASE_HEAD = ("edge", "strategy", "on SIGTERM")
HEAD = ("requests", "lost", "websockets cut", "removed", "with requests", "drain median", "seconds")
PEER_HEAD = ("Swarm: requests", "lost", "websockets cut", "removed", "with requests", "seconds")


def print_table(figures: Figures) -> None:
    """Print a line for each case of zdd's, with Swarm's own beside it if that was played."""
    names = list(dict.fromkeys(evolve(result.case, deployer=ZDD) for result in figures.results))
    own, peer = ([figures.of(evolve(name, deployer=deployer)) for name in names] for deployer in (ZDD, SWARM))
    rows: list[Row] = [CASE_HEAD, *((name.edge, name.strategy, name.application) for name in names)]
    if any(own) or not names:
        rows = _joined(rows, [HEAD, *map(_row, own)])
    if any(peer):
        rows = _joined(rows, [PEER_HEAD, *map(_peer_row, peer)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) if column < len(CASE_HEAD) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        print("  ".join(cells).rstrip())


def _joined(rows: Sequence[Row], more: Sequence[Row]) -> list[Row]:
    return [(*row, *cells) for row, cells in zip(rows, more, strict=True)]


def _row(result: Result | None) -> Row:
    if result is None:
        return ("",) * len(HEAD)
    figures = (result.requests, result.lost, result.cut_websockets, result.removals, result.busy_removals)
    return (*map(str, figures), f"{result.drain_median_s:.1f} s", f"{result.seconds:.0f}")


def _peer_row(result: Result | None) -> Row:
    if result is None:
        return ("",) * len(PEER_HEAD)
    figures = (result.requests, result.lost, result.cut_websockets, result.removals, result.busy_removals)
    return (*map(str, figures), f"{result.seconds:.0f}")
