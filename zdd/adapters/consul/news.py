"""What a deployment's event says as an event of Consul, which holds little: who, what, when, and the first details."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from zdd import codec
from zdd.errors import ConfigurationError
from zdd.events import Event
from zdd.model.order import Order

FORMAT = 1
NAME_BYTES_MAX = 120

_BYTES_MAX = 380
"""Consul takes 512 bytes, in which the name is twice. What is left of that is for what it adds by itself."""

_LENGTHS = (80, 30, 12, 0)
_OWN = frozenset({"service", "deployment", "at_s"})


@frozen(kw_only=True)
class DeploymentNews:
    """What happened in a deployment, as Consul's events tell it.

    Attributes:
        service: The service's name.
        deployment: The deployment's id.
        kind: What happened, as the journal calls it: ``deployment started``, ``stage passed``, ``ordered``, …
        at_s: When, in seconds since the epoch.
        details: What else the event says, as far as there was room: texts may be cut, and end with ``…`` then.
        missed: How many events of the same deployer came directly before this one and did not arrive.
    """

    service: str
    deployment: str
    kind: str
    at_s: float
    details: Mapping[str, str | int | float | bool | None] = field(factory=dict)
    missed: int = 0


@frozen
class Numbered:
    """An event of Consul's, taken apart.

    Attributes:
        writer: Names the listener that fired it.
        number: How many that listener has fired for this service, this one included.
        news: What it says.
    """

    writer: str
    number: int
    news: DeploymentNews


def event_name(prefix: str, service: str) -> str:
    """Return the name under which the events of a service are fired.

    Raises:
        ConfigurationError: It is too long for an event of Consul's.
    """
    name = f"{prefix.replace('/', '-')}-{service}"
    if len(name) > NAME_BYTES_MAX:
        raise ConfigurationError(
            f"{name!r} is too long for the name of a Consul event, which may have {NAME_BYTES_MAX} characters: "
            "use a shorter prefix"
        )
    return name


def to_payload(event: Event, name: str, writer: str, number: int) -> dict[str, Any]:
    """Return what is fired for an event, cut until there is room for it."""
    said = {"v": FORMAT, "w": writer, "n": number, "s": event.service, "d": event.deployment}
    said |= {"k": codec.kind_of(event), "t": round(event.at_s, 3)}
    details = _details(event)
    for length in _LENGTHS:
        known = {key: _cut(value, length) for key, value in details.items()} if length else {}
        payload = {**said, "x": known}
        if len(json.dumps(payload)) + 2 * len(name) <= _BYTES_MAX:
            break
    return payload


def from_payload(text: bytes) -> Numbered | None:
    """Return what was fired; None if it is not zdd's, or of another format."""
    try:
        said = json.loads(text)
        if said["v"] != FORMAT:
            return None
        news = DeploymentNews(
            service=str(said["s"]),
            deployment=str(said["d"]),
            kind=str(said["k"]),
            at_s=float(said["t"]),
            details=dict(said["x"]),
        )
        return Numbered(str(said["w"]), int(said["n"]), news)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _details(event: Event) -> dict[str, str | int | float | bool | None]:
    found: dict[str, str | int | float | bool | None] = {}
    for attribute in attrs.fields(type(event)):
        value = getattr(event, attribute.name)
        if attribute.name in _OWN:
            continue
        if isinstance(value, enum.Enum):
            found[attribute.name] = str(value.value)
        elif isinstance(value, Order):
            found |= {"order": value.kind.value, "by": value.by}
        elif value is None or isinstance(value, str | int | float):
            found[attribute.name] = value
    return found


def _cut(value: str | float | bool | None, length: int) -> str | int | float | bool | None:
    if not isinstance(value, str) or len(value) <= length:
        return value
    return value[: length - 1] + "…"
