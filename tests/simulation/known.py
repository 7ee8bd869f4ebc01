"""What the simulator has found and is not mended yet. Each line goes when its seed no longer breaks its rule."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from zdd.simulation import Invariant, Result


@frozen
class Known:
    """A fault of zdd that is known.

    Attributes:
        seed: A life in which it shows.
        invariant: The rule that it breaks.
        text: Part of what is said then.
        why: What is wrong.
    """

    seed: int
    invariant: Invariant
    text: str
    why: str


KNOWN: tuple[Known, ...] = (
    Known(89, Invariant.DRAINED, "in flight, not on record", "an edge that lags for more than a second admits late"),
)


def unknown(results: Sequence[Result]) -> list[str]:
    """Return what was broken and is not known, with the line that plays it again."""
    return [
        f"python -m zdd.simulation --seed {result.seed}: {result.violations[0]}"
        for result in results
        if result.violations and not any(_is(known, result) for known in KNOWN)
    ]


def _is(known: Known, result: Result) -> bool:
    first = result.violations[0]
    return first.invariant is known.invariant and known.text in first.text
