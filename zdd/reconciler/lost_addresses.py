"""What to do about instances that run, and of which nobody will ever learn where they can be reached. Pure."""

from __future__ import annotations

from zdd.model.cell import Cell, Instance
from zdd.model.plan import Goal
from zdd.reconciler.picture import Picture

STARTS_MOST = 3
"""How often a cell is started because of it: after that many, another attempt proves nothing new."""


def starts_anew(picture: Picture, goal: Goal, cell: Cell) -> bool:
    """Tell whether a cell that is as it should be is to be stopped, because some of it can't ever get traffic.

    Only one that has no traffic: nobody can choose which of its instances stop.
    """
    if not picture.answers_for(goal) or picture.cell_weight(cell.name) > 0:
        return False
    return any(one.address_lost and one.revision == cell.revision for one in cell.instances)


def lost_address_failure(picture: Picture, goal: Goal, instance: Instance) -> str:
    """Say why there is no use in waiting for an instance that nobody can reach; empty while there is."""
    if instance.revision != goal.revision or not instance.address_lost:
        return ""
    if goal.in_place is not None:  # others of its cell serve, so the cell can't be started anew
        return f"can't be reached: {instance.note}"
    records = picture.progress.instances.values()
    lost = sum(1 for one in records if one.address_lost and (one.cell, one.revision) == (goal.cell, goal.revision))
    if lost <= (STARTS_MOST - 1) * goal.replicas:
        return ""
    return f"can't be reached, nor could those before it: {instance.note}"
