"""Discovery by Traefik's file provider: one file a service, which Traefik watches."""

from __future__ import annotations

import re

from attrs import evolve

from zdd.adapters.fence_file import FenceFile
from zdd.adapters.half_done import half_done
from zdd.adapters.locked_file import PASSING
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.adapters.traefik.record import Record, RoomReference, read_record, write_record
from zdd.adapters.traefik.rendering import normal_path
from zdd.adapters.traefik.room import HoldingRoom
from zdd.atomic_file import remove_half_written
from zdd.errors import ConfigurationError, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_PATH_FORBIDDEN = re.compile(r"[?#\x00-\x1f\x7f]")
_HOLD_MARGIN_S = 30.0
LOOK_PATIENCE_S = 1.0
"""How long a look waits for somebody who writes: only in order to end a hold that is over, for which there is time."""


def maximum_hold_s(service: Service) -> float:
    """Return for how many seconds requests are held back at most, after the last word of a deployer.

    Long enough for the old instances to end, the new ones to fail and the old ones to start again. After that nobody
    will let them go any more, and they are answered with an error.
    """
    return service.drain_deadline_s + 2 * service.stop_grace_s + 2 * service.start_deadline_s + _HOLD_MARGIN_S


class TraefikDiscovery:
    """Keeps the registrations in files, in the form that Traefik reads."""

    def __init__(self, proxy: TraefikProxy) -> None:
        self._proxy = proxy

    def check(self, service: Service) -> None:
        """Raise `ConfigurationError` if the proxy can't run, or can't tell this service's requests from others'."""
        self._proxy.check()
        for exposure in service.exposures:
            _check_exposure(service, exposure)
        taken: dict[tuple[str | None, str], tuple[str, str]] = {}
        for record in self._others(service):
            removed = f", take it out first (deployer.remove({record.service!r}))"
            taken |= {_way_in(exposure): (f"service {record.service}", removed) for exposure in record.exposures}
        for exposure in service.exposures:
            own = (f"its port {exposure.port!r}", "")
            other, removed = taken.setdefault(_way_in(exposure), own)
            if (other, removed) != own:
                host = "any host" if exposure.host is None else f"host {exposure.host}"
                raise ConfigurationError(
                    f"port {exposure.port!r} of {service.name} is reached by path {exposure.path!r} of {host}, "
                    f"and so is {other}: give one of them another path or host{removed}, "
                    "or use another state directory and port= for a proxy of its own"
                )

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse smaller tokens, and let the proxy run. Where requests go stays as it is."""
        self._proxy.ensure_running()
        with self._fence(service).guard(service.name, fence):
            pass

    def registrations(self, service: Service) -> tuple[tuple[Registration, ...], bool]:
        """Return what is registered, sorted by instance, and whether requests are held back.

        A hold whose room has ended, because its time was over or somebody killed it, is over: then Traefik is pointed
        at the registrations again, which is no more than the room would have done with its last words.
        """
        record = self._read(service)
        if self._hold_is_over(record):
            self._proxy.make_directories()
            with self._fence(service).hold(LOOK_PATIENCE_S):
                record = self._read(service)
                if self._hold_is_over(record):
                    record = evolve(record, held=False, room=None)
                    self._write(service, record)
        return record.registrations, record.held

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        """Make the registrations of this service exactly these; Traefik takes all of them at the same time.

        Held requests wait in a room, see `holding_room`, for as long as `maximum_hold_s` says. When they are let go,
        the room is told first: what still arrives there while Traefik changes goes on to the same instances.
        """
        _check_addresses(service, command)
        self._proxy.make_directories()
        registrations = tuple(sorted(command.registrations, key=lambda registration: registration.instance))
        with self._fence(service).guard(service.name, fence):
            before = self._read(service)
            room = self._room(before)
            reference = before.room if room else None
            holds = command.held and bool(service.exposures)
            if holds:
                reference = self._hold(service, room, reference)
            record = Record(service.name, service.exposures, registrations, command.held, reference)
            if room is None or holds:
                self._write(service, record)
                return
            room.release(registrations)
            with half_done(lambda: "held requests were let go, but then"):
                self._write(service, record)

    def _hold(
        self, service: Service, room: HoldingRoom | None, reference: RoomReference | None
    ) -> RoomReference | None:
        """Return a room that holds requests of this service: the one that does already, or another."""
        ports = [exposure.port for exposure in service.exposures]
        maximum_s = maximum_hold_s(service)
        if room is not None and room.holds(ports):
            room.renew(maximum_s)
            return reference
        room = HoldingRoom.open(self._proxy.rooms_directory, service.name, ports, maximum_s)
        return RoomReference(room.directory.name, room.addresses())

    def _room(self, record: Record) -> HoldingRoom | None:
        """Return the room that the record names, if it is still open."""
        if record.room is None:
            return None
        room = HoldingRoom(self._proxy.rooms_directory / record.room.directory)
        return room if room.alive else None

    def _hold_is_over(self, record: Record) -> bool:
        return record.held and bool(record.exposures) and self._room(record) is None

    def _fence(self, service: Service) -> FenceFile:
        return FenceFile(self._proxy.directory / "fences" / service.name)

    def _read(self, service: Service) -> Record:
        return read_record(self._proxy.dynamic_directory / f"{service.name}.yaml") or Record(service.name)

    def _write(self, service: Service, record: Record) -> None:
        path = self._proxy.dynamic_directory / f"{service.name}.yaml"
        try:
            remove_half_written(path)
            write_record(path, record)
        except OSError as error:
            kind = TemporaryError if error.errno in PASSING else PermanentError
            raise kind(f"{path} can't be written: {error.strerror}") from error

    def _others(self, service: Service) -> list[Record]:
        paths = sorted(self._proxy.dynamic_directory.glob("*.yaml"))
        try:
            records = [read_record(path) for path in paths if path.stem != service.name]
        except PermanentError as error:
            raise ConfigurationError(str(error)) from error
        return [record for record in records if record is not None and record.in_use]


def _way_in(exposure: Exposure) -> tuple[str | None, str]:
    return exposure.host and exposure.host.lower(), normal_path(exposure.path)


def _check_exposure(service: Service, exposure: Exposure) -> None:
    if exposure.host is not None and not _HOST.fullmatch(exposure.host):
        raise ConfigurationError(
            f"host {exposure.host!r} of port {exposure.port!r} of {service.name}: "
            "use one host name in ASCII letters, without a port and without *"
        )
    if _PATH_FORBIDDEN.search(exposure.path):
        raise ConfigurationError(
            f"path {exposure.path!r} of port {exposure.port!r} of {service.name}: "
            "use a path alone, without ?, # and control characters"
        )


def _check_addresses(service: Service, command: Route) -> None:
    ports = [exposure.port for exposure in service.exposures]
    for registration in command.registrations:
        if ports and not any(port in registration.addresses for port in ports):
            named = ", ".join(map(repr, ports))
            raise PermanentError(f"instance {registration.instance} has no address for port {named} of {service.name}")
