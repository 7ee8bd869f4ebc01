"""From values to plain data. What it looks like is told in the package's docstring."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import inspect
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from zdd.codec.missing import MissingAction, MissingGate, MissingStrategy
from zdd.codec.place import Unusable, full_name, place_of
from zdd.codec.tags import NAMES, PART_NAMES
from zdd.errors import JournalError

Json = Any
"""What the json module reads and writes."""

_ROLES = {"$gate": ("sample", "judge"), "$action": ("run", "deadline_s"), "$strategy": ("stages", "surge")}


def encode(value: object) -> Json:
    """Return the value as plain data that the json module writes without loss.

    Raises:
        JournalError: Something in it can't be written down, and is not part of a gate, an action or a strategy.
    """
    try:
        return _encode(value, "value")
    except Unusable as problem:
        raise JournalError(f"can't be written down: {problem}") from None


def role_of(value: object) -> str:
    """Return ``$gate``, ``$action`` or ``$strategy`` by the methods that it has; empty for anything else."""

    def has(name: str) -> bool:
        return inspect.getattr_static(value, name, None) is not None

    if isinstance(value, type):
        return ""
    return next((role for role, names in _ROLES.items() if all(map(has, names))), "")


def _encode(value: object, where: str) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        own = NAMES.get(type(value))
        return {"$": own, "name": value.name} if own else {"$enum": place_of(type(value)), "name": value.name}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return _encode_mapping(value, where)
    if isinstance(value, tuple):
        return _items(value, where)
    return _encode_object(value, where)


def _encode_mapping(value: Mapping[Any, object], where: str) -> Json:
    if all(isinstance(key, str) and not isinstance(key, enum.Enum) and not key.startswith("$") for key in value):
        return {str(key): _encode(item, f"{where}[{key!r}]") for key, item in value.items()}
    return {"$map": [[_encode(key, where), _encode(item, f"{where}[{key}]")] for key, item in value.items()]}


def _encode_object(value: object, where: str) -> Json:
    if type(value) in NAMES:
        return {"$": NAMES[type(value)], **_encode_fields(value, where)}
    if isinstance(value, MissingGate | MissingAction | MissingStrategy):
        return json.loads(value.written)
    role = role_of(value)
    if role:
        return _encode_part(value, role)
    for marker, (kind, write) in _PLAIN.items():
        if isinstance(value, kind):
            return {marker: write(value, where)}
    if attrs.has(type(value)):
        return {"$object": place_of(type(value)), "fields": _encode_fields(value, where)}
    if callable(value):
        return {"$function": place_of(value)}
    raise Unusable(f"{where} is {value!r}, and {full_name(type(value))} is no attrs class, function or plain value")


def _encode_fields(value: Any, where: str) -> dict[str, Json]:
    return {
        field.alias: _encode(getattr(value, field.name), f"{where}.{field.name}")
        for field in attrs.fields(type(value))
        if field.init
    }


def _encode_part(value: object, role: str) -> Json:
    """Write a gate, an action or a strategy. One that can't be written is written as its text and the reason why."""
    text = _text(value, role)
    try:
        place = place_of(type(value))
        fields = _encode_fields(value, text) if attrs.has(type(value)) else None
    except (Unusable, RecursionError) as problem:
        return {role: "", "text": text, "problem": str(problem)}
    if fields is None:
        problem_text = f"{place} is no attrs class, so its values can't be written down: make it one"
        return {role: "", "text": text, "problem": problem_text}
    return {role: PART_NAMES.get(place, place), "text": text, "fields": fields}


def _text(value: Any, role: str) -> str:
    try:
        return str(value.name if role == "$action" else value)
    except Exception as error:  # noqa: BLE001 - a user's __str__ may raise anything, and the deployment goes on
        return f"{full_name(type(value))} (its text can't be had: {type(error).__name__})"


def _items(value: Any, where: str) -> list[Json]:
    return [_encode(item, f"{where}[{number}]") for number, item in enumerate(value)]


def _sorted_items(value: Any, where: str) -> list[Json]:
    return sorted(_items(value, where), key=json.dumps)


_PLAIN: Mapping[str, tuple[type, Callable[[Any, str], Json]]] = {
    "$list": (list, _items),
    "$set": (set, _sorted_items),
    "$frozenset": (frozenset, _sorted_items),
    "$bytes": (bytes, lambda value, _: base64.b64encode(value).decode()),
    "$path": (Path, lambda value, _: str(value)),
    "$duration": (dt.timedelta, lambda value, _: [value.days, value.seconds, value.microseconds]),
}
