"""`mirror`: the registrations that should exist. Pure: the same in a deployment and between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.release import Revision
from zdd.model.traffic import CellShare, Registration, TrafficIntent


def mirror(
    intent: TrafficIntent,
    observation: Observation,
    *,
    proven: Collection[str],
    condemned: Collection[str],
    revisions: Mapping[str, Revision],
) -> dict[str, Registration]:
    """Return, by instance, what discovery should know when traffic is where it is meant to be.

    The share of a cell is divided over its instances that have traffic or are proven. One that is ready but not proven
    yet is proposed too; the guards keep it out until it is. An instance that is registered and may not have any traffic
    stays, with weight 0, until it is no longer listed; then it is forgotten.

    Args:
        intent: Where traffic is meant to go.
        observation: What there is.
        proven: Instances that have passed their gates.
        condemned: Instances that had all their time to pass and failed.
        revisions: Every revision that runs, by id.
    """
    wanted: dict[str, Registration] = {}
    if not intent.ports:
        return wanted
    known = {registration.instance: registration for registration in observation.registrations}
    for cell in observation.cells:
        meant = intent.cells.get(cell.name)
        reached = {
            instance.id: reached_at(instance, intent.ports, revisions.get(instance.revision))
            for instance in cell.instances
            if meant is not None and _may_have_traffic(cell, instance, meant) and instance.id not in condemned
        }
        eligible = [name for name, addresses in reached.items() if addresses]
        counted = [name for name in eligible if name in proven or (name in known and known[name].weight > 0)]
        weights = _weights(meant.share if meant is not None else 0, eligible, counted)
        for instance in cell.instances:
            before = known.get(instance.id)
            weight = weights.get(instance.id)
            if weight is not None:
                addresses = reached[instance.id]
                if before is not None and _says(before, cell, instance, addresses, weight):
                    wanted[instance.id] = before
                    continue
                revision = revisions.get(instance.revision)
                wanted[instance.id] = Registration(
                    instance.id,
                    cell.name,
                    instance.revision,
                    revision.version if revision else "",
                    addresses,
                    weight,
                )
            elif before is not None:
                wanted[instance.id] = evolve(before, weight=0) if before.weight else before
    return wanted


def _says(known: Registration, cell: Cell, instance: Instance, addresses: Mapping[str, Address], weight: int) -> bool:
    """Tell whether discovery knows already what it should."""
    if known.weight != weight or known.addresses != addresses:
        return False
    return known.cell == cell.name and known.revision == instance.revision


def _weights(share: int, eligible: list[str], counted: list[str]) -> dict[str, int]:
    """Divide a cell's share over the instances that count, exactly; propose as much for each of the others."""
    least, rest = divmod(share, max(1, len(counted)))
    weights = {name: least + (1 if number < rest else 0) for number, name in enumerate(counted)}
    return weights | {name: share // len(eligible) for name in eligible if name not in weights}


def _may_have_traffic(cell: Cell, instance: Instance, meant: CellShare) -> bool:
    # A cell whose way to what it is meant to be stops instances that nobody can choose has no traffic meanwhile.
    needs_victims = (cell.revision != meant.revision and not meant.in_place) or cell.replicas > meant.replicas
    if not meant.share or needs_victims:
        return False
    # One whose place is about to be taken leaves before the orchestrator stops it.
    fits = (instance.revision == meant.revision or meant.in_place) and not instance.replaced_by
    return fits and instance.state is InstanceState.READY


def reached_at(instance: Instance, ports: tuple[str, ...], revision: Revision | None) -> Mapping[str, Address]:
    """Return the addresses at which edges reach an instance; empty while one that its revision has is not known.

    A revision from before a port was added does not have it, and serves at the others.
    """
    if (revision is None or not revision.ports) and len(instance.addresses) == len(ports):
        return instance.addresses if all(port in instance.addresses for port in ports) else {}
    own = revision.ports if revision is not None and revision.ports else ports
    needed = [port for port in ports if port in own]
    known = {port: instance.addresses[port] for port in needed if port in instance.addresses}
    return known if len(known) == len(needed) else {}
