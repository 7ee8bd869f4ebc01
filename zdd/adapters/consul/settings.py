"""From plain data to a frozen class of the application's own, checked key by key."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union

import attrs

from zdd.errors import ConfigurationError

Settings = TypeVar("Settings")


def convert(values: Mapping[str, Any], kind: type[Settings], where: str) -> Settings:
    """Return an object of an attrs class, with each key's value at the field of that name.

    A field may be a text, a number, a truth value, a tuple or a mapping of such, another attrs class, or one of these
    or None. A key that the class does not have is left alone: the next version may want it.

    Args:
        values: Key → value.
        kind: The class; a field with a default may be missing.
        where: What the values are, for messages.

    Raises:
        ConfigurationError: A key is missing, or has a value of another type. The message names all of them.
    """
    if not attrs.has(kind):
        raise ConfigurationError(f"{kind!r}: use a class that attrs has made")
    problems: list[str] = []
    made = _object(values, kind, "", problems)
    if problems:
        raise ConfigurationError(f"{where} does not fit {kind.__name__}: {'; '.join(problems)}")
    return typing.cast("Settings", made)


def _object(values: Mapping[str, Any], kind: type[Any], place: str, problems: list[str]) -> Any:
    types_of = typing.get_type_hints(kind)
    before, arguments = len(problems), {}
    for one in attrs.fields(kind):
        if not one.init:
            continue
        key = f"{place}{one.name}"
        if one.name in values:
            arguments[one.alias] = _value(values[one.name], types_of.get(one.name, Any), key, problems)
        elif one.default is attrs.NOTHING:
            problems.append(f"key {key!r} is missing, {_name(types_of.get(one.name, Any))} is wanted")
    if len(problems) > before:
        return None
    try:
        return kind(**arguments)
    except (TypeError, ValueError, ConfigurationError) as error:
        problems.append(f"{place.rstrip('.') or kind.__name__}: {error}")
        return None


def _value(value: Any, wanted: Any, key: str, problems: list[str]) -> Any:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (Union, types.UnionType):
        return _one_of(value, inner, wanted, key, problems)
    if origin is tuple and len(inner) == 2 and inner[1] is ... and isinstance(value, list):
        return tuple(_value(one, inner[0], f"{key}[{number}]", problems) for number, one in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        return {name: _value(one, inner[1], f"{key}.{name}", problems) for name, one in value.items()}
    if attrs.has(wanted) and isinstance(value, dict):
        return _object(value, wanted, f"{key}.", problems)
    if wanted is Any or (wanted is type(None) and value is None):
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if wanted in (str, int, float, bool) and type(value) is wanted:  # a truth value is no number here
        return value
    problems.append(f"key {key!r} is {_short(value)} ({type(value).__name__}), {_name(wanted)} is wanted")
    return None


def _one_of(value: Any, kinds: tuple[Any, ...], wanted: Any, key: str, problems: list[str]) -> Any:
    for kind in kinds:
        tried: list[str] = []
        found = _value(value, kind, key, tried)
        if not tried:
            return found
    problems.append(f"key {key!r} is {_short(value)} ({type(value).__name__}), {_name(wanted)} is wanted")
    return None


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
