"""What a service says of itself: how many, how few, how it is reached, and how it wants to be treated."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_name, check_number, choice_of

REPLICAS_MAX = 100_000


class Overlap(enum.Enum):
    """Whether two revisions may run side by side.

    `FORBIDDEN` is for singletons, schedulers, writable volumes and fixed ports: then requests are held, the old
    instances are drained and stopped, and only then the new ones start: a stated gap instead of a floor.
    """

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


@frozen
class Exposure:
    """One way in: requests that match arrive at the instances' port of this name.

    Attributes:
        port: The port's name. The instance finds its number in the environment as ``PORT_<NAME>``, and that of the
            first exposure as ``PORT`` too.
        path: Requests whose path begins with this match; whole path segments count.
        host: Requests for this host name match; None: for any.
    """

    port: str = "http"
    path: str = "/"
    host: str | None = None

    def __attrs_post_init__(self) -> None:
        check_name("port name", self.port)
        if not isinstance(self.path, str) or not self.path.startswith("/") or any(c in self.path for c in ' `"\n'):
            raise ConfigurationError(f"path {self.path!r} of port {self.port!r}: use a path that begins with /")
        legal = self.host is None or (isinstance(self.host, str) and self.host)
        if not legal or any(c in str(self.host) for c in ' `"/\n'):
            raise ConfigurationError(
                f"host {self.host!r} of port {self.port!r}: use a host name such as www.example.org"
            )

    @property
    def variable(self) -> str:
        """The environment variable in which an instance finds the number of this port."""
        return port_variable(self.port)


def port_variable(port: str) -> str:
    """Return the environment variable in which an instance finds the number of the port of this name."""
    return "PORT_" + port.upper().replace("-", "_")


def _overlap(value: object) -> Overlap:
    return choice_of("overlap", Overlap, value)


def _exposures(value: Any) -> tuple[Exposure, ...]:
    found = (value,) if isinstance(value, Exposure) else tuple(value) if isinstance(value, Iterable) else (value,)
    for one in found:
        if not isinstance(one, Exposure):
            raise ConfigurationError(f"exposures={value!r}: use a list such as [zdd.Exposure('http', path='/')]")
    return found


@frozen
class Service:
    """A service and how it wants to be treated.

    Attributes:
        name: Lower-case letters, digits and hyphens.
        replicas: How many instances serve when nothing is being deployed.
        floor: No command makes useful capacity smaller than this many instances (or than it already is).
            None: `replicas`, or 0 where overlap is forbidden.
        exposures: The ways in. None at all for a worker that nobody sends requests to.
        gates: What an instance must pass, at its own address, before it gets traffic. None given: its first
            port accepts a connection.
        overlap: Whether two revisions may run side by side.
        cells: Into how many groups the instances are divided; a group is what is changed at once. None: as many
            as the orchestrator can have for nothing (local processes: one an instance; Swarm: one).
        start_deadline_s: Seconds within which an instance must be ready and have passed its gates.
        drain_deadline_s: Seconds that requests and connections in flight get to end before they are cut.
        stop_grace_s: Seconds between the polite signal to stop and the one that can't be refused.
        settle_s: Extra seconds between leaving discovery and being stopped, for clients that no edge observes.

    Raises:
        ConfigurationError: A value is illegal or doesn't fit the others.
    """

    name: str
    replicas: int = field(default=1, kw_only=True)
    floor: int | None = field(default=None, kw_only=True)
    exposures: tuple[Exposure, ...] = field(default=(Exposure(),), kw_only=True, converter=_exposures)
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    overlap: Overlap = field(default=Overlap.ALLOWED, kw_only=True, converter=_overlap)
    cells: int | None = field(default=None, kw_only=True)
    start_deadline_s: float = field(default=60.0, kw_only=True)
    drain_deadline_s: float = field(default=30.0, kw_only=True)
    stop_grace_s: float = field(default=10.0, kw_only=True)
    settle_s: float = field(default=0.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_name("service name", self.name)
        check_number(f"replicas of {self.name}", self.replicas, least=1, most=REPLICAS_MAX, whole=True)
        if self.floor is not None:
            check_number(f"floor of {self.name}", self.floor, least=0, whole=True)
            if self.floor > self.replicas:
                raise ConfigurationError(
                    f"floor of {self.name} is {self.floor}, above its {self.replicas} replicas: "
                    f"use a floor of at most {self.replicas}, or more replicas"
                )
            if self.floor and self.overlap is Overlap.FORBIDDEN:
                raise ConfigurationError(
                    f"floor of {self.name} is {self.floor}, but its instances may not overlap, so there is a gap: "
                    "use floor=0, or allow overlap"
                )
        if self.cells is not None:
            check_number(f"cells of {self.name}", self.cells, least=1, most=self.replicas, whole=True)
        for name in ("start_deadline_s", "drain_deadline_s", "stop_grace_s", "settle_s"):
            check_number(f"{name} of {self.name}", getattr(self, name), least=0, most=7 * 24 * 3600)
        ports = [exposure.port for exposure in self.exposures]
        for port in ports:
            if ports.count(port) > 1:
                raise ConfigurationError(
                    f"port {port!r} of {self.name} is exposed twice: give each exposure its own name"
                )
        check_ports(self, self.gates)

    @property
    def agreed_floor(self) -> int:
        """The floor in instances, with the default applied."""
        if self.floor is not None:
            return self.floor
        return 0 if self.overlap is Overlap.FORBIDDEN else self.replicas


def check_ports(service: Service, gates: tuple[Gate, ...]) -> None:
    """Check that the gates look only at ports that the service has.

    Raises:
        ConfigurationError: A gate looks at a port that isn't there.
    """
    known = [exposure.port for exposure in service.exposures]
    for gate in gates:
        for port in sorted(_ports_of(gate) - set(known)):
            have = "its ports are " + ", ".join(map(repr, known)) if known else "it has no exposures"
            raise ConfigurationError(f"gate {gate} looks at port {port!r} of {service.name}, but {have}")


def _ports_of(gate: Gate) -> set[str]:
    ports: object = gate.ports()
    if isinstance(ports, str) or not isinstance(ports, Iterable):
        raise ConfigurationError(
            f"gate {gate} looks at the ports {ports!r}: ports() returns a frozenset of their names"
        )
    return set(ports)
