"""The Swarm services of a zdd service, listed only when they can have changed."""

from __future__ import annotations

import time
from typing import Any

from attrs import frozen

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.watch import Watch

Json = dict[str, Any]

VALID_S = 5.0
"""How long a list is good although nothing was heard: the first events of a new connection can be missed."""


@frozen
class _Listed:
    changes: int
    writes: int
    until_s: float
    found: dict[str, Json]


class Listing:
    """Remembers a list while a watch is connected that would have told of a change, and nothing was written here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watches: dict[str, Watch] = {}
        self._listed: dict[str, _Listed] = {}

    def watch(self, service: str, watch: Watch) -> None:
        """Let this watch tell of changes from now on."""
        self._watches[service] = watch

    def get(self, service: str) -> dict[str, Json] | None:
        """Return the list, if nothing can have changed since it was made."""
        listed, moment = self._listed.get(service), self.moment(service)
        if listed is None or moment != (listed.changes, listed.writes) or time.monotonic() >= listed.until_s:
            return None
        return listed.found

    def moment(self, service: str) -> tuple[int, int] | None:
        """Return what is to be given to `put`, taken before the list is made; None if changes could be missed."""
        watch = self._watches.get(service)
        changes = watch.changes() if watch is not None else None
        return None if changes is None else (changes, self._engine.writes)

    def put(self, service: str, moment: tuple[int, int] | None, found: dict[str, Json]) -> None:
        """Remember a list."""
        if moment is not None:
            self._listed[service] = _Listed(*moment, time.monotonic() + VALID_S, found)

    def forget(self, service: str) -> None:
        """Let the next look make a new list."""
        self._listed.pop(service, None)
