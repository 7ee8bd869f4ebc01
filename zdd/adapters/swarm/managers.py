"""Several managers of one swarm, of which one is asked at a time: the next one when it can't be reached."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import docker  # type: ignore[import-untyped]

from zdd.adapters.swarm.connection import TIMEOUT_S, Connection, OutOfSequence
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.errors import OutcomeUnknown, TemporaryError

T = TypeVar("T")

CONNECT_S = 5.0
"""How long a machine that is gone is waited for, where there is another one."""


class Managers:
    """May be used from several threads.

    Whatever one of them has not changed can be asked of the next one. A change whose answer is lost is not sent again:
    it stays `OutcomeUnknown`, and only the next call goes to another manager.

    Args:
        docker_hosts: The Engines; see `find_endpoint`. None at all: what the docker client would use.
        timeout_s: Seconds that each gets for an answer.
    """

    def __init__(self, *docker_hosts: str | Endpoint | None, timeout_s: float = TIMEOUT_S) -> None:
        connect_s = CONNECT_S if len(docker_hosts) > 1 else None
        self._all = [Connection(one, timeout_s, connect_s=connect_s) for one in docker_hosts or (None,)]
        self._present = 0
        self._lock = threading.Lock()

    @property
    def calls(self) -> Counter[str]:
        """How many calls were made so far, by kind."""
        return sum((one.calls for one in self._all), Counter[str]())

    def read(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        """Ask for something. Whatever goes wrong, nothing was changed by it."""
        return self._first(lambda connection: connection.read(what, call))

    def write(self, what: str, call: Callable[[docker.APIClient], T]) -> T:
        """Change something. `OutcomeUnknown` if it may have been applied all the same."""
        return self._first(lambda connection: connection.write(what, call))

    @contextmanager
    def follow(self, what: str, call: Callable[[docker.APIClient], T]) -> Iterator[T]:
        """Give a stream, on a connection of its own, which is closed afterwards."""
        api, stream = self._first(lambda connection: connection.opened(what, call))
        try:
            yield stream
        finally:
            api.close()

    def close(self) -> None:
        """Close every connection."""
        for one in self._all:
            one.close()

    def _first(self, ask: Callable[[Connection], T]) -> T:
        """Ask the present manager, and those after it as long as nothing was changed and none has answered."""
        failed: list[TemporaryError] = []
        while True:
            present = self._present
            try:
                return ask(self._all[present])
            except OutOfSequence:
                raise
            except OutcomeUnknown:
                self._leave(present)
                raise
            except TemporaryError as error:
                self._leave(present)
                failed.append(error)
                if len(failed) == len(self._all):
                    raise TemporaryError("; ".join(map(str, failed))) from error

    def _leave(self, present: int) -> None:
        """Let the next call begin with the next one, unless another thread has seen to that."""
        with self._lock:
            if self._present == present:
                self._present = (present + 1) % len(self._all)
