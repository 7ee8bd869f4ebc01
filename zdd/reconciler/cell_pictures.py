"""The pictures of all cells; one that would be derived from the same facts is kept from the last decision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from zdd.model.cell import Cell
from zdd.reconciler.cell_picture import CellFacts, CellPicture
from zdd.reconciler.progress import GateRecord, admission_key

if TYPE_CHECKING:
    from zdd.reconciler.picture import Picture


@frozen
class _Same:
    """What is the same as for the last decision."""

    registrations: bool = False
    records: bool = False
    gates: bool = False
    edges: bool = False


def cell_pictures(picture: Picture) -> Mapping[str, CellPicture]:
    """Return what is derived of each cell alone, by its name."""
    same, gate_keys = _same(picture), _gate_keys(picture)
    known = picture.memory.cells if picture.memory is not None else {}
    found = {}
    for cell in picture.observation.cells:
        before = known.get(cell.name)
        facts = _facts(picture, cell, before.facts if before is not None else None, same, gate_keys)
        kept = before is not None and before.holds(facts, picture.now)
        found[cell.name] = before if kept and before is not None else CellPicture(facts, picture.intent, picture.now)
    return found


def _same(picture: Picture) -> _Same:
    memory = picture.memory
    if memory is None:
        return _Same()
    return _Same(
        memory.discovered is picture.discovered,
        memory.progress.instances is picture.progress.instances,
        memory.progress.gates is picture.progress.gates,
        not _silent(picture) and memory.sent_to == picture.sent_to,
    )


def _facts(
    picture: Picture, cell: Cell, known: CellFacts | None, same: _Same, gate_keys: Mapping[str, tuple[str, ...]]
) -> CellFacts:
    """Return what the picture of a cell is derived from; what has not changed is taken as it was."""
    if known is None or known.cell is not cell or known.plan is not picture.plan:
        known = None
    return CellFacts(
        picture.plan,
        picture.goals.get(cell.name),
        cell,
        known.registrations if known and same.registrations else picture.discovered.of(cell),
        known.records if known and same.records else tuple(map(picture.progress.instances.get, cell.members)),
        known.said if known and same.gates else _said(picture, cell, gate_keys),
        known.shown if known and same.edges else _shown(picture, cell),
        picture.doubted and picture.doubted.intersection(cell.members),
    )


def _gate_keys(picture: Picture) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(admission_key(name, number) for number in range(len(revision.gates)))
        for name, revision in picture.plan.revisions.items()
    }


def _said(
    picture: Picture, cell: Cell, gate_keys: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[GateRecord | None, ...], ...]:
    """Return what each gate of its revision has said of each instance, at its address."""
    said = picture.progress.gates
    return tuple(
        [
            tuple([said.get((gate, instance.key)) for gate in gate_keys.get(instance.revision, ())])
            for instance in cell.instances
        ]
    )


def _silent(picture: Picture) -> tuple[str, ...]:
    return tuple(view.edge for view in picture.observation.edges if not view.reachable)


def _shown(picture: Picture, cell: Cell) -> tuple[bool, ...]:
    """Tell of each instance whether every edge shows it; one that is out of reach is believed what it said last."""
    shows, silent, records = picture.sent_to, _silent(picture), picture.progress.instances
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
