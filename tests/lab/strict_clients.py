"""Strict clients: they keep their connections and never try again."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from attrs import define, field, frozen

from zdd.model.address import Address


@frozen
class Request:
    """What a client sends, again and again.

    Attributes:
        path: Where to.
        method: GET, POST, …
        body: What goes with it.
    """

    path: str
    method: str = "GET"
    body: bytes = b""


@frozen
class Lost:
    """A request that was not answered as it should have been.

    Attributes:
        began_s: When it was sent, by the monotonic clock.
        what: Which one, and what came instead.
    """

    began_s: float
    what: str


def mixed(short: int, long: int) -> dict[Request, int]:
    """Return so many clients whose requests are answered at once, and so many whose requests take 0.7 s."""
    return {Request("/"): short, Request("/sleep/0.7"): long}


@define(eq=False)
class Load:
    """Clients that keep their connection and never retry.

    Attributes:
        address: Where they send to.
        clients: What they send → how many of them do.
        pause_s: How long each of them rests before it sends the next request, in seconds.
        lost: What was lost so far.
        answers: Body of an answer → how often it came.
    """

    address: Address
    clients: Mapping[Request, int] = field(factory=lambda: mixed(6, 4))
    pause_s: float = 0.01
    lost: list[Lost] = field(factory=list)
    answers: Counter[str] = field(factory=Counter)
    _end: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def start(self) -> None:
        for request, count in self.clients.items():
            self._threads += [threading.Thread(target=self._run, args=(request,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Let them send until the block ends, and finish what they have begun."""
        self.start()
        try:
            yield self
        finally:
            self.end()

    def _run(self, sent: Request) -> None:
        client = http.client.HTTPConnection(self.address.host, self.address.port, timeout=20)
        while not self._end.wait(self.pause_s):
            began_s = time.monotonic()
            try:
                client.request(sent.method, sent.path, sent.body)
                response = client.getresponse()
                text = response.read().decode()
                if 200 <= response.status < 300:
                    self.answers[text] += 1
                else:
                    self.lost.append(Lost(began_s, f"{sent.method} {sent.path}: {response.status} {text[:80]}"))
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(Lost(began_s, f"{sent.method} {sent.path}: {error!r}"))
                client.close()
        client.close()
