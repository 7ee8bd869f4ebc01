"""What is left to be written when commands have had their effect. It stops no task, and starts none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.in_place import handed_back, is_halfway, is_under_way, places
from zdd.adapters.swarm.observed import is_retired, something_left
from zdd.adapters.swarm.placement import counted, is_unplaced, needed, placed, waits_for_room
from zdd.adapters.swarm.specification import is_empty, is_global, replicas_of, revision_of
from zdd.model.service import Service

Json = dict[str, Any]


@frozen
class Upkeep:
    """What is to be put right.

    Attributes:
        changes: Swarm services, each with what it is to be now: what was read, without what zdd put in for a time.
        gone: Swarm services that are to be removed now: retired cells of which nothing is left. They never come back.
        later: There is more, for which the time has not come.
    """

    changes: tuple[tuple[Json, Json], ...] = ()
    gone: tuple[Json, ...] = ()
    later: bool = False


def upkeep(service: Service, found: Mapping[str, Json], tasks: Sequence[Json]) -> Upkeep:
    """Say what is to be put right.

    Args:
        service: The service.
        found: Cell → the Swarm service.
        tasks: Those of all of them.
    """
    changes, gone, later = [], [], False
    for _, one in sorted(found.items()):
        own = of_service(one, tasks)
        if is_retired(one) and not something_left(own):
            gone.append(one)
        elif is_retired(one) or not _is_through(one["Spec"], own):
            later = True
        elif is_under_way(one["Spec"]) or not is_halfway(one, own):  # any write would let another one's update go on
            others = [task for task in tasks if task["ServiceID"] != one["ID"]]
            spec = handed_back(one["Spec"])
            loosened = _loosened(service, spec, own, others)
            later = later or loosened is None
            wanted = spec if loosened is None else loosened
            if wanted != one["Spec"]:
                changes.append((one, wanted))
    return Upkeep(tuple(changes), tuple(gone), later)


def living(found: Mapping[str, Json], tasks: Sequence[Json]) -> list[tuple[Json, list[Json]]]:
    """Return the Swarm services of which something is left or wanted, by cell, each with its tasks."""
    cells = [(one, of_service(one, tasks)) for _, one in sorted(found.items())]
    return [(one, own) for one, own in cells if not is_retired(one) or something_left(own)]


def of_service(swarm_service: Json, tasks: Sequence[Json]) -> list[Json]:
    """Return the tasks of a Swarm service."""
    return [task for task in tasks if task["ServiceID"] == swarm_service["ID"]]


def _is_through(spec: Json, own: Sequence[Json]) -> bool:
    """Tell whether Swarm's updater has nothing left to do. Any write before would start it anew."""
    if not is_under_way(spec):
        return True
    so_far = places(own, revision_of(spec["TaskTemplate"]))
    return so_far.running >= (so_far.changed + so_far.old if is_global(spec) else replicas_of(spec))


def _loosened(service: Service, spec: Json, own: Sequence[Json], others: Sequence[Json]) -> Json | None:
    """Leave of what a cell's placement was given because of the other cells only what it needs now.

    Not before every task has a node, unless there is none for it: then another cell's tasks matter less than having it.

    Returns:
        None if that would be another placement, and the time has not come.
    """
    is_ours = (spec.get("Labels") or {}).get(labels.SERVICE) == service.name
    if not is_ours or is_global(spec) or is_empty(spec):
        return spec
    on_nodes = counted(own)
    settled = sum(on_nodes.values()) == replicas_of(spec) and not any(map(is_unplaced, own))
    wanted = placed(spec, needed(spec["TaskTemplate"], replicas_of(spec), on_nodes, counted(others)))
    return wanted if settled or waits_for_room(own) or wanted == spec else None
