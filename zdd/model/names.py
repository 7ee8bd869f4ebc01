"""What a name may look like, so that it is legal everywhere it ends up: DNS labels, file names, Swarm services."""

from __future__ import annotations

import re
from typing import Any

from zdd.errors import ConfigurationError

NAME_LENGTH_MAX = 40  # leaves room for the suffixes that cells and instances add within a 63-character DNS label
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def check_name(what: str, name: object) -> str:
    """Return `name` if it is a legal one.

    Raises:
        ConfigurationError: It isn't text, is empty, too long, or has an illegal character.
    """
    if not isinstance(name, str) or len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{what} {name!r}: use 1 to {NAME_LENGTH_MAX} lower-case letters, digits and hyphens, "
            "beginning and ending with a letter or a digit"
        )
    return name


def check_number(what: str, value: Any, *, least: float, most: float = float("inf"), whole: bool = False) -> None:
    """Check that `value` is a number within bounds.

    Raises:
        ConfigurationError: It is not a number, not whole where it must be, or out of bounds.
    """
    kinds = (int,) if whole else (int, float)
    legal = isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most
    if not legal:
        kind = "a whole number" if whole else "a number"
        bounds = f"{least} or more" if most == float("inf") else f"from {least} to {most}"
        raise ConfigurationError(f"{what} is {value!r}: use {kind}, {bounds}")
