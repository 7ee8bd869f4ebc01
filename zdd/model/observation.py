"""Everything that can be seen of one service, at one time."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

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


def with_known_addresses(cells: Sequence[Cell], registrations: Sequence[Registration]) -> tuple[Cell, ...]:
    """Return the cells with what discovery knows of instances of which the orchestrator says no more where they are.

    An instance never moves: it is where it was when it was registered, under the id that nobody else ever has.
    """
    lost = frozenset[str]().union(*[cell.nowhere for cell in cells])
    known = {one.instance: one.addresses for one in registrations if one.instance in lost} if lost else {}
    if not known:
        return tuple(cells)

    def found(instance: Instance) -> Instance:
        addresses = known.get(instance.id)
        return instance if addresses is None else evolve(instance, addresses=addresses, address_lost=False)

    return tuple(
        cell if known.keys().isdisjoint(cell.members) else evolve(cell, instances=tuple(map(found, cell.instances)))
        for cell in cells
    )
