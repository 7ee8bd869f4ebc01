"""Everything that can be seen of one service, at one time."""

from __future__ import annotations

from attrs import frozen

from zdd.model.cell import Cell, Instance
from zdd.model.traffic import EdgeView, Registration


@frozen
class Observation:
    """Everything that can be seen of one service, at one time.

    Attributes:
        as_of_s: When the look began, in seconds since the epoch.
        cells: What the orchestrator runs, sorted by name.
        registrations: What discovery knows, sorted by instance; read before the edges.
        held: Discovery tells the edges to hold requests back.
        edges: What each edge says; read last.
    """

    as_of_s: float
    cells: tuple[Cell, ...] = ()
    registrations: tuple[Registration, ...] = ()
    held: bool = False
    edges: tuple[EdgeView, ...] = ()

    def cell(self, name: str) -> Cell | None:
        """Return the cell of that name, or None."""
        return next((cell for cell in self.cells if cell.name == name), None)

    def instances(self) -> tuple[Instance, ...]:
        """Return every instance of every cell."""
        return tuple(instance for cell in self.cells for instance in cell.instances)
