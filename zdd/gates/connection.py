"""Connections of which everything together takes no longer than a given time."""

from __future__ import annotations

import io
import socket
import time

from zdd.model.address import Address


def connect(address: Address, until_s: float) -> socket.socket:
    """Connect before `until_s`, in seconds of the monotonic clock.

    Raises:
        OSError: It was refused, the name is not known, or the time is over (`TimeoutError`).
    """
    trouble: OSError = ConnectionRefusedError("no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(until_s))
            connection.connect(place)
            if connection.getsockname() == connection.getpeername():
                # Nobody listens: the kernel chose the very port as our own, and connected the socket to itself.
                raise ConnectionRefusedError("nobody listens")
        except OSError as error:
            connection.close()
            trouble = error
        else:
            return connection
    raise trouble


def describe_failure(error: OSError, timeout_s: float) -> str:
    """Say in words what went wrong with a connection."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset"
    return error.strerror or str(error)


class BoundedSocket:
    """What http.client needs of a socket, with one deadline over all of it instead of one for each piece.

    A server that sends a byte from time to time never lets a time-out for each piece expire.
    """

    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection = connection
        self._until_s = until_s

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self._connection.settimeout(_left(self._until_s))
        self._connection.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - the signature that http.client calls
        """Return what reads the answer."""
        return io.BufferedReader(_Reader(self._connection, self._until_s))

    def close(self) -> None:
        """Do nothing: http.client closes before it reads the answer. Whoever connected closes the connection."""


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, until_s: float) -> None:
        self._connection = connection
        self._until_s = until_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._connection.settimeout(_left(self._until_s))
        return self._connection.recv_into(buffer)


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the time is over")
    return left_s
