"""The words and signs that every display uses for the same thing. A sign never stands without its word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from attrs import frozen

from zdd.events import Moment, Outcome
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.status import Status
from zdd.wording import change, clock, percent, printable

MANY = 20
"""Above this many instances a display counts them by state instead of listing them."""


@frozen
class Sign:
    """How a state is shown.

    Attributes:
        glyph: One character.
        word: The state, for a list of what is.
        past: What happened, for a line of what changes.
        style: A colour, for displays that have some.
    """

    glyph: str
    word: str
    past: str
    style: str


MOMENTS = {
    Moment.LAUNCHED: Sign("◌", "starting", "launched", "yellow"),
    Moment.READY: Sign("◔", "ready", "ready, not yet proven", "yellow"),
    Moment.PROVEN: Sign("◑", "proven", "passed its gates", "cyan"),
    Moment.ADMITTED: Sign("◕", "admitted", "admitted to traffic", "cyan"),
    Moment.SEEN: Sign("✔", "in traffic", "has traffic at every edge", "green"),
    Moment.OUT: Sign("◷", "leaving", "told out of traffic", "magenta"),
    Moment.SEEN_GONE: Sign("◷", "draining", "without new requests at every edge", "magenta"),
    Moment.IDLE: Sign("○", "drained", "has nothing in flight", "magenta"),
    Moment.CUT: Sign("✂", "cut", "cut at the drain deadline", "red"),
    Moment.STOPPED: Sign("■", "stopped", "stopped", "dim"),
    Moment.LOST: Sign("✖", "lost", "lost: it ended by itself", "red"),
}

OUTCOMES = {
    Outcome.SUCCEEDED: Sign("✔", "succeeded", "succeeded", "green"),
    Outcome.UNCHANGED: Sign("=", "unchanged", "unchanged", "green"),
    Outcome.ROLLED_BACK: Sign("↩", "rolled back", "rolled back", "yellow"),
    Outcome.FROZEN: Sign("‖", "frozen", "frozen", "yellow"),
    Outcome.STUCK: Sign("✖", "stuck", "stuck", "red"),
    Outcome.INTERRUPTED: Sign("◼", "interrupted", "interrupted", "yellow"),
}

RESULTS = {
    Result.PASSED: Sign("✔", "passed", "passed", "green"),
    Result.FAILED: Sign("✖", "failed", "failed", "red"),
    Result.INCONCLUSIVE: Sign("?", "inconclusive", "is inconclusive", "yellow"),
}


def change_words(status: Status) -> str:
    """Return from what to what; nothing before that is known."""
    known = status.from_version or status.to_version
    return change(status.from_version, status.to_version, beside=status.beside) if known else ""


def stage_words(status: Status) -> str:
    """Return the stage: ``stage 3/9``; on the way back ``going back, stage 1/2``; and whether it is paused."""
    back = status.direction is Direction.BACK
    stage = f"stage {status.stage}/{status.stages}" if status.stage else ""
    return ", ".join(part for part in ("going back" if back else "", stage, "paused" if status.paused else "") if part)


def wait_words(reasons: Sequence[str], until_s: float | None, zone: tzinfo | None = None, *, most: int = 1) -> str:
    """Return what is waited for, the first `most` reasons of it, and until when."""
    named = "; ".join(printable(reason) for reason in reasons[:most])
    more = f" (and {len(reasons) - most} more)" if len(reasons) > most else ""
    end = "never" if until_s is None else clock(until_s, zone)
    return f"{named}{more}, " + ("without a deadline" if end == "never" else f"until {end}")


def capacity_words(status: Status) -> str:
    """Return the capacity: ``4 useful (3 wanted), 4 running, floor 3``."""
    if status.useful is None:
        return f"not measured yet, floor {status.floor}"
    return f"{status.useful} useful ({status.replicas} wanted), {status.existing} running, floor {status.floor}"


def traffic_words(status: Status) -> str:
    """Return the traffic by version: ``1.4.2 75 %, 1.5.0 25 %``; empty if none is known."""
    return ", ".join(f"{printable(v)} {percent(share, 1000)}" for v, share in sorted(status.shares.items()) if share)
