"""The orchestrator of the memory world."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from zdd.adapters.memory.behaviour import behaviour_of
from zdd.adapters.memory.world import MemoryWorld
from zdd.interfaces import Fence, OrchestratorAbilities
from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.release import Revision, Specification
from zdd.model.service import Service


class MemoryOrchestrator:
    """Runs instances in a memory world. Several of them over one world are several deployers' views of the same."""

    def __init__(self, world: MemoryWorld, abilities: OrchestratorAbilities | None = None) -> None:
        self._world = world
        self._abilities = abilities if abilities is not None else OrchestratorAbilities(in_place=True)

    @property
    def abilities(self) -> OrchestratorAbilities:
        """What it can do."""
        return self._abilities

    def check(self, service: Service, workload: Specification) -> None:  # noqa: ARG002 - every service will do
        """Raise `ConfigurationError` if the workload says no kind, or is of kind ``memory`` and no `Behaviour`."""
        behaviour_of(workload)

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse every write for this service that carries a smaller token."""
        self._world.attempt("claim", service.name, partial(self._accept, service, fence))

    def observe(self, service: Service) -> tuple[Cell, ...]:
        """Return the cells that exist, sorted by name."""
        self._world.attempt("observe", service.name)
        return self._world.listed(service.name)

    def tidy(self, service: Service, fence: Fence) -> bool:
        """Remove the records of retired cells that have gone."""
        cells = self._world.cells
        if cells.left(service.name):
            self._write("tidy", service, fence, partial(cells.tidy, service.name))
        return not cells.is_retiring(service.name)

    def launch(self, service: Service, revision: Revision, command: Launch, fence: Fence) -> None:
        """Create the cell and begin to start its instances. If the cell exists with this revision: like `scale`."""
        cells = self._world.cells
        act = partial(cells.launch, service, revision, command.cell, command.replicas)
        self._write("launch", service, fence, act)

    def change(self, service: Service, revision: Revision, command: Change, fence: Fence) -> None:
        """Start new instances and stop the old ones, both at once; or so far only, while the others serve."""
        cells = self._world.cells
        act = partial(cells.change, service, revision, command.cell, command.replicas, command.in_place)
        self._write("change", service, fence, act)

    def scale(self, service: Service, revision: Revision, command: Scale, fence: Fence) -> None:
        """Begin to start or stop instances until the cell has `replicas`. The victims are the oldest."""
        cells = self._world.cells
        act = partial(cells.scale, service, revision, command.cell, command.replicas)
        self._write("scale", service, fence, act)

    def retire(self, service: Service, command: Retire, fence: Fence) -> None:
        """Begin to stop every instance, and forget the cell then. A cell that does not exist is already retired."""
        act = partial(self._world.cells.retire, service, command.cell, command.cut)
        self._write("retire", service, fence, act)

    def watch(self, service: Service, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever something has changed that no command did. Return a function that ends the watch."""
        return self._world.watch(service.name, wake)

    def _accept(self, service: Service, fence: Fence) -> None:
        self._world.orchestrator_fences.accept(service.name, fence)

    def _write(self, method: str, service: Service, fence: Fence, act: Callable[[], None]) -> None:
        self._world.attempt(method, service.name, partial(self._fenced, service, fence, act))

    def _fenced(self, service: Service, fence: Fence, act: Callable[[], None]) -> None:
        self._accept(service, fence)
        act()
