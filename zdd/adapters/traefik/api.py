"""Traefik's own interface: what it says of its services."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from attrs import define

from zdd.errors import TemporaryError
from zdd.model.address import Address

if TYPE_CHECKING:
    from typing_extensions import Buffer

TIMEOUT_S = 2.0
_AGE_S_MOST = 2.0
"""How old an answer may seem: Traefik tells the time in whole seconds, and is given one more."""
_DRIFT = 0.001
"""How much slower than this machine's clock Traefik's may go: a second in a quarter of an hour."""


@define(eq=False)
class Freshness:
    """Tells whether an answer is one that was given before: the time that Traefik tells with each has to go on.

    It is Traefik's own time, whatever that is: the first answer is believed, and those after it are held against it.
    """

    _ahead_s: float = 0.0
    _known_s: float | None = None

    def check(self, edge: str, told_s: float, asked_s: float) -> None:
        """Take in what time was told in answer to what was asked then, by `time.monotonic`.

        Raises:
            TemporaryError: It is an old answer.
        """
        least_s = self._ahead_s - (0.0 if self._known_s is None else (asked_s - self._known_s) * _DRIFT)
        age_s = asked_s + least_s - told_s
        if self._known_s is not None and age_s > _AGE_S_MOST:
            raise TemporaryError(
                f"{edge} answers as it did {age_s:.1f} s ago: something in between gives old answers again, "
                "or its clock was put back"
            )
        ahead_s = told_s - time.monotonic()
        if self._known_s is None or ahead_s >= least_s:
            self._ahead_s, self._known_s = ahead_s, asked_s


class Conversation:
    """What is asked of the interface at one look. All of it together gets `TIMEOUT_S`.

    Args:
        edge: What a person calls the edge.
        address: Where its interface is.
        freshness: What its answers are held against; None: nobody can be in between.

    Raises:
        TemporaryError: Nobody is there.
    """

    def __init__(self, edge: str, address: Address, freshness: Freshness | None = None) -> None:
        self._edge, self._freshness = edge, freshness
        self._client = _Client(address.host, address.port)
        try:
            self._client.connect()
        except OSError as error:
            raise TemporaryError(f"{edge} doesn't answer: {error}") from error

    def close(self) -> None:
        """End it."""
        self._client.close()

    def ask(self, path: str) -> dict[str, Any]:
        """Return what is answered; nothing if there is no such thing.

        Raises:
            TemporaryError: There was no whole answer, or not one of Traefik's, or it is an old one.
        """
        asked_s = time.monotonic()
        try:
            self._client.request("GET", path, headers={"Cache-Control": "no-cache"})
            response = self._client.getresponse()
            body = response.read()
            date = response.getheader("Date")
            told_s = email.utils.parsedate_to_datetime(date).timestamp() if date else None
            answer = json.loads(body) if response.status != http.client.NOT_FOUND else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TemporaryError(f"{self._edge} doesn't answer: {error}") from error
        if response.status not in (http.client.OK, http.client.NOT_FOUND) or not isinstance(answer, dict):
            raise TemporaryError(f"{self._edge} answers {response.status} {body[:200]!r}")
        if told_s is not None and self._freshness is not None:
            self._freshness.check(self._edge, told_s, asked_s)
        return answer


class _Client(http.client.HTTPConnection):
    """Has until `TIMEOUT_S` after it was made, also if it has to connect again."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._end_s = time.monotonic() + TIMEOUT_S

    def connect(self) -> None:
        self.timeout = _left_s(self._end_s)
        super().connect()
        self.sock = _Until(self.sock, self._end_s)


class _Until(socket.socket):
    """A connection of which everything has to be read and written until a certain time."""

    def __init__(self, connected: socket.socket, end_s: float) -> None:
        super().__init__(connected.family, connected.type, connected.proto, connected.detach())
        self._end_s = end_s

    def _limit(self) -> None:
        self.settimeout(_left_s(self._end_s))

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        self._limit()
        super().sendall(data, flags)

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        self._limit()
        return super().recv_into(buffer, nbytes, flags)


def _left_s(end_s: float) -> float:
    return max(0.001, end_s - time.monotonic())  # 0 would mean not to wait at all


def routed_servers(edge: str, answer: dict[str, Any]) -> tuple[dict[Address, int], str]:
    """Return the servers to which a service sends, with their weights; and why it sends nothing, if it does not.

    Raises:
        TemporaryError: It isn't one of Traefik's services.
    """
    if not answer:
        return {}, ""
    if answer.get("status") != "enabled" or not answer.get("usedBy"):
        return {}, f"{answer.get('name')} is {answer.get('status')} and used by {answer.get('usedBy')}"
    try:
        return dict(map(_server, answer.get("loadBalancer", {}).get("servers", ()))), ""
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TemporaryError(f"{edge} answers with servers that are not Traefik's: {error!r}") from error


def _server(server: dict[str, Any]) -> tuple[Address, int]:
    host, _, port = server["url"].partition("://")[2].rpartition(":")
    return Address(host.strip("[]"), int(port)), int(server.get("weight", 1))
