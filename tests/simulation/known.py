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
    Known(
        1474, Invariant.HONEST, "ZeroDivisionError", "no canary can be resumed while old cells are being retired"
    ),
    Known(672, Invariant.DRAINED, "was cut after", "the drain deadline runs before the last edge has let go"),
    Known(259, Invariant.DRAINED, "in flight, not on record", "an instance that one list lacks is not drained"),
    Known(89, Invariant.DRAINED, "in flight, not on record", "an edge that lags for more than a second admits late"),
    Known(1591, Invariant.HELD, "nothing to send", "held requests go on while an edge's silence keeps the new one out"),
    Known(867, Invariant.HELD, "still held", "taking back can end while requests are held"),
    Known(323, Invariant.ONE_REVISION, "launched beside", "one short list is enough to start beside what stops"),
    Known(766, Invariant.RESUMABLE, "above the ceiling", "a canary's surge is too small for what a person scaled"),
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
