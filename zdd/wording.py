"""How values are put in words, the same in every report and display. Pure functions, standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

LINE_LENGTH_MAX = 1000
"""How long a line from outside may be: a reason names two causes, with the paths and the fixes of both."""


def printable(text: object, *, length_max: int = LINE_LENGTH_MAX) -> str:
    r"""Return one line without anything that could move a cursor, hide text or change its direction.

    What is not printable shows as an escape (``\x1b``, ``\n``, ``\u202e``). Text longer than `length_max` characters
    is cut, and says so with an ellipsis: versions, reasons and notes come from outside.
    """
    line = "".join(c if c.isprintable() else _escaped(c) for c in str(text)[: length_max + 1])
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def change(from_version: str, to_version: str, *, beside: bool = False, first: bool = False) -> str:
    """Return from what to what: ``1.4.2 → 1.5.0``, ``start of 1.4.2`` from nothing, or ``removal of 1.4.2``.

    A start is the ``first deployment of 1.4.2`` where it is known that nothing was deployed before. What is put
    `beside` what serves, and gets no traffic, is a ``standby 1.5.0 beside 1.4.2``.
    """
    if not to_version:
        return f"removal of {printable(from_version)}"
    before, after = printable(from_version), printable(to_version)
    if beside:
        return f"standby {after} beside {before or 'nothing'}"
    if from_version:
        return f"{before} → {after}"
    return f"first deployment of {after}" if first else f"start of {after}"


def duration(seconds: float) -> str:
    """Return a length of time as a person says it: ``0.4 s``, ``41.2 s``, ``2 min 05 s``, ``1 h 02 min``, ``3 d 04 h``.

    Below ten minutes nothing is rounded away that matters; a negative length (clocks of two hosts) shows as it is.
    """
    if not math.isfinite(seconds):
        return "without end"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 59.95 else "1 min 00 s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 24 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def span(seconds: float) -> str:
    """Return a length of time that was agreed: like `duration`, but without zeros: ``30 s``, ``10 min``, ``0.5 s``."""
    if seconds < 60:
        return f"{seconds:g} s"
    return duration(seconds).removesuffix(" 00 s").removesuffix(" 00 min").removesuffix(" 00 h")


def clock(at_s: float, zone: tzinfo | None = None) -> str:
    """Return the time of day, ``12:04:31``, in `zone` or in local time."""
    moment = _moment(at_s, zone)
    return moment.strftime("%H:%M:%S") if moment else "never"


def date_and_time(at_s: float) -> str:
    """Return the time in words that mean the same everywhere: ``2026-11-23 12:04:31 UTC``."""
    moment = _moment(at_s, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "never"


def iso(at_s: float) -> str | None:
    """Return the time by ISO 8601 in UTC, to the millisecond; None for one that no calendar has, such as infinity."""
    moment = _moment(at_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _moment(at_s: float, zone: tzinfo | None) -> datetime | None:
    try:
        moment = datetime.fromtimestamp(at_s, UTC)
        return moment.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return None


def percent(part: float, whole: float) -> str:
    """Return a share, ``25 %`` or ``33.3 %``."""
    value = 100 * part / whole if whole else 0.0
    return f"{value:.1f}".removesuffix(".0") + " %"


def figures(values: Mapping[str, float]) -> str:
    """Return a gate's numbers on one line, sorted by name."""
    return ", ".join(f"{printable(name)} {value:.6g}" for name, value in sorted(values.items()))


def count(number: int, noun: str) -> str:
    """Return ``1 instance``, ``2 instances``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
