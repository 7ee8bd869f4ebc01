"""YAML text as plain data, with the line and column at which everything stands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from attrs import frozen

from zdd.errors import ConfigurationError

BYTES_MAX = 1 << 20
"""How large a compose file may be: 1 MiB."""

VALUES_MAX = 50_000
"""How many values a file may have after its aliases are written out."""

DEPTH_MAX = 40

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(0x[0-9a-fA-F]+|0b[01]+|0o?[0-7]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DIGITS_MAX = 40
_MESSAGE_MAX = 600
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_TAGS = ("!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge")))
_INSTALL = "compose files need PyYAML and jsonschema: pip install 'zdd-deploy[compose]'"


@frozen
class Place:
    """Where something is stated.

    Attributes:
        file: The file's name, as the user gave it.
        line: From 1.
        column: From 1.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@frozen
class Document:
    """What one file says, or several merged.

    Attributes:
        name: The file's name.
        data: The whole.
        places: Path to a value → where it is stated; what is missing stands where what it is in does.
    """

    name: str
    data: Mapping[str, Any]
    places: Mapping[Path, Place]

    def place(self, path: Path) -> Place:
        """Return where it is stated, or what it is in."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.name, 1, 1)

    def refusal(self, path: Path, message: str) -> ConfigurationError:
        """Return the error that names the place."""
        shown = message if len(message) <= _MESSAGE_MAX else f"{message[:_MESSAGE_MAX]}…"
        return ConfigurationError(f"{self.place(path)}: {shown}")


def load_yaml() -> ModuleType:
    """Return the parser.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(_INSTALL) from None
    return yaml


def too_large(name: str, size_bytes: int) -> ConfigurationError:
    """Return the error about a file above `BYTES_MAX`."""
    return ConfigurationError(
        f"{name} has {size_bytes:,} bytes: compose files of up to {BYTES_MAX:,} bytes are read; "
        "put data into files of its own, as configs or volumes"
    )


def read_document(name: str, content: bytes) -> Document:
    """Read a compose file.

    Raises:
        ConfigurationError: It is no YAML, too large, or something else than a mapping; says where.
    """
    yaml = load_yaml()
    if len(content) > BYTES_MAX:
        raise too_large(name, len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{name}:{line}: byte {error.object[error.start]:#x} is no UTF-8") from None
    try:
        # The C parser where there is one: it is ten times as fast.
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _Reader(name, events, yaml).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else name
        raise ConfigurationError(f"{place}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: {' '.join(str(error).split())}") from None


class _Reader:
    """Makes values of the parser's events. Nothing is ever copied for an alias, and the whole stays bounded."""

    def __init__(self, name: str, events: Iterator[Any], yaml: ModuleType) -> None:
        self._name = name
        self._events = events
        self._yaml = yaml
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self.places: dict[Path, Place] = {}

    def document(self) -> Document:
        yaml = self._yaml
        data: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second document begins here: give one a file")
            elif isinstance(event, yaml.NodeEvent):
                data = self._value(event, ())
        if not isinstance(data, dict):
            what = "is empty" if data is None else "is no mapping"
            raise ConfigurationError(f"{self._name} {what}: a compose file has keys such as services:")
        return Document(self._name, data, self.places)

    def _value(self, event: Any, path: Path) -> Any:
        yaml = self._yaml
        before = self._values
        self._count(event, 1)
        if len(path) > DEPTH_MAX:
            raise self._error(event, f"nested more than {DEPTH_MAX} deep")
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS:
            raise self._error(event, f"tag {tag} is not known")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, f"alias *{event.anchor} names nothing that ended before it")
            value, values = self._anchors[event.anchor]
            self._count(event, values)
            return value
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, self._yaml.SequenceEndEvent):
                return found
            inner = (*path, len(found))
            self.places[inner] = self._place(event)
            found.append(self._value(event, inner))
        return found

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, self._yaml.MappingEndEvent):
                break
            key = self._value(event, (*path, ""))
            if not isinstance(key, str):
                raise self._error(event, f"key {str(key)[:40]} is no text: put it in quotes")
            value = self._value(next(self._events), (*path, key))
            if key == "<<" and event.implicit[0]:
                merged = {**self._merged(event, value), **merged}
                continue
            if key in found:
                raise self._error(event, f"key {key[:40]!r} is stated twice, before at {self.places[(*path, key)]}")
            found[key] = value
            self.places[(*path, key)] = self._place(event)
        return {**merged, **found}

    def _merged(self, event: Any, value: Any) -> dict[str, Any]:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(event, "<<: takes a mapping, or a list of mappings")
        self._count(event, sum(map(len, parts)))
        return {key: part for mapping in reversed(parts) for key, part in mapping.items()}

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.tag in ("!", "tag:yaml.org,2002:str") or (event.tag is None and not event.implicit[0]):
            return text
        try:
            return plain_value(text)
        except ValueError as error:
            raise self._error(event, str(error)) from None

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > VALUES_MAX:
            raise self._error(event, f"more than {VALUES_MAX:,} values, with its aliases written out")

    def _place(self, event: Any) -> Place:
        return Place(self._name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _error(self, event: Any, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self._place(event)}: {message}")


def plain_value(text: str) -> Any:
    """Return what a plain scalar says: null, true, false, a number, or text. Yes, no and 22:22 are text."""
    if text in _WORDS or (text.lower() in _WORDS and text in (text.capitalize(), text.upper())):
        return _WORDS[text.lower()]
    if not text or text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS_MAX:
            raise ValueError(f"number {text[:_DIGITS_MAX]}… is too long: put it in quotes if it is text")
        digits = text.lstrip("+-").replace("_", "")
        number = int(digits, 0) if digits[:2] in ("0x", "0b", "0o") else int(digits, 8 if digits[0] == "0" else 10)
        return -number if text[0] == "-" else number
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
