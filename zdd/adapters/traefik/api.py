"""Traefik's own interface: what it says of its services."""

from __future__ import annotations

import email.utils
import http.client
import json
import logging
import socket
import time
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from zdd.errors import TemporaryError
from zdd.model.address import Address

if TYPE_CHECKING:
    from typing_extensions import Buffer

TIMEOUT_S = 2.0
_AGE_S_MOST = 2.0
"""How old an answer may seem: Traefik tells the time in whole seconds, and is given one more."""
_DRIFT = 0.001
"""How much slower than this machine's clock Traefik's may go: a second in a quarter of an hour."""
CLOCK_S = 10.0
"""For how long a time that went back has to go on until it is believed, in seconds."""

logger = logging.getLogger("zdd")


@frozen
class _Clock:
    """A clock that may have told the times of late, in whole seconds.

    Attributes:
        since_s: When it told the first one, by this machine's clock.
        least_s: How far ahead of this machine's clock it has to be at least for all of them.
        most_s: And at most.
    """

    since_s: float
    least_s: float
    most_s: float


@define(eq=False)
class Freshness:
    """Tells whether an answer is one that was given before: the time that Traefik tells with each has to go on.

    It is Traefik's own time, whatever that is: the first answer is believed, and those after it are held against it.
    The time of an answer that is given again and again stands still. So a time that went back, and has gone on for
    `CLOCK_S` as a clock does, is that of a clock that was put back, and is believed from then on.
    """

    _ahead_s: float = 0.0
    _known_s: float | None = None
    _other: _Clock | None = None

    def check(self, edge: str, told_s: float, asked_s: float, answered_s: float) -> None:
        """Take in what time was told in answer to what was asked.

        Args:
            edge: What a person calls the edge.
            told_s: What it told, in seconds since the epoch.
            asked_s: When it was asked, by `time.monotonic`.
            answered_s: When the answer was there, by the same.

        Raises:
            TemporaryError: It is an old answer.
        """
        least_s = self._ahead_s - (0.0 if self._known_s is None else (asked_s - self._known_s) * _DRIFT)
        age_s = asked_s + least_s - told_s
        ahead_s = told_s - answered_s
        if self._known_s is not None and age_s > _AGE_S_MOST:
            if not self._goes_on(told_s, asked_s, answered_s):
                raise TemporaryError(
                    f"{edge} answers as it did {age_s:.1f} s ago: something in between gives old answers again, "
                    f"or its clock was put back, which is believed when it has gone on for {CLOCK_S:g} s"
                )
            logger.warning("zdd.edge_clock: the clock of %s was put back by %.0f s", edge, age_s)
            least_s = ahead_s
        self._other = None
        if self._known_s is None or ahead_s >= least_s:
            self._ahead_s, self._known_s = ahead_s, asked_s

    def _goes_on(self, told_s: float, asked_s: float, answered_s: float) -> bool:
        """Tell whether another clock has told the times of late, for long enough to be believed."""
        one = _Clock(answered_s, told_s - answered_s, told_s + 1.0 - asked_s)
        before = self._other or one
        passed_s = answered_s - before.since_s
        least_s, most_s = max(before.least_s, one.least_s), min(before.most_s, one.most_s)
        fits = least_s <= most_s + passed_s * _DRIFT
        self._other = _Clock(before.since_s, least_s, most_s) if fits else one
        return fits and passed_s >= CLOCK_S


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
        self._client = BoundedClient(address, TIMEOUT_S)
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
            self._freshness.check(self._edge, told_s, asked_s, time.monotonic())
        return answer


class BoundedClient(http.client.HTTPConnection):
    """Has so long after it was made for everything together, also if it has to connect again.

    Args:
        address: Whom it asks.
        timeout_s: How long, in seconds.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout_s)
        self._end_s = time.monotonic() + timeout_s

    def connect(self) -> None:
        """Connect, in what is left of the time."""
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
