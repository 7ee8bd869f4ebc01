"""Swarm's own updater, let go batch by batch: what zdd writes into a specification for it, and takes out. Pure.

Swarm's updater replaces as many places at once as its parallelism says, chosen by chance, and waits for its delay
before it goes on. With a delay of years it does one batch. The next write that differs in anything, a label of the
service among them, starts another updater, which does the next batch; one that differs in nothing leaves the updater at
what it is doing, and only gives the service a new version.

So a service that is updated in place carries a label with the number of the step and the user's own update settings,
which zdd puts back when every place runs the new template. Swarm's own judgement is off meanwhile: it neither pauses
nor rolls back, zdd does.

Swarm itself can put two tasks of the same revision into one place: its updater starts one beside a task that ends just
then, and Swarm starts that one again, by the present specification. Nothing takes one of them away before the next
write, and that one keeps the first by id, whether it runs or not. So the other one is said to be replaced, and nothing
is written before the first one runs.

The same goes for an update that somebody else has begun and that is not through, or that Swarm has paused: the next
write that differs in anything, a label among them, has Swarm go on. It keeps what the update had started so far,
healthy or not, and stops what serves in the same places.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.specification import revision_in, revision_of
from zdd.errors import ConfigurationError
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.service import Service

Json = dict[str, Any]

ONE_BATCH_NS = 10 * 365 * 24 * 3600 * 1_000_000_000
"""The delay after which Swarm would go on by itself with the next batch: ten years."""

_LEAVING = ("shutdown", "remove")


@frozen
class Places:
    """In how far the places (slots, or nodes) of a service run a revision, by the tasks that are not told to stop.

    Attributes:
        changed: Places that run it, or are about to: an old task may still be beside the new one.
        beside: Those of them where another task is.
        old: Places that run something else only.
        running: Places that run it and nothing else, and would still if only the task were left that Swarm keeps.
    """

    changed: int
    beside: int
    old: int
    running: int

    def parallelism(self, in_place: InPlace) -> int:
        """Return how many places Swarm is to take up, which it does by chance: exact where it is to take up all."""
        missing = in_place.changed - self.changed
        if missing >= self.old:
            return max(1, self.old + self.beside)
        return max(1, min(missing, in_place.batch))


def places(tasks: Sequence[Json], revision: str) -> Places:
    """Return in how far the places run a revision."""
    found: dict[object, list[Json]] = {}
    for task in tasks:
        if task["DesiredState"] not in _LEAVING:
            found.setdefault(task.get("Slot") or task.get("NodeID"), []).append(task)
    changed = beside = running = 0
    for here in found.values():
        new = [task for task in here if revision_of(task["Spec"]) == revision]
        changed += bool(new)
        beside += bool(new) and len(here) > 1
        running += len(new) == len(here) and kept(new)["Status"]["State"] == "running"
    return Places(changed, beside, len(found) - changed, running)


def kept(tasks: Sequence[Json]) -> Json:
    """Return which of the tasks of one place, all of the present revision, stays when Swarm's updater finds them.

    Where somebody has changed the service by hand, it is the one that was made since.
    """
    newest = _template(max(tasks, key=lambda task: str(task["CreatedAt"])))
    return min((task for task in tasks if _template(task) == newest), key=lambda task: str(task["ID"]))


def _template(task: Json) -> Json:
    return {name: value for name, value in task["Spec"].items() if name != "Placement"}  # which alone replaces nothing


def is_halfway(swarm_service: Json, tasks: Sequence[Json]) -> bool:
    """Say whether something runs that is not what the service is to run, or beside it: an update is not through."""
    so_far = places(tasks, revision_in(swarm_service))
    return bool(so_far.old or so_far.beside)


def check_in_place(service: Service, spec: Json, in_place: InPlace) -> None:
    """Look for what Swarm would wait for without end.

    Raises:
        ConfigurationError: The new tasks are to start first, and need a port that the old ones have.
    """
    for port in (spec.get("EndpointSpec") or {}).get("Ports") or []:
        fixed = port.get("PublishMode", "ingress") == "host" and port.get("PublishedPort")
        if fixed and in_place.order is UpdateOrder.START_FIRST:
            raise ConfigurationError(
                f"{service.name} publishes the fixed port {fixed} on its nodes, where only one task can have it: "
                "a new one can't start before the old one has stopped, so use InPlaceUpdate(order='stop-first')"
            )


def stepped(spec: Json, before: Json, in_place: InPlace, parallelism: int) -> Json:
    """Return a specification with which Swarm takes up so many places, and no more.

    Args:
        spec: What the service is to run.
        before: What it has now: what it remembers of the user's settings, and the number of the last step.
        in_place: In which order.
        parallelism: How many places.
    """
    made = copy.deepcopy(spec)
    memory = _memory(before) or {"step": 0, "update_config": before.get("UpdateConfig")}
    step = {**memory, "step": memory["step"] + 1}
    made["Labels"] = {**(made.get("Labels") or {}), labels.IN_PLACE: json.dumps(step, sort_keys=True)}
    made["UpdateConfig"] = {
        "Parallelism": parallelism,
        "Delay": ONE_BATCH_NS,
        "FailureAction": "continue",
        "MaxFailureRatio": 0,
        "Order": in_place.order.value,
    }
    return made


def handed_back(spec: Json) -> Json:
    """Return the specification with the user's own update settings; the same if zdd has not changed them."""
    memory = _memory(spec)
    if memory is None:
        return spec
    made = copy.deepcopy(spec)
    made["Labels"].pop(labels.IN_PLACE)
    made.pop("UpdateConfig", None)
    if memory["update_config"] is not None:
        made["UpdateConfig"] = memory["update_config"]
    return made


def is_under_way(spec: Json) -> bool:
    """Tell whether a service is updated in place."""
    return labels.IN_PLACE in (spec.get("Labels") or {})


def _memory(spec: Json) -> Json | None:
    text = (spec.get("Labels") or {}).get(labels.IN_PLACE)
    if text is None:
        return None
    try:
        memory = json.loads(text)
        return {"step": int(memory["step"]), "update_config": memory["update_config"]}
    except (ValueError, KeyError, TypeError):  # somebody wrote something else there: Swarm's defaults are left
        return {"step": 0, "update_config": None}
