"""Free ports, each given to one instance only."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import frozen

from zdd.adapters.locked_file import locked
from zdd.errors import ConfigurationError, TemporaryError

# Below the range from which Linux takes ports for outgoing connections: nothing takes one of these by chance
# between its reservation and the moment the program listens on it.
FIRST, LAST = 20_000, 29_999


@frozen
class Reservation:
    """Ports, and what keeps everybody else from being given them until it is closed in every process that has it."""

    ports: Mapping[str, int]
    sockets: tuple[socket.socket, ...]

    def descriptors(self) -> tuple[int, ...]:
        """Return what a process must inherit in order to keep the reservation."""
        return tuple(held.fileno() for held in self.sockets)

    def close(self) -> None:
        """Let go of it in this process."""
        for held in self.sockets:
            held.close()


def reserve_ports(names: Iterable[str], fixed: Mapping[str, int], cursor: Path) -> Reservation:
    """Reserve a port for each name, and the fixed ones.

    A reservation is a name in the kernel that ends with the last process that holds it, so none is ever stale, and it
    holds between all state directories of a machine. The file `cursor` remembers where to look next: a port
    that was given back is used again only after all others were.

    Raises:
        ConfigurationError: A fixed port is taken.
        TemporaryError: No port is free, or somebody else has been looking for one for too long.
        PermanentError: The file can't be written.
    """
    ports: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name, port in fixed.items():
            held.append(_reserve_fixed(name, port))
            ports[name] = port
        free_names = [name for name in names if name not in fixed]
        if free_names:
            _reserve_free(free_names, cursor, ports, held)
    except BaseException:
        for reserved in held:
            reserved.close()
        raise
    return Reservation(ports, tuple(held))


def _reserve_fixed(name: str, port: int) -> socket.socket:
    reserved = _reserve(port)
    if reserved is None:
        raise ConfigurationError(f"port {port} ({name}) belongs to another supervised program: use another port")
    if not _is_free(port, after_a_restart=True):
        reserved.close()
        raise ConfigurationError(f"port {port} ({name}) is taken: stop what listens there, or use another port")
    return reserved


def _reserve_free(names: list[str], cursor: Path, ports: dict[str, int], held: list[socket.socket]) -> None:
    with locked(cursor) as handle:
        text = os.pread(handle, 5, 0)
        last = int(text) if text.isdigit() else random.randrange(FIRST, LAST)  # noqa: S311 (not a secret)
        for name in names:
            last, reserved = _next_free(last)
            ports[name] = last
            held.append(reserved)
        os.pwrite(handle, b"%05d" % last, 0)


def _next_free(last: int) -> tuple[int, socket.socket]:
    count = LAST - FIRST + 1
    for step in range(1, count + 1):
        port = FIRST + (last - FIRST + step) % count
        reserved = _reserve(port)
        if reserved is None:
            continue
        if _is_free(port, after_a_restart=False):
            return port, reserved
        reserved.close()
    raise TemporaryError(f"none of the ports from {FIRST} to {LAST} is free")


def _reserve(port: int) -> socket.socket | None:
    """Take the port's name; an abstract one, which the kernel scopes and frees exactly as it does ports."""
    reserved = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reserved.bind(f"\0zdd-port-{port}")
    except OSError as error:
        reserved.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return reserved


def _is_free(port: int, *, after_a_restart: bool) -> bool:
    """Try to bind the port on all addresses; after a restart, ended connections that linger do not count."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 (bound, never listening)
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                if family == socket.AF_INET6:
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if after_a_restart:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((address, port))
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                continue  # a machine without IPv6
            return False
    return True
