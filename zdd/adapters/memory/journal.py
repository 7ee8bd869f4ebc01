"""A journal that lives as long as the object."""

from __future__ import annotations

from zdd.adapters.memory.fences import MemoryFences
from zdd.events import Event
from zdd.interfaces import Fence


class MemoryJournal:
    """Keeps events as they are, in a list per service. Another deployer in the same process may share it."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._fences = MemoryFences()

    def append(self, service: str, event: Event, fence: Fence) -> None:
        """Write the event after all earlier ones.

        Raises:
            LeaseLost: A greater token was accepted for this service.
        """
        self._fences.accept(service, fence)
        self._events.setdefault(service, []).append(event)

    def read(self, service: str) -> tuple[Event, ...]:
        """Return every event of this service, oldest first."""
        return tuple(self._events.get(service, ()))

    def services(self) -> tuple[str, ...]:
        """Return the names of the services that have events, sorted."""
        return tuple(sorted(self._events))
