"""Hears what happens in deployments, wherever they run: a subscription to Consul's events."""

from __future__ import annotations

import base64
import binascii
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from attrs import evolve, frozen

from zdd.adapters.consul.connection import OK, ConsulConnection
from zdd.adapters.consul.news import DeploymentNews, Numbered, event_name, from_payload
from zdd.adapters.consul.policy import event_right
from zdd.adapters.consul.store import DEFAULT_PREFIX, Store
from zdd.errors import PermanentError, TemporaryError

SEEN_KEPT = 1024
"""How many events are remembered, so that none is given twice: more than an agent keeps."""

PAUSE_S = 0.5
WAIT_S_MOST = 2.0

logger = logging.getLogger("zdd")


@frozen
class _Heard:
    """An answer: its index, and zdd's own among the events."""

    index: int
    events: tuple[Numbered, ...]


class ConsulSubscription:
    """What `ConsulEvents` fires from now on, each once, in the order in which the agent has heard of it.

    ::

        with ConsulSubscription(connection, "web") as subscription:
            for news in subscription:
                print(news.kind, news.details)

    It outlives restarts of the agent. An agent keeps the last 256 events of all kinds, and none over a restart: what
    came and went between two looks is lost, and `DeploymentNews.missed` of the next one says how many.

    Args:
        connection: The agent that is asked, with blocking queries.
        service: The service's name; None: all services whose events the token may read.
        prefix: What the names of the events begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
        TemporaryError: Consul can't be reached.
        PermanentError: Consul refuses.
    """

    def __init__(
        self, connection: ConsulConnection, service: str | None = None, *, prefix: str = DEFAULT_PREFIX
    ) -> None:
        self._connection = connection
        self._service = service
        self._prefix = Store(connection, prefix).prefix
        self._name = event_name(self._prefix, service) if service is not None else ""
        self._wait_s = min(WAIT_S_MOST, connection.timeout_s / 2)
        self._last: dict[tuple[str, str], int] = {}
        self._seen: deque[tuple[str, str, int]] = deque(maxlen=SEEN_KEPT)
        self._index = 0
        self._ended = threading.Event()
        self._calling: threading.Thread | None = None
        self._troubled = False
        heard = self._ask()
        self._index = heard.index
        for event in heard.events:
            self._is_new(event)
            self._missed(event)

    def policy(self) -> str:
        """Return the policy, in HCL, of a token that can read these events, and nothing more."""
        if self._name:
            return event_right(self._name, "read") + "\n"
        return event_right(event_name(self._prefix, ""), "read", kind="event_prefix") + "\n"

    def __iter__(self) -> Iterator[DeploymentNews]:
        """Give what comes, and wait for more, until `close` is called.

        Raises:
            PermanentError: Consul refuses.
        """
        while not self._ended.is_set():
            try:
                heard = self._ask()
            except TemporaryError as error:
                if not self._troubled:
                    logger.warning("zdd.events_not_heard: Consul does not say what happens, asking again: %s", error)
                self._troubled, self._index = True, 0
                self._ended.wait(PAUSE_S)
                continue
            self._troubled = False
            self._index = heard.index
            for event in heard.events:
                if self._is_new(event):
                    yield evolve(event.news, missed=self._missed(event))
                    if self._ended.is_set():
                        return

    def call(self, callback: Callable[[DeploymentNews], object]) -> None:
        """Call it with what comes, from a thread of its own, until `close`. That it raises is logged."""
        self._calling = threading.Thread(target=self._call, args=(callback,), name="zdd-subscription", daemon=True)
        self._calling.start()

    def close(self) -> None:
        """End it. Whoever iterates is let go within two seconds; nobody is called any more when this returns."""
        self._ended.set()
        if self._calling is not None and self._calling is not threading.current_thread():
            self._calling.join()

    def __enter__(self) -> ConsulSubscription:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _call(self, callback: Callable[[DeploymentNews], object]) -> None:
        try:
            for news in self:
                try:
                    callback(news)
                except Exception:
                    logger.exception("zdd.subscriber_failed: %r raised on %s", callback, news.kind)
        except PermanentError:
            logger.exception("zdd.subscription_ended: Consul refuses")

    def _ask(self) -> _Heard:
        parameters = {"name": self._name} if self._name else {}
        if self._index:
            parameters |= {"index": str(self._index), "wait": f"{round(1000 * self._wait_s)}ms"}
        right = event_right(self._name, "read") if self._name else ""
        answer = self._connection.ask("/v1/event/list", parameters=parameters, right=right)
        items = answer.json(list) if answer.status == OK else []
        try:
            return _Heard(_index_of(items[-1]["ID"] if items else ""), tuple(self._own(items)))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise TemporaryError(f"{answer.what} was not answered as Consul does: {error!r}") from error

    def _own(self, items: list[Any]) -> Iterator[Numbered]:
        for item in items:
            event = from_payload(base64.b64decode(item["Payload"] or "", validate=True))
            if event is not None and item["Name"] == event_name(self._prefix, event.news.service):
                yield event

    def _missed(self, event: Numbered) -> int:
        """Return how many came before it and were not heard. Some may be late: agents do not hear all in one order."""
        key = (event.writer, event.news.service)
        last = self._last.get(key, 0)
        self._last[key] = max(last, event.number)
        return max(0, event.number - 1 - last)

    def _is_new(self, event: Numbered) -> bool:
        mark = (event.writer, event.news.service, event.number)
        if mark in self._seen:
            return False
        self._seen.append(mark)
        return True


def _index_of(last: str) -> int:
    """Return the index that Consul gives to a list of events that ends with the one of this id."""
    if not last:
        return 1
    digits = last.replace("-", "")
    if len(digits) != 32:
        raise ValueError(f"{last!r} is not the id of an event")
    return int(digits[:16], 16) ^ int(digits[16:], 16)
