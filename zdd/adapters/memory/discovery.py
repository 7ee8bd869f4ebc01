"""The discovery of the memory world."""

from __future__ import annotations

from functools import partial

from zdd.adapters.memory.world import MemoryWorld
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import Registration


class MemoryDiscovery:
    """Knows which instances of a memory world serve."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world

    def check(self, service: Service) -> None:
        """Do nothing: it can carry every service."""

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse every write for this service that carries a smaller token."""
        accept = partial(self._world.discovery_fences.accept, service.name, fence)
        self._world.attempt("claim", service.name, accept)

    def registrations(self, service: Service) -> tuple[tuple[Registration, ...], bool]:
        """Return what is registered, sorted by instance; and whether requests are held back."""
        self._world.attempt("registrations", service.name)
        return self._world.registered(service.name)

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        """Make the registrations of this service exactly these, all of them at the same time."""
        self._world.attempt("apply", service.name, partial(self._fenced, service, command, fence))

    def _fenced(self, service: Service, command: Route, fence: Fence) -> None:
        self._world.discovery_fences.accept(service.name, fence)
        self._world.register(service.name, command.registrations, command.held)
