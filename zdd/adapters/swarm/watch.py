"""Waking up whoever waits, when the Engine says that something has happened; and knowing that nothing has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from zdd.adapters.swarm.engine import Engine
from zdd.errors import ZddError

# Swarm has no events about tasks. Those of containers come only from the Engine that is asked, so for tasks on other
# nodes the driver's own poll is what finds out; a health check's commands are left out, they never stop.
ACTIONS = ("create", "update", "remove", "start", "die", "health_status")
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


class Watch:
    """Follows the Engine's events in a thread of its own, and connects again when they end."""

    def __init__(self, engine: Engine, prefixes: tuple[str, ...], wake: Callable[[], None]) -> None:
        self._engine = engine
        self._prefixes = prefixes
        self._wake = wake
        self._ended = threading.Event()
        self._close: Callable[[], None] | None = None
        self._changes = 0
        self._connected = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="zdd-swarm-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def changes(self) -> int | None:
        """Return a number that grows with every change of a Swarm service; None while they could be missed."""
        return self._changes if self._connected and not self._ended.is_set() else None

    def end(self) -> None:
        """End, and wait for the thread."""
        with self._lock:
            self._ended.set()
            close = self._close
        if close is not None:
            close()
        if self._thread is not threading.current_thread():
            self._thread.join(LONGEST_PAUSE_S)

    def _follow(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._ended.is_set():
            try:
                if self._read():
                    pause_s = FIRST_PAUSE_S
            except ZddError:
                pass  # the driver's own calls tell it; here it is only tried again
            self._ended.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _read(self) -> bool:
        """Follow one stream to its end; say whether anything came."""
        heard = False
        filters = {"type": ["service", "container", "node"], "event": list(ACTIONS)}
        with self._engine.events(filters) as events:
            with self._lock:
                if self._ended.is_set():
                    return False
                self._close = events.close
            try:
                self._connected = True
                self._wake()  # whatever happened before was missed
                for event in events:
                    heard = True
                    self._changes += event.get("Type") == "service"
                    if self._concerns(event):
                        self._wake()
            finally:
                self._connected = False
                self._changes += 1
        return heard

    def _concerns(self, event: dict[str, Any]) -> bool:
        if event.get("Type") == "node":
            return True
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        name = attributes.get("com.docker.swarm.service.name") or attributes.get("name", "")
        return str(name).startswith(self._prefixes)
