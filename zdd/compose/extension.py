"""``x-zdd``: what a compose file says to zdd alone. Checked strictly: an unknown key is an error."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from attrs import evolve, field, frozen

from zdd.compose.document import Document, Path
from zdd.compose.values import duration_s
from zdd.errors import ConfigurationError
from zdd.gates import CommandGate, HttpGate, TcpGate
from zdd.model.gate import Gate
from zdd.model.in_place import UpdateOrder
from zdd.model.plan import OnFailure
from zdd.model.service import Exposure, Overlap
from zdd.stacks.stack import Pull
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Strategy

KEY = "x-zdd"
_KINDS: dict[type, str] = {int: "a whole number", str: "text", list: "a list", dict: "a mapping"}
Reader = Callable[["Stated", Any], Any]


@frozen
class Stated:
    """A value of the file, and where it is."""

    document: Document
    path: Path

    def at(self, key: str | int) -> Stated:
        """Return the place of something in it."""
        return Stated(self.document, (*self.path, key))

    def refusal(self, message: str) -> ConfigurationError:
        """Return the error that names the place."""
        return self.document.refusal(self.path, f"{'.'.join(map(str, self.path))}: {message}")


@frozen
class Extension:
    """What is said to zdd about one service.

    Attributes:
        name: The zdd service's name; None: made of the stack's and the service's.
        version: What people call the release; None: made of the image and the content.
        strategy: What should happen; None: what the file says for all, or what ``deploy.update_config`` says.
        usual: What the file says for all; None: nothing.
        gates: What an instance must pass.
        exposures: The ways in, and on which port the container listens for each.
        floor: As `zdd.Service`.
        replicas: On how many nodes a global service runs.
        surge: How many instances may be replaced at once; None: as many as the largest cell has.
        cells: As `zdd.Service`.
        deadlines: ``start_deadline_s``, ``drain_deadline_s``, ``settle_s`` of `zdd.Service`, as far as stated.
        overlap: Whether two revisions may run side by side; None: what the service's volumes and ports say.
        pull: Which nodes must have the image beforehand; None: what the file says for all.
    """

    name: str | None = None
    version: str | None = None
    strategy: Strategy | None = None
    usual: Strategy | None = None
    gates: tuple[Gate, ...] | None = None
    exposures: tuple[tuple[Exposure, int], ...] = ()
    floor: int | None = None
    replicas: int | None = None
    surge: int | None = None
    cells: int | None = None
    deadlines: Mapping[str, float] = field(factory=dict)
    overlap: Overlap | None = None
    pull: Pull | None = None


def read_extension(document: Document, at: Path, value: Any) -> Extension:
    """Read ``x-zdd`` of a service, or of the whole file: there only what can hold for every service.

    Raises:
        ConfigurationError: It has an unknown key or a value that is none; says where.
    """
    readers = SERVICE_KEYS if at else _EVERY
    return Extension(**_mapping(Stated(document, (*at, KEY)), value or {}, readers))


def both(every: Extension, own: Extension) -> Extension:
    """Return what holds for a service: its own, and the file's where it says nothing.

    A gate of the file holds for the services that have the port at which it looks.
    """
    ports = {exposure.port for exposure, _ in own.exposures}
    usual = tuple(gate for gate in every.gates or () if gate.ports() <= ports)
    return evolve(
        own,
        usual=every.strategy,
        gates=usual if own.gates is None else own.gates,
        deadlines={**every.deadlines, **own.deadlines},
        pull=own.pull or every.pull,
    )


def _mapping(stated: Stated, value: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise stated.refusal(f"{_shown(value)}: use a mapping with {', '.join(readers)}")
    for key in value:
        if key not in readers:
            near = difflib.get_close_matches(key, list(readers), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(readers)}"
            raise stated.at(key).refusal(f"this key is not known: {hint}")
    return {key: _read(stated.at(key), one, readers[key]) for key, one in value.items()}


def _read(stated: Stated, value: Any, reader: Reader) -> Any:
    try:
        return reader(stated, value)
    except (ValueError, TypeError) as error:
        raise stated.refusal(str(error)) from None
    except ConfigurationError as error:
        if str(error).startswith(f"{stated.document.name}:"):
            raise
        raise stated.refusal(str(error)) from None


def _of(kind: type) -> Reader:
    def read(stated: Stated, value: Any) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise stated.refusal(f"{_shown(value)}: use {_KINDS[kind]}")
        return value

    return read


def _seconds(_: Stated, value: Any) -> float:
    return duration_s(value)


def _one_of(stated: Stated, value: Any, readers: Mapping[str, Reader]) -> Any:
    """Read ``key: {…}``, or ``key`` alone."""
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        raise stated.refusal(f"{_shown(value)}: use one of {', '.join(readers)}")
    return next(iter(_mapping(stated, value, readers).values()))


def _made(kind: Callable[..., Any], readers: Mapping[str, Reader], names: Mapping[str, str], first: str = "") -> Reader:
    """Return what makes an object of a mapping; of a single value, if that is enough: it is the first argument's."""

    def read(stated: Stated, value: Any) -> Any:
        if first and not isinstance(value, dict):
            value = {first: value}
        stated_values = _mapping(stated, {} if value is None else value, readers)
        return kind(**{names.get(key, key): one for key, one in stated_values.items()})

    return read


def _any(_: Stated, value: Any) -> Any:
    return value


def _word(kind: type[Enum]) -> Reader:
    """Return what reads a word that stands for one of these."""
    known = {one.value: one for one in kind}

    def read(stated: Stated, value: Any) -> Enum:
        if not isinstance(value, str) or value not in known:
            raise stated.refusal(f"{_shown(value)}: use {' or '.join(known)}")
        return known[value]

    return read


def _numbers(stated: Stated, value: Any) -> tuple[int, ...]:
    return tuple(_of(int)(stated.at(number), one) for number, one in enumerate(_of(list)(stated, value)))


def _gates(stated: Stated, value: Any) -> tuple[Gate, ...]:
    return tuple(_read(stated.at(number), one, _gate) for number, one in enumerate(_of(list)(stated, value)))


def _gate(stated: Stated, value: Any) -> Gate:
    gate: Gate = _one_of(stated, value, _GATES)
    return gate


def _strategy(stated: Stated, value: Any) -> Strategy:
    strategy: Strategy = _one_of(stated, value, _STRATEGIES)
    return strategy


def _exposures(stated: Stated, value: Any) -> tuple[tuple[Exposure, int], ...]:
    entries = _of(list)(stated, value)
    return tuple(_read(stated.at(number), one, _exposure) for number, one in enumerate(entries))


def _exposure(stated: Stated, value: Any) -> tuple[Exposure, int]:
    readers = {"port": _of(str), "target": _of(int), "path": _of(str), "host": _of(str)}
    found = _mapping(stated, value, readers)
    if "target" not in found:
        raise stated.refusal("target is needed: the port on which the container listens")
    target = found.pop("target")
    if not 1 <= target <= 65_535:
        raise stated.at("target").refusal(f"{target} is no port: use one from 1 to 65535")
    return Exposure(**found), target


def _deadlines(stated: Stated, value: Any) -> dict[str, float]:
    names = {"start": "start_deadline_s", "drain": "drain_deadline_s", "settle": "settle_s"}
    return {names[key]: one for key, one in _mapping(stated, value, dict.fromkeys(names, _seconds)).items()}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


_PACE: dict[str, Reader] = {"timeout": _seconds, "interval": _seconds, "deadline": _seconds}
_PACE_NAMES = {"timeout": "timeout_s", "interval": "interval_s", "deadline": "deadline_s"}
_GATES: dict[str, Reader] = {
    "http": _made(
        HttpGate,
        {"path": _of(str), "port": _of(str), "status": _any, "method": _of(str), "headers": _of(dict),
         "contains": _of(str), **_PACE},
        _PACE_NAMES, "path",
    ),
    "tcp": _made(TcpGate, {"port": _of(str), **_PACE}, _PACE_NAMES, "port"),
    "command": _made(
        CommandGate, {"command": _of(list), "environment": _of(dict), **_PACE}, _PACE_NAMES, "command"
    ),
}  # fmt: skip
_UNDER_TRAFFIC: dict[str, Reader] = {"gates": _gates, "on_failure": _word(OnFailure)}
_STRATEGIES: dict[str, Reader] = {
    "rolling": _made(
        RollingUpdate, {"batch": _of(int), "hold": _seconds, **_UNDER_TRAFFIC}, {"hold": "hold_s"}
    ),
    "blue-green": _made(BlueGreen, {"keep": _seconds, **_UNDER_TRAFFIC}, {"keep": "keep_s"}),
    "canary": _made(
        Canary, {"steps": _numbers, "hold": _seconds, **_UNDER_TRAFFIC}, {"hold": "hold_s"}, "steps"
    ),
    "recreate": _made(Recreate, {}, {}),
    "in-place": _made(
        InPlaceUpdate, {"batch": _any, "order": _word(UpdateOrder), "hold": _seconds, **_UNDER_TRAFFIC},
        {"hold": "hold_s"},
    ),
}  # fmt: skip
_EVERY: dict[str, Reader] = {"strategy": _strategy, "gates": _gates, "deadlines": _deadlines, "pull": _word(Pull)}
SERVICE_KEYS: dict[str, Reader] = {
    **_EVERY,
    "exposures": _exposures,
    "floor": _of(int),
    "replicas": _of(int),
    "surge": _of(int),
    "cells": _of(int),
    "overlap": _word(Overlap),
    "name": _of(str),
    "version": _of(str),
}
