"""What names, numbers, commands and environments may look like, so that they are legal everywhere they end up."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, TypeVar

from zdd.errors import ConfigurationError

Choice = TypeVar("Choice", bound=Enum)

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


def choice_of(kind: type[Choice], value: Any) -> Choice:
    """Return the member of an enumeration that is `value`, or has it.

    Raises:
        ConfigurationError: There is none; the message names the choices.
    """
    try:
        return kind(value)
    except ValueError:
        choices = " or ".join(repr(member.value) for member in kind)
        raise ConfigurationError(f"{value!r}: use {choices}") from None


def command_words(value: Any) -> tuple[str, ...]:
    """Return the words of a command.

    Raises:
        ConfigurationError: It is one string, is empty, or has a word that isn't text.
    """
    if isinstance(value, str):
        raise ConfigurationError(f"command {value!r}: use a list of words, for example {value.split()!r}")
    words = tuple(value)
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words) or not words[0]:
        raise ConfigurationError(f"command {list(words)!r}: use a list of words whose first is the program")
    return words


def environment_texts(value: Any) -> dict[str, str]:
    """Return the variables of an environment.

    Raises:
        ConfigurationError: A name isn't one, or a value isn't text.
    """
    pairs = dict(value)
    for key, text in pairs.items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise ConfigurationError(f"environment variable {key!r}: use a name without = and null characters")
        if not isinstance(text, str):  # what it is, is not said: it may be a secret
            raise ConfigurationError(
                f"environment variable {key} is of type {type(text).__name__}: use text, in quotes"
            )
        if "\0" in text:
            raise ConfigurationError(f"environment variable {key} has a null character, which no program can be given")
    return pairs
