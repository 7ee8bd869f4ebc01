"""`mirror`: the registrations that should exist. Pure: the same in a deployment and between two of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.traffic import CellShare, Registration, TrafficIntent


def mirror(
    intent: TrafficIntent,
    observation: Observation,
    *,
    proven: Collection[str],
    condemned: Collection[str],
    versions: Mapping[str, str],
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
        versions: Revision → version.
    """
    wanted: dict[str, Registration] = {}
    if not intent.ports:
        return wanted
    known = {registration.instance: registration for registration in observation.registrations}
    for cell in observation.cells:
        meant = intent.cells.get(cell.name)
        weights = _weights(intent, cell, meant, known, proven, condemned) if meant is not None else {}
        for instance in cell.instances:
            if instance.id in weights:
                wanted[instance.id] = Registration(
                    instance.id,
                    cell.name,
                    instance.revision,
                    versions.get(instance.revision, ""),
                    reached_at(instance, intent.ports),
                    weights[instance.id],
                )
            elif instance.id in known:
                wanted[instance.id] = evolve(known[instance.id], weight=0)
    return wanted


def _weights(
    intent: TrafficIntent,
    cell: Cell,
    meant: CellShare,
    known: Mapping[str, Registration],
    proven: Collection[str],
    condemned: Collection[str],
) -> dict[str, int]:
    """Divide the cell's share over its instances, exactly."""
    eligible = [
        instance.id
        for instance in cell.instances
        if _may_have_traffic(cell, instance, meant)
        and instance.id not in condemned
        and reached_at(instance, intent.ports)
    ]
    counted = [name for name in eligible if name in proven or (name in known and known[name].weight > 0)]
    least, rest = divmod(meant.share, max(1, len(counted)))
    weights = {name: least + (1 if number < rest else 0) for number, name in enumerate(counted)}
    return weights | {name: meant.share // len(eligible) for name in eligible if name not in weights}


def _may_have_traffic(cell: Cell, instance: Instance, meant: CellShare) -> bool:
    # A cell whose way to what it is meant to be stops instances that nobody can choose has no traffic meanwhile.
    needs_victims = cell.revision != meant.revision or cell.replicas > meant.replicas
    if not meant.share or needs_victims:
        return False
    return instance.revision == meant.revision and instance.state is InstanceState.READY


def reached_at(instance: Instance, ports: tuple[str, ...]) -> dict[str, Address]:
    """Return the addresses at which edges reach an instance; empty while one of them is not known."""
    known = {port: instance.addresses[port] for port in ports if port in instance.addresses}
    return known if len(known) == len(ports) else {}
