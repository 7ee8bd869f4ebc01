"""Where the tasks of a service with several cells may go. Pure.

Swarm spreads tasks, and counts them for ``max_replicas_per_node``, for each Swarm service by itself, and a cell is a
Swarm service. So zdd tells each cell what it can't see: nodes that it is to keep away from because of the other
cells, as constraints, and how many tasks a node has room for besides theirs.

Swarm restarts no task because its placement changed, as long as the node meets the constraints. So what keeps the
spread is taken out again as soon as the tasks have their nodes, and what keeps the maximum stays for as long as there
is another cell. What the user stated can be told from it: zdd spells its constraints in a way of its own, and the
maximum that was stated is in one of them.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.swarm.nodes import attribute

Json = dict[str, Any]
Counts = Mapping[str, int]

AWAY = "node.ID!="
"""How a constraint of zdd's own begins. Swarm does not mind the case; the docker client's documentation has ``id``."""

_STATED = f"{AWAY}zdd-max-replicas-"
_SPREAD = "SpreadDescriptor"
_LEAVING = ("shutdown", "remove")


@frozen
class Placing:
    """What is added to a cell's placement because of the other cells.

    Attributes:
        away: The nodes that it is to keep away from, sorted.
        most: How many of its tasks a node may have; None: what the user stated.
    """

    away: tuple[str, ...] = ()
    most: int | None = None


def counted(tasks: Iterable[Json]) -> Counter[str]:
    """Return how many of these tasks each node has, as Swarm counts them: those that are not told to stop."""
    return Counter(task["NodeID"] for task in tasks if task.get("NodeID") and task["DesiredState"] not in _LEAVING)


def stated_most(template: Mapping[str, Any]) -> int:
    """Return the user's ``max_replicas_per_node``; 0: any number."""
    return int((as_stated(template).get("Placement") or {}).get("MaxReplicas") or 0)


def needed(template: Mapping[str, Any], replicas: int, own: Counts, others: Counts) -> Placing:
    """Return what has to stay for a cell whose tasks have their nodes, so that no node ever gets too many.

    Args:
        template: The cell's.
        replicas: How many tasks it is to have.
        own: How many of its tasks each node has.
        others: The same of the service's other cells.
    """
    stated = stated_most(template)
    if not stated or not others:
        return Placing()
    most = all_of_it = max(1, min(stated, replicas))
    # A cell can't be told to keep away from where it is: that would stop what runs there.
    while any(count < most and others.get(node, 0) + most > stated for node, count in own.items()):
        most -= 1
    full = sorted(node for node, count in others.items() if count + most > stated and not own.get(node))
    return Placing(tuple(full), most) if full or most < all_of_it else Placing()


def chosen(
    template: Mapping[str, Any], replicas: int, own: Counts, others: Counts, nodes: Sequence[Json]
) -> Placing | None:
    """Return where a cell is to start its tasks, so that all cells together are spread as one service would be.

    Args:
        template: The cell's.
        replicas: How many tasks it is to have.
        own: How many it has already on each node, and keeps.
        others: How many the service's other cells have there.
        nodes: The nodes that fit.

    Returns:
        None if it can't be done: too few nodes have room for as many tasks, beside those of the other cells.
    """
    stated = stated_most(template)
    missing = replicas - sum(own.values())
    if not others or missing <= 0:
        return needed(template, replicas, own, others)
    if all(count + min(stated, replicas) <= stated for count in others.values()):
        stated = 0  # it can't be exceeded, wherever the tasks go
    for most in range(1, stated + 1) if stated else (0,):
        room = {node["ID"]: _room(node["ID"], most or replicas, stated, own, others) for node in nodes}
        if sum(room.values()) >= missing:
            free = [node for node in nodes if room[node["ID"]] > 0 or own.get(node["ID"])]
            good = _spread(template, missing, Counter(own) + Counter(others), nodes, room)
            away = {node["ID"] for node in free if node["ID"] not in good and not own.get(node["ID"])}
            away |= {name for name, count in others.items() if stated and count + most > stated and not own.get(name)}
            return Placing(tuple(sorted(away)), most or None)
    return None


def have_room(template: Mapping[str, Any], sizes: Sequence[int], there: Counts, nodes: Sequence[Json]) -> bool:
    """Say whether cells of these sizes can be started one after the other, beside what is there."""
    stated = stated_most(template)
    now = Counter(there)
    for size in sizes:
        place = chosen(template, size, {}, now, nodes)
        if place is None:
            return False
        most = place.most or stated or size
        own = Counter[str]()
        for _ in range(size):
            free = (node["ID"] for node in nodes if node["ID"] not in place.away and own[node["ID"]] < most)
            best = min(free, key=lambda name: (own[name], now[name], name), default=None)
            if best is None:
                return False
            own[best] += 1
        now += own
    return True


def _room(node: str, most: int, stated: int, own: Counts, others: Counts) -> int:
    """Return how many more tasks of a cell a node could get, if it may have so many."""
    if stated and others.get(node, 0) + most > stated:
        return 0
    return max(0, most - own.get(node, 0))


def _spread(template: Mapping[str, Any], missing: int, before: Counts, nodes: Sequence[Json], room: Counts) -> set[str]:
    """Return the nodes that Swarm would choose from, if it saw the tasks of all cells.

    The tasks are placed one after the other. What is as good as a node that got one is left to Swarm, which knows what
    else runs there.
    """
    preferences = (as_stated(template).get("Placement") or {}).get("Preferences") or []
    keys = [one["Spread"][_SPREAD] for one in preferences if (one.get("Spread") or {}).get(_SPREAD)]
    branch = {node["ID"]: tuple(attribute(node, key) or "" for key in keys) for node in nodes}
    above = {name: [path[: depth + 1] for depth in range(len(path))] for name, path in branch.items()}
    inside = Counter[tuple[str, ...]]()
    for name, paths in above.items():
        inside.update(dict.fromkeys(paths, before.get(name, 0)))
    now, left = Counter(before), Counter(room)
    levels: dict[tuple[str, ...], int] = {}
    for _ in range(missing):
        # From the top down the branch with the fewest tasks, then the node with the fewest; what is used first.
        best = min(
            (name for name in branch if left[name] > 0),
            key=lambda name: (
                [(inside[path], path not in levels, path) for path in above[name]], now[name], name
            ),
        )  # fmt: skip
        now[best] += 1
        left[best] -= 1
        inside.update(above[best])
        levels |= dict.fromkeys(above[best], -1)
        levels[branch[best]] = max(levels.get(branch[best], -1), before.get(best, 0))
    return {name for name in branch if room[name] > 0 and before.get(name, 0) <= levels.get(branch[name], -1)}


def placed(spec: Json, placing: Placing) -> Json:
    """Return a specification with this, in place of what zdd had added before."""
    made = copy.deepcopy(spec)
    template = made["TaskTemplate"] = as_stated(made["TaskTemplate"])
    stated = stated_most(template)
    added = [f"{AWAY}{node}" for node in placing.away]
    placement = dict(template.get("Placement") or {})
    if placing.most is not None and placing.most != stated:
        added.append(f"{_STATED}{stated}")
        placement["MaxReplicas"] = placing.most
    if added:
        template["Placement"] = {**placement, "Constraints": [*(placement.get("Constraints") or []), *added]}
    return made


def as_stated(template: Mapping[str, Any]) -> Json:
    """Return a task template without what zdd has added to its placement."""
    made = dict(template)
    placement = dict(made.get("Placement") or {})
    constraints = placement.get("Constraints") or []
    own = [one for one in constraints if one.startswith(AWAY)]
    if not own:
        return made
    kept = placement["Constraints"] = [one for one in constraints if one not in own]
    if not kept:
        del placement["Constraints"]
    for one in own:
        number = one.removeprefix(_STATED)
        if number != one and number.isdigit():
            placement["MaxReplicas"] = int(number)
    made["Placement"] = placement
    return made


def without_placing(spec: Json) -> Json:
    """Return a specification without what zdd has added to its placement."""
    return {**spec, "TaskTemplate": as_stated(spec["TaskTemplate"])}


def is_unplaced(task: Json) -> bool:
    """Say whether a task is to run and has no node."""
    return not task.get("NodeID") and task["DesiredState"] not in _LEAVING


def waits_for_room(tasks: Iterable[Json]) -> bool:
    """Say whether Swarm has looked for a node for one of these tasks, and found none."""
    said = [f"{one['Status'].get('Message', '')} {one['Status'].get('Err', '')}" for one in tasks if is_unplaced(one)]
    return any("no suitable node" in words for words in said)
