"""Answers over HTTP that have an end: the first line and the headers too, however slowly they come.

The time-out of the requests library is one for each piece that is read. A server that sends a byte from time to time
never lets it expire.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


def bound_answers(session: requests.Session) -> None:
    """Let each answer of a session be there as a whole within its time-out for reading, from when it is awaited."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Bounded())


class _Reader(io.RawIOBase):
    """What arrives at a socket, until its time-out has passed once."""

    def __init__(self, connected: socket.socket, raw: io.RawIOBase) -> None:
        self._socket, self._raw = connected, raw
        self._timeout_s = connected.gettimeout()
        self._end_s = time.monotonic() + self._timeout_s if self._timeout_s is not None else float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer is not there as a whole")
        if self._timeout_s is not None:
            self._socket.settimeout(left_s)
        try:
            return self._raw.readinto(buffer)
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(self._timeout_s)  # the next question has all of it again

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_Reader(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Bounded(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
