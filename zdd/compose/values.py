"""Durations, sizes, numbers and lists, as compose files write them."""

from __future__ import annotations

import math
import re
import shlex
from decimal import Decimal
from typing import Any

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?) ?(?:([kmgtp])i?b?|b)?", re.IGNORECASE)
_NS_MAX = 2**63 - 1


def duration_ns(text: str) -> int:
    """Return a duration such as ``1m30s`` in nanoseconds.

    Raises:
        ValueError: It is none.
    """
    if text == "0":
        return 0
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text[:40]!r} is no duration: use a number with a unit, such as 10s or 1m30s")
    total = int(sum(Decimal(number) * _UNITS_NS[unit] for number, unit in parts))
    if total > _NS_MAX:
        raise ValueError(f"{text[:40]!r} is too long a duration")
    return total


def duration_s(value: Any) -> float:
    """Return a duration in seconds; a number is seconds.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no duration: use a number with a unit, such as 10s or 1m30s")  # noqa: TRY004
    return duration_ns(value) / 1_000_000_000 if isinstance(value, str) else float(value)


def size_bytes(value: int | str) -> int:
    """Return a size such as ``512M`` in bytes. The units are powers of 1024.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value.strip())
    if not match:
        raise ValueError(f"{value[:40]!r} is no size: use a number with a unit, such as 512M or 2G")
    power = " kmgtp".index((match[2] or " ").lower())
    return int(float(match[1]) * 1024**power) if "." in match[1] else int(match[1]) * 1024**power


def nano_cpus(value: str) -> int:
    """Return processors such as ``0.5`` in billionths.

    Raises:
        ValueError: It is no number, or has more digits than that.
    """
    if not re.fullmatch(r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}", value):
        raise ValueError(f"{value[:40]!r} is no number of processors: use one such as 0.5")
    return int(Decimal(value) * 1_000_000_000)


def go_text(value: Any) -> str:
    """Return a value as the docker client writes it: true, 1.1, 1e+21."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    exponent = math.floor(math.log10(abs(value))) if value else 0
    if -4 <= exponent < 21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, power = repr(value).partition("e")
    if not power:
        mantissa, _, power = f"{value:e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(power):+03d}"


def command_words(value: str | list[str]) -> list[str]:
    """Return the words of a command, taken apart as a shell would.

    Raises:
        ValueError: A quote is not closed.
    """
    if isinstance(value, str):
        try:
            return shlex.split(value, comments=True)
        except ValueError as error:
            raise ValueError(f"{value[:60]!r}: {error}") from None
    return [go_text(word) for word in value]


def text_list(value: str | list[Any]) -> list[str]:
    """Return what may be one text or a list of texts as a list."""
    return [value] if isinstance(value, str) else [go_text(one) for one in value]


def pairs(value: dict[str, Any] | list[Any] | None, separator: str = "=") -> dict[str, str]:
    """Return what may be a mapping or a list such as ``name=text`` as a mapping."""
    return {name: text or "" for name, text in optional_pairs(value, separator).items()}


def optional_pairs(value: dict[str, Any] | list[Any] | None, separator: str = "=") -> dict[str, str | None]:
    """Return the same, where a name without a text has None."""
    if isinstance(value, dict):
        return {name: None if text is None else go_text(text) for name, text in value.items()}
    found: dict[str, str | None] = {}
    for entry in value or ():
        name, there, text = go_text(entry).partition(separator)
        found[name] = text if there else None
    return found
