"""What zdd can ask of the world. Every command is absolute and harmless when it is applied twice."""

from __future__ import annotations

from attrs import frozen

from zdd.model.in_place import InPlace
from zdd.model.traffic import Registration


@frozen
class Launch:
    """Create a cell that does not exist."""

    cell: str
    revision: str
    replicas: int


@frozen
class Change:
    """Replace the instances of a cell by instances of another revision.

    Attributes:
        cell: The cell's name.
        revision: The id of the revision.
        replicas: How many instances the cell is to have.
        in_place: Not all at once, but so far, while the others serve. None: all of the old ones are victims.
    """

    cell: str
    revision: str
    replicas: int
    in_place: InPlace | None = None


@frozen
class Scale:
    """Set how many instances a cell has, without replacing any. Nobody can choose the victims of a smaller number."""

    cell: str
    replicas: int


@frozen
class Retire:
    """Stop every instance of a cell and forget it.

    Attributes:
        cell: The cell's name.
        cut: Ids of the instances at which something was still in flight when the drain deadline passed, or of which
            it was not known: on record, for the report.
    """

    cell: str
    cut: tuple[str, ...] = ()


@frozen
class Route:
    """Tell discovery where traffic goes: all registrations of the service, and whether requests are held back."""

    registrations: tuple[Registration, ...]
    held: bool = False


CellCommand = Launch | Change | Scale | Retire
Command = CellCommand | Route
