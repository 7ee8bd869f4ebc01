"""How the instances of one version behave in the memory world."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from zdd.errors import ConfigurationError
from zdd.model.names import check_flag, check_number
from zdd.model.release import Specification

KIND = "memory"


@frozen(kw_only=True)
class Behaviour:
    """How the instances of one version behave. It is a workload too: ``Release("2.0", Behaviour(startup_s=3.0))``.

    Attributes:
        startup_s: Seconds from the launch until the orchestrator says ready.
        never_ready: The orchestrator never says ready.
        fails_after_s: Seconds from the launch until the orchestrator says failed, though it goes on running.
        crashes_after_s: Seconds from the launch until it ends by itself; each replacement does the same.
        healthy: What gates see.
        errors_under_traffic: Gates see it healthy until an edge sends it requests, and sick from then on.
        hangs: It accepts connections and never answers.
        stop_s: Seconds from being told to stop until nothing of it is left; by force after ``service.stop_grace_s``.
        requests: How many requests are in flight at it, at each edge that sends it any.
        request_s: Seconds in which what is in flight ends, once no new requests come.
        long_connections: How many connections at each edge never end by themselves.
        addresses_lost: Of how many instances, the first of the version, nobody ever learns the address.
    """

    startup_s: float = 1.0
    never_ready: bool = False
    fails_after_s: float | None = None
    crashes_after_s: float | None = None
    healthy: bool = True
    errors_under_traffic: bool = False
    hangs: bool = False
    stop_s: float = 0.5
    requests: int = 2
    request_s: float = 0.2
    long_connections: int = 0
    addresses_lost: int = 0

    def __attrs_post_init__(self) -> None:
        for name in ("startup_s", "stop_s", "request_s"):
            check_number(f"{name} of Behaviour", getattr(self, name), least=0)
        for name in ("fails_after_s", "crashes_after_s"):
            if getattr(self, name) is not None:
                check_number(f"{name} of Behaviour", getattr(self, name), least=0)
        for name in ("requests", "long_connections", "addresses_lost"):
            check_number(f"{name} of Behaviour", getattr(self, name), least=0, whole=True)
        for name in ("never_ready", "healthy", "errors_under_traffic", "hangs"):
            check_flag(f"{name} of Behaviour", getattr(self, name))

    def specification(self) -> Specification:
        """Return it as plain data."""
        return {"kind": KIND, **attrs.asdict(self)}


_FIELDS = frozenset(field.name for field in attrs.fields(Behaviour))


def behaviour_of(workload: Specification) -> Behaviour | None:
    """Return the behaviour that a workload states; None if it is of another kind.

    Raises:
        ConfigurationError: It states something that a behaviour does not have, or no kind at all.
    """
    kind = workload.get("kind")
    if not isinstance(kind, str):
        raise ConfigurationError(
            f"workload {dict(workload)!r} does not say its kind: use a workload such as Behaviour()"
        )
    if kind != KIND:
        return None
    values: dict[str, Any] = {name: value for name, value in workload.items() if name != "kind"}
    for name in values:
        if name not in _FIELDS:
            raise ConfigurationError(f"workload of kind {KIND!r} has no {name!r}: use {', '.join(sorted(_FIELDS))}")
    return Behaviour(**values)
