"""Blocking queries: what Consul knows, then every change; through restarts, new leaders, and indexes that go back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping

from attrs import define, evolve, field

from zdd.adapters.consul.connection import Answer, ConsulConnection
from zdd.errors import TemporaryError

WAIT_S = 20.0
"""How long Consul is asked to wait for a change. Whoever stops waits so long at most."""

_SLACK_S = 3.0
_PAUSE_LEAST_S = 0.1
_PAUSE_MOST_S = 5.0

logger = logging.getLogger("zdd")


@define(eq=False)
class BlockingQuery:
    """One question that is asked again and again, each time answered when something has changed. For one thread.

    Attributes:
        connection: The agent that is asked. Its time-out is extended by the time to wait.
        path: As in Consul's documentation, ``/v1/…``.
        parameters: The query.
        right: The rule of an ACL policy that this needs, for the message where it is refused.
        wait_s: How long Consul is asked to wait for a change, in seconds.
    """

    connection: ConsulConnection
    path: str
    parameters: Mapping[str, str] = field(factory=dict)
    right: str = ""
    wait_s: float = WAIT_S
    _index: int = field(default=0, init=False)
    _patient: ConsulConnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        longest_s = self.wait_s * 17 / 16 + _SLACK_S  # Consul adds up to a sixteenth
        self._patient = evolve(self.connection, timeout_s=max(self.connection.timeout_s, longest_s))

    def next(self) -> Answer:
        """Return the answer: at once at first, then when something may have changed, or when the wait is over.

        Raises:
            TemporaryError: It can't be reached. The next call looks anew, and is answered at once.
            PermanentError: It refuses.
        """
        before, self._index = self._index, 0  # a question that fails is asked anew
        waits = {"index": str(before), "wait": f"{self.wait_s:g}s"} if before else {}
        asked = {**self.parameters, **waits}
        answer = (self._patient if before else self.connection).ask(self.path, parameters=asked, right=self.right)
        # An index that goes back belongs to other servers, or to a snapshot: what is there now has to be read anew.
        self._index = answer.index if answer.index >= before else 0
        return answer

    def changes(self, stopped: threading.Event) -> Iterator[Answer]:
        """Give what Consul knows, and then every other answer, until it is stopped.

        While Consul can't be reached, it goes on trying; that is logged once. Several changes may be one
        answer.

        Raises:
            PermanentError: It refuses.
        """
        known: tuple[int, bytes] | None = None
        pause_s = _PAUSE_LEAST_S
        while not stopped.is_set():
            began_s = time.monotonic()
            try:
                answer = self.next()
            except TemporaryError as error:
                if pause_s == _PAUSE_LEAST_S:
                    logger.warning("zdd.consul_away: %s: it is tried again", error)
                pause_s = min(_PAUSE_MOST_S, pause_s * 2)
            else:
                pause_s = _PAUSE_LEAST_S
                if (answer.status, answer.body) != known and not stopped.is_set():
                    known = (answer.status, answer.body)
                    yield answer
            stopped.wait(max(0.0, pause_s - (time.monotonic() - began_s)))
