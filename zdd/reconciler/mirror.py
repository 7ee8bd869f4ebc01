"""`mirror`: the registrations that should exist. Pure: the same in a deployment and between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.release import Revision
from zdd.model.traffic import CellShare, Registration, TrafficIntent


def mirror(
    intent: TrafficIntent,
    cell: Cell,
    known: Mapping[str, Registration | None],
    *,
    proven: Collection[str],
    condemned: Collection[str],
    revisions: Mapping[str, Revision],
) -> dict[str, Registration]:
    """Return, by instance, what discovery should know of a cell when traffic is where it is meant to be.

    The share of a cell is divided over its instances that have traffic or are proven. One that is ready but not proven
    yet is proposed too; the guards keep it out until it is. An instance that is registered and may not have any traffic
    stays, with weight 0, until it is no longer listed; then it is forgotten.

    Args:
        intent: Where traffic is meant to go.
        cell: What there is.
        known: What discovery knows of each of its instances; None or missing: nothing.
        proven: Instances that have passed their gates.
        condemned: Instances that had all their time to pass and failed.
        revisions: Every revision that runs, by id.
    """
    wanted: dict[str, Registration] = {}
    if not intent.ports:
        return wanted
    meant = intent.cells.get(cell.name)
    reached = {
        instance.id: reached_at(instance, intent.ports, revisions.get(instance.revision))
        for instance in _may_have_traffic(cell, meant)
        if instance.id not in condemned
    }
    eligible = [name for name, addresses in reached.items() if addresses]
    counted = [name for name in eligible if name in proven or _has_traffic(known.get(name))]
    weights = _weights(meant.share if meant is not None else 0, eligible, counted)
    for instance in cell.instances:
        before, weight = known.get(instance.id), weights.get(instance.id)
        if weight is not None:
            addresses = reached[instance.id]
            if before is not None and _says(before, cell, instance, addresses, weight):
                wanted[instance.id] = before
                continue
            revision = revisions.get(instance.revision)
            version = revision.version if revision else ""
            wanted[instance.id] = Registration(instance.id, cell.name, instance.revision, version, addresses, weight)
        elif before is not None:
            wanted[instance.id] = evolve(before, weight=0) if before.weight else before
    return wanted


def _has_traffic(known: Registration | None) -> bool:
    return known is not None and known.weight > 0


def _says(known: Registration, cell: Cell, instance: Instance, addresses: Mapping[str, Address], weight: int) -> bool:
    """Tell whether discovery knows already what it should."""
    if known.weight != weight or known.addresses != addresses:
        return False
    return known.cell == cell.name and known.revision == instance.revision


def _weights(share: int, eligible: list[str], counted: list[str]) -> dict[str, int]:
    """Divide a cell's share over the instances that count, exactly; propose as much for each of the others."""
    least, rest = divmod(share, max(1, len(counted)))
    weights = dict.fromkeys(counted[:rest], least + 1) | dict.fromkeys(counted[rest:], least)
    if len(weights) < len(eligible):
        weights |= {name: share // len(eligible) for name in eligible if name not in weights}
    return weights


def _may_have_traffic(cell: Cell, meant: CellShare | None) -> list[Instance]:
    """Return the instances of a cell that may have a part of its share."""
    if meant is None or not meant.share:
        return []
    # A cell whose way to what it is meant to be stops instances that nobody can choose has no traffic meanwhile.
    if (cell.revision != meant.revision and not meant.in_place) or cell.replicas > meant.replicas:
        return []
    ready, revision, in_place = InstanceState.READY, meant.revision, meant.in_place
    # One whose place is about to be taken leaves before the orchestrator stops it.
    return [
        one
        for one in cell.instances
        if one.state is ready and (one.revision == revision or in_place) and not one.replaced_by
    ]


def reached_at(instance: Instance, ports: tuple[str, ...], revision: Revision | None) -> Mapping[str, Address]:
    """Return the addresses at which edges reach an instance; empty while one that its revision has is not known.

    A revision from before a port was added does not have it, and serves at the others.
    """
    own = revision.ports if revision is not None and revision.ports else ports
    needed = ports if own == ports else tuple(port for port in ports if port in own)
    addresses = instance.addresses
    for port in needed:
        if port not in addresses:
            return {}
    return addresses if len(addresses) == len(needed) else {port: addresses[port] for port in needed}
