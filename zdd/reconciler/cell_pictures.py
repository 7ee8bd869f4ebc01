"""The pictures of all cells; one that would be derived from the same facts is kept from the last decision. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import is_
from typing import TYPE_CHECKING, TypeVar

from attrs import frozen

from zdd.model.cached import cached_property
from zdd.model.cell import Cell
from zdd.model.traffic import Registration
from zdd.reconciler.cell_picture import CellFacts, CellPicture
from zdd.reconciler.progress import GateRecord

if TYPE_CHECKING:
    from zdd.reconciler.picture import Picture

Value = TypeVar("Value")


@frozen(slots=False, eq=False)
class CellPictures:
    """What the rules ask about the cells, each alone and all together.

    Attributes:
        by_name: What is derived of each cell alone, by its name.
    """

    by_name: Mapping[str, CellPicture]

    @cached_property
    def proven(self) -> frozenset[str]:
        """The instances that are ready and have passed all their gates, at this address, not too long ago."""
        return frozenset().union(*[one.proven for one in self.by_name.values()])

    @cached_property
    def condemned(self) -> Mapping[str, str]:
        """Instance → why: it had all its time to pass its gates and failed."""
        return _joined([one.condemned for one in self.by_name.values()])

    @cached_property
    def serving(self) -> Mapping[str, None]:
        """Every instance that counts as capacity as far as anybody knows: ready, in traffic, and not condemned."""
        return _joined([one.serving for one in self.by_name.values()])

    @cached_property
    def useful(self) -> Mapping[str, None]:
        """Those that are proven to serve."""
        return _joined([one.useful for one in self.by_name.values()])

    @cached_property
    def unshown(self) -> tuple[str, ...]:
        """Those that are proven and have traffic, and do not serve only because an edge does not show it."""
        return tuple([name for one in self.by_name.values() for name in one.unshown])

    @cached_property
    def measured(self) -> bool:
        """Whether every instance that seems to serve has been looked at by its gates."""
        return all(one.measured for one in self.by_name.values())

    @cached_property
    def overweight(self) -> Mapping[str, tuple[str, ...]]:
        """Cell → its instances that have more of the traffic than they should, but should have some."""
        return {name: one.overweight for name, one in self.by_name.items() if one.overweight}

    @cached_property
    def unlike_wanted(self) -> Mapping[str, Registration]:
        """What discovery should know of the instances of which it knows something else."""
        return _joined([one.unlike_wanted for one in self.by_name.values()])


def _joined(parts: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for part in parts:
        found.update(part)
    return found


@frozen
class _Same:
    """What is the same as for the last decision."""

    registrations: bool = False
    records: bool = False
    gates: bool = False
    edges: bool = False


def cell_pictures(picture: Picture) -> CellPictures:
    """Return what is derived of the cells; the same as for the last decision where nothing has changed."""
    same, kept = _same(picture), picture.memory.cells if picture.memory is not None else CellPictures({})
    known, found = kept.by_name, {}
    for cell in picture.observation.cells:
        before = known.get(cell.name)
        facts = _facts(picture, cell, before.facts if before is not None else None, same)
        if before is None or not before.holds(facts, picture.now):
            before = CellPicture(facts, picture.intent, picture.now)
        found[cell.name] = before
    unchanged = len(found) == len(known) and all(map(is_, found.values(), known.values()))
    return kept if unchanged else CellPictures(found)


def _same(picture: Picture) -> _Same:
    memory = picture.memory
    if memory is None:
        return _Same()
    return _Same(
        memory.discovered is picture.discovered,
        memory.progress.instances is picture.progress.instances,
        memory.progress.gates is picture.progress.gates,
        not picture.silent and memory.sent_to == picture.sent_to,
    )


def _facts(picture: Picture, cell: Cell, known: CellFacts | None, same: _Same) -> CellFacts:
    """Return what the picture of a cell is derived from; what has not changed is taken as it was."""
    if known is None or known.cell is not cell or known.plan is not picture.plan:
        known = None
    return CellFacts(
        picture.plan,
        picture.goals.get(cell.name),
        cell,
        known.registrations if known and same.registrations else picture.discovered.of(cell),
        known.records if known and same.records else tuple(map(picture.progress.instances.get, cell.members)),
        known.said if known and same.gates else _said(picture, cell),
        known.shown if known and same.edges else _shown(picture, cell),
        picture.doubted and picture.doubted.intersection(cell.members),
    )


def _said(picture: Picture, cell: Cell) -> tuple[tuple[GateRecord | None, ...], ...]:
    """Return what each gate of its revision has said of each instance, at its address."""
    said, gate_keys = picture.progress.gates, picture.gate_keys
    return tuple(
        [
            tuple([said.get((gate, instance.key)) for gate in gate_keys.get(instance.revision, ())])
            for instance in cell.instances
        ]
    )


def _shown(picture: Picture, cell: Cell) -> tuple[bool, ...]:
    """Tell of each instance whether every edge shows it; one that is out of reach is believed what it said last."""
    shows, silent, records = picture.sent_to, picture.silent, picture.progress.instances
    found = []
    for instance in cell.instances:
        addresses = picture.addresses(instance)
        shown = bool(addresses)
        for address in addresses.values():
            for weights in shows:
                shown = shown and address in weights
        if shown and silent:
            record = records.get(instance.id)
            shown = record is not None and all(edge in record.seen_at for edge in silent)
        found.append(shown)
    return tuple(found)
