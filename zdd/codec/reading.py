"""From plain data to values. What it looks like is told in the package's docstring."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from zdd.codec.missing import MissingAction, MissingGate, MissingStrategy
from zdd.codec.place import Unusable, full_name, import_place
from zdd.codec.tags import CLASSES, PARTS
from zdd.codec.writing import Json, role_of
from zdd.errors import ConfigurationError, JournalError
from zdd.model.action import action_tuple
from zdd.model.gate import gate_tuple

_MANNERS: Mapping[str, Callable[[list[Any]], object]] = {"$gate": gate_tuple, "$action": action_tuple}
"""What looks whether one of a user's own could be used where a list of such is wanted."""

_StandIn = type[MissingGate | MissingAction | MissingStrategy]


def decode(data: Json) -> Any:
    """Return the value that was encoded. A gate, action or strategy that can't be brought back becomes a stand-in.

    Raises:
        JournalError: The data isn't what `encode` writes, or was written by another version of zdd.
    """
    try:
        return _decode(data, "value")
    except Unusable as problem:
        raise JournalError(f"can't be read: {problem}") from None


def _decode(data: Json, where: str) -> Any:
    if data is None or isinstance(data, bool | int | float | str):
        return data
    if isinstance(data, list):
        return _items(data, where)
    if not isinstance(data, dict):
        raise JournalError(f"{where} is {data!r}, which is no JSON data")
    marker = next((key for key in data if key.startswith("$")), None)
    if marker is None:
        return {key: _decode(item, f"{where}[{key!r}]") for key, item in data.items()}
    if marker not in _READERS:
        raise JournalError(f"{where} is marked {marker!r}, which this version of zdd does not know")
    read, beside = _READERS[marker]
    if beside and set(data) - {marker} not in beside:
        raise JournalError(f"{where} is marked {marker!r}, and beside it has {sorted(set(data) - {marker})}")
    try:
        return read(data, where)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JournalError(f"{where} is not what {marker!r} means: {type(error).__name__}: {error}") from error


def _items(data: Json, where: str) -> tuple[Any, ...]:
    return tuple(_decode(item, f"{where}[{number}]") for number, item in enumerate(data))


def _read_own(data: Json, where: str) -> Any:
    kind = CLASSES.get(data["$"])
    if kind is None:
        raise JournalError(f"{where} is a {data['$']!r}, which this version of zdd does not know")
    if issubclass(kind, enum.Enum):
        return _member(kind, data, where)
    fields = {key: value for key, value in data.items() if key != "$"}
    problem = _field_problem(kind, fields)
    if problem:
        raise JournalError(f"{where}: {problem}")
    try:
        return _construct(kind, fields, where)
    except Unusable as refusal:
        raise JournalError(f"{where}: {refusal}") from refusal


def _field_problem(kind: type, data: Mapping[str, Json]) -> str:
    """Say which field is unknown or missing without a default; empty if none is."""
    known = {field.alias: field for field in attrs.fields(kind) if field.init}
    for name in sorted(set(data) - set(known)):
        return f"{full_name(kind)} has no field {name!r}"
    for name, field in known.items():
        if name not in data and field.default is attrs.NOTHING:
            return f"field {name!r} of {full_name(kind)} is missing, and has no default"
    return ""


def _construct(kind: type, data: Mapping[str, Json], where: str) -> Any:
    """Make the object. A field that is not there takes its default."""
    values = {name: _decode(item, f"{where}.{name}") for name, item in data.items()}
    try:
        return kind(**values)
    except Exception as error:  # a user's class may raise anything
        raise Unusable(f"{full_name(kind)} refuses its values: {type(error).__name__}: {error}") from error


def _read_part(data: Json, where: str, role: str, stand_in: _StandIn) -> Any:
    """Read a gate, an action or a strategy, or put a stand-in in its place."""
    written = json.dumps(data, sort_keys=True)
    name, text = data[role], data["text"]
    if "problem" in data:
        return stand_in(text, f"{text} was not written down: {data['problem']}, and deploy again", written)
    own = ":" not in name
    if own and name not in PARTS:
        raise JournalError(f"{where} is a {name!r}, which this version of zdd does not know")
    try:
        kind = _attrs_class(PARTS[name] if own else name)
        problem = _field_problem(kind, data["fields"])
        if problem and own:
            raise JournalError(f"{where}: {problem}")
        return _checked_part(kind, data["fields"], where, role, problem)
    except Unusable as trouble:
        advice = f"{text} can't be used: {trouble}. Make it available where this runs, or deploy without it"
        return stand_in(text, advice, written)


def _checked_part(kind: type, fields: Mapping[str, Json], where: str, role: str, problem: str) -> Any:
    if problem:
        raise Unusable(problem)
    part = _construct(kind, fields, where)
    if role_of(part) != role:
        raise Unusable(f"{full_name(kind)} has not the methods of a {role[1:]}")
    try:
        _MANNERS.get(role, list)([part])
    except ConfigurationError as error:
        raise Unusable(str(error)) from error
    return part


def _attrs_class(place: str) -> type:
    kind = import_place(place)
    if not isinstance(kind, type) or not attrs.has(kind):
        raise Unusable(f"{place} is no attrs class any more")
    return kind


def _read_object(data: Json, where: str) -> Any:
    kind = _attrs_class(data["$object"])
    problem = _field_problem(kind, data["fields"])
    if problem:
        raise Unusable(problem)
    return _construct(kind, data["fields"], where)


def _read_enum(data: Json, _where: str) -> Any:
    kind = import_place(data["$enum"])
    if not isinstance(kind, type) or not issubclass(kind, enum.Enum) or data["name"] not in kind.__members__:
        raise Unusable(f"{data['$enum']} is no enumeration with {data['name']!r} any more")
    return kind[data["name"]]


def _member(kind: type[enum.Enum], data: Json, where: str) -> enum.Enum:
    if set(data) != {"$", "name"} or data["name"] not in kind.__members__:
        raise JournalError(f"{where}: {full_name(kind)} has no member {data!r}")
    return kind[data["name"]]


def _read_function(data: Json, _where: str) -> Any:
    function = import_place(data["$function"])
    if not callable(function):
        raise Unusable(f"{data['$function']} is no function any more")
    return function


_Reader = Callable[[Json, str], Any]
_ALONE = (frozenset[str](),)
_PART = (frozenset({"text", "fields"}), frozenset({"text", "problem"}))
# Marker → what reads it, and the sets of keys that may stand beside it; none given: the reader checks them.
_READERS: Mapping[str, tuple[_Reader, tuple[frozenset[str], ...]]] = {
    "$": (_read_own, ()),
    "$gate": (lambda data, where: _read_part(data, where, "$gate", MissingGate), _PART),
    "$action": (lambda data, where: _read_part(data, where, "$action", MissingAction), _PART),
    "$strategy": (lambda data, where: _read_part(data, where, "$strategy", MissingStrategy), _PART),
    "$object": (_read_object, (frozenset({"fields"}),)),
    "$enum": (_read_enum, (frozenset({"name"}),)),
    "$function": (_read_function, _ALONE),
    "$float": (lambda data, _: float(data["$float"]), _ALONE),
    "$map": (lambda data, where: {_decode(key, where): _decode(item, where) for key, item in data["$map"]}, _ALONE),
    "$list": (lambda data, where: list(_items(data["$list"], where)), _ALONE),
    "$set": (lambda data, where: set(_items(data["$set"], where)), _ALONE),
    "$frozenset": (lambda data, where: frozenset(_items(data["$frozenset"], where)), _ALONE),
    "$bytes": (lambda data, _: base64.b64decode(data["$bytes"], validate=True), _ALONE),
    "$path": (lambda data, _: Path(data["$path"]), _ALONE),
    "$duration": (lambda data, _: dt.timedelta(*data["$duration"]), _ALONE),
}
