"""What a user's function must be, so that it is found out where it is given and not in the middle of a deployment."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from zdd.errors import ConfigurationError


def function_of_one(value: Any, of: str, argument: str) -> Callable[[Any], Any]:
    """Return a plain function that can be called with one argument.

    Args:
        value: What was given.
        of: What it is a function of, for example ``a gate``.
        argument: What it is called with.

    Raises:
        ConfigurationError: It isn't one. An async one would never be run.
    """
    if not callable(value):
        raise ConfigurationError(f"function of {of} is {value!r}: use a function of one argument, {argument}")
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        raise ConfigurationError(f"function {function_name(value)} of {of} is async: use a plain one")
    try:
        inspect.signature(value).bind(object())
    except TypeError as error:
        raise ConfigurationError(
            f"function {function_name(value)} of {of} can't be called with one argument, {argument}: {error}"
        ) from None
    except ValueError:
        pass  # some that are written in C don't tell their arguments
    found: Callable[[Any], Any] = value
    return found


def function_name(function: object) -> str:
    """Return what a person calls it."""
    return getattr(function, "__name__", "") or repr(function)
