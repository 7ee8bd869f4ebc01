"""`mirror`: the registrations that should exist. Pure: the same in a deployment and between two of them."""

from __future__ import annotations

from attrs import evolve

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.plan import Goal
from zdd.model.traffic import Registration
from zdd.reconciler.picture import Picture


def mirror(picture: Picture) -> dict[str, Registration]:
    """Return, by instance, what discovery should know when the stage's traffic is where it should be.

    The share of a cell is divided over its instances that have traffic or are proven. One that is ready but not proven
    yet is proposed too; the guards keep it out until it is. An instance that is registered and may not have any traffic
    stays, with weight 0, until it is no longer listed; then it is forgotten.
    """
    wanted: dict[str, Registration] = {}
    if not picture.carries_traffic:
        return wanted
    for cell in picture.observation.cells:
        goal = picture.goals.get(cell.name)
        eligible = [instance for instance in cell.instances if goal and _eligible(picture, cell, instance, goal)]
        counted = [i for i in eligible if picture.weight(i.id) > 0 or picture.proven(i.id)]
        if goal and eligible:
            least, rest = divmod(goal.share, max(1, len(counted)))
            for number, instance in enumerate(counted):
                wanted[instance.id] = registration(picture, cell, instance, least + (1 if number < rest else 0))
            for instance in eligible:
                if instance.id not in wanted:
                    wanted[instance.id] = registration(picture, cell, instance, goal.share // len(eligible))
        for instance in cell.instances:
            if instance.id in picture.registered and instance.id not in wanted:
                known = picture.registered[instance.id]
                wanted[instance.id] = evolve(known, weight=0)
    return wanted


def registration(picture: Picture, cell: Cell, instance: Instance, weight: int) -> Registration:
    """Return what discovery should know of an instance that has this weight."""
    revision = picture.plan.revisions.get(instance.revision)
    return Registration(
        instance.id,
        cell.name,
        instance.revision,
        revision.version if revision else "",
        picture.addresses(instance),
        weight,
    )


def needs_victims(cell: Cell, goal: Goal) -> bool:
    """Tell whether the cell's way to its goal stops instances that nobody can choose."""
    return cell.revision != goal.revision or cell.replicas > goal.replicas


def _eligible(picture: Picture, cell: Cell, instance: Instance, goal: Goal) -> bool:
    if not goal.share or needs_victims(cell, goal) or instance.revision != goal.revision:
        return False
    if instance.state is not InstanceState.READY or not picture.addresses(instance):
        return False
    return instance.id not in picture.condemned
