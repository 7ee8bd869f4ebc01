"""What names, numbers, commands and environments may look like, so that they are legal everywhere they end up."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
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


def check_flag(what: str, value: object) -> None:
    """Check that it is True or False: ``"no"`` would count as true.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{what} is {value!r}: use True or False")


def check_text(what: str, value: object) -> None:
    """Check that it is text.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is {_kind(value)}: use text")


def check_kind(what: str, value: object, kind: type, example: str) -> None:
    """Check that it is an object of this class.

    Raises:
        ConfigurationError: It is something else; `example` says what would be right.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{what} is {_kind(value)}: use {example}")


def check_methods(what: str, value: object, methods: Iterable[str], example: str) -> None:
    """Check that an object of a user's own has these methods. A class has none: it is to be called first.

    Raises:
        ConfigurationError: It lacks one; `example` says what would be right.
    """
    for name in methods:
        if isinstance(value, type) or not callable(getattr(value, name, None)):
            raise ConfigurationError(f"{what} is {_kind(value)}, which has no method {name}: use {example}")


def check_function(what: str, value: object, arguments: str) -> None:
    """Check that it can be called. `arguments` says with what.

    Raises:
        ConfigurationError: It can't.
    """
    if not callable(value):
        raise ConfigurationError(f"{what} is {value!r}: use a function of {arguments}")


def list_of(what: str, value: Any, example: str) -> tuple[Any, ...]:
    """Return what a list has in it.

    Raises:
        ConfigurationError: It is no list, but one text, say; `example` says what would be right.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{what} is {value!r}: use a list, for example {example}")
    return tuple(value)


def path_text(what: str, value: Any) -> str:
    """Return a path as text.

    Raises:
        ConfigurationError: It is none.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigurationError(f"{what} is {value!r}: use a path")
    return path


def choice_of(what: str, kind: type[Choice], value: Any) -> Choice:
    """Return the member of an enumeration that is `value`, or has it.

    Raises:
        ConfigurationError: There is none; the message names the choices.
    """
    try:
        return kind(value)
    except ValueError:
        choices = " or ".join(repr(member.value) for member in kind)
        raise ConfigurationError(f"{what} is {value!r}: use {choices}") from None


def service_name(value: object, what: str = "a service") -> str:
    """Return the name by which a service is asked for.

    Raises:
        ConfigurationError: It isn't text, but the service itself, say.
    """
    if not isinstance(value, str):
        name = getattr(value, "name", "web")
        raise ConfigurationError(f"{what} is asked for by its name, for example {name!r}, and not by {_kind(value)}")
    return value


def command_words(value: Any) -> tuple[str, ...]:
    """Return the words of a command. A path among them is as good as text.

    Raises:
        ConfigurationError: It is one string, is empty, or has a word that isn't text.
    """
    if isinstance(value, str):
        raise ConfigurationError(f"command {value!r}: use a list of words, for example {value.split()!r}")
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise ConfigurationError(f"command {value!r}: use a list of words, for example ['python3', 'server.py']")
    words = tuple(os.fspath(word) if isinstance(word, os.PathLike) else word for word in value)
    for word in words:
        if not isinstance(word, str):
            raise ConfigurationError(
                f"command {list(words)!r}: use a list of words; {word!r} is none, {str(word)!r} would be"
            )
        if "\0" in word:
            raise ConfigurationError(f"command {list(words)!r}: use a list of words without null characters")
    if not words or not words[0]:
        raise ConfigurationError(f"command {list(words)!r}: use a list of words whose first is the program")
    return words


def check_program(what: str, command: Sequence[str], directory: str | None, environment: Mapping[str, str]) -> None:
    """Look whether the program of a command is there. Nothing is run.

    Raises:
        ConfigurationError: It is not, or it can't be executed. `what` is whose command it is.
    """
    program = command[0]
    if "/" in program:
        program = str(Path(directory or "", program))
    if shutil.which(program, path=environment.get("PATH")) is None:
        raise ConfigurationError(
            f"command {command[0]!r} of {what} is not there, or can't be executed: give a program on PATH, or its "
            "whole path"
        )


def directory_text(value: Any) -> str | None:
    """Return the path of a directory as text; None: none is stated.

    Raises:
        ConfigurationError: It is no path.
    """
    if value is None:
        return None
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str) or "\0" in path:
        raise ConfigurationError(f"directory {value!r}: use the path of a directory")
    return path


def pairs_of(what: str, value: Any, example: Mapping[str, object]) -> dict[Any, Any]:
    """Return a mapping as a dict.

    Raises:
        ConfigurationError: It isn't one. What it is, is not said: there may be a secret in it.
    """
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{what} is {_kind(value)}: use a dict, for example {dict(example)!r}")
    return dict(value)


def environment_texts(value: Any, what: str = "environment variable") -> dict[str, str]:
    """Return the variables of an environment.

    Args:
        value: What was given.
        what: What one of them is called in an error.

    Raises:
        ConfigurationError: It is no mapping, a name isn't one, or a value isn't text.
    """
    pairs = pairs_of(what.removesuffix(" variable"), value, {"LANG": "C.UTF-8"})
    for key, text in pairs.items():
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise ConfigurationError(f"{what} {key!r}: use a name without = and null characters")
        if not isinstance(text, str):  # what it is, is not said: it may be a secret
            raise ConfigurationError(f"{what} {key} is of type {type(text).__name__}: use text, in quotes")
        if "\0" in text:
            raise ConfigurationError(f"{what} {key} has a null character, which no program can be given")
    return pairs


def names_only(environment: Mapping[str, str]) -> str:
    """Return an environment as a ``repr`` shows it. What the variables are set to may be secret."""
    return "{" + ", ".join(f"{name!r}: …" for name in environment) + "}"


def _kind(value: object) -> str:
    return f"a {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
