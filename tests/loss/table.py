"""The cases as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from cases import Result

HEAD = ("edge", "strategy", "on SIGTERM", "requests", "lost", "websockets cut", "removed", "with requests",
        "drain median", "seconds")  # fmt: skip


def print_table(results: Sequence[Result]) -> None:
    """Print a line for each case."""
    rows = [HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = (cell.ljust(width) if column < 3 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        print("  ".join(cells).rstrip())


def _row(result: Result) -> tuple[str, ...]:
    case = result.case
    drain_s = median([one.drained_s for one in result.removed] or [0.0])
    figures = (result.requests, len(result.losses), result.cut_websockets, len(result.removed), result.busy_removals)
    return (case.edge, case.strategy, case.application, *map(str, figures), f"{drain_s:.1f} s", f"{result.seconds:.0f}")
