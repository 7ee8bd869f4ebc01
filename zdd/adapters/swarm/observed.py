"""From what Swarm says of a service and its tasks to a cell with its instances. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from attrs import evolve

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.in_place import kept
from zdd.adapters.swarm.specification import is_empty, is_global, replicas_of, revision_in, revision_of
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.service import Service

Json = dict[str, Any]


class Addresses(Protocol):
    """Knows where the tasks of a Swarm service are reached."""

    def of(self, service: Service, swarm_service: Json, task: Json) -> dict[str, Address]:
        """Return port name → address, as far as they are known; all of them or none."""

    def lost(self, service: Service, swarm_service: Json, task: Json) -> str:
        """Say why nobody will ever learn the address of a task; empty: it is known, or may be yet."""


UNASSIGNED = ("new", "pending")
ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
ENDED_BY_ITSELF = ("complete", "failed", "rejected", "orphaned")
TOLD_TO_STOP = ("shutdown", "remove")


def observed_cell(service: Service, swarm_service: Json, tasks: Sequence[Json], addresses: Addresses) -> Cell:
    """Return the cell that a Swarm service is.

    A task is `READY` when Swarm says *running*, which for an image with a health check means that it passed;
    `STOPPING` from the moment it is told to stop until it has ended; `FAILED` while it has ended by itself and
    nothing has taken its place; and `STARTING` before, also while Swarm waits to start it again.
    """
    spec = swarm_service["Spec"]
    retired = is_retired(swarm_service)
    present = revision_of(spec["TaskTemplate"])
    replicas = _places(tasks) if is_global(spec) and not is_empty(spec) else 0 if is_empty(spec) else replicas_of(spec)
    found = [
        evolve(
            _instance(service, swarm_service, task, _earlier(task, tasks), addresses),
            replaced_by=_replacement(task, tasks, present),
        )
        for task in tasks
        if _exists(task) or (not retired and _lies_there(task, tasks, replicas, present))
    ]
    return Cell(
        name=cell_of(swarm_service),
        revision=present,
        replicas=replicas,
        instances=tuple(sorted(found, key=lambda one: one.id)),
        note=_update_note(swarm_service),
    )


def _places(tasks: Sequence[Json]) -> int:
    """Return on how many nodes a global service has a task, or is to have one."""
    return len({task.get("NodeID") for task in tasks if task["DesiredState"] not in TOLD_TO_STOP})


def cell_of(swarm_service: Json) -> str:
    """Return the name of the cell that a Swarm service is: its own, if nobody gave it another."""
    spec = swarm_service["Spec"]
    return str((spec.get("Labels") or {}).get(labels.CELL) or spec["Name"])


def is_retired(swarm_service: Json) -> bool:
    """Say whether the service is to go when its last task has gone."""
    return labels.RETIRED in (swarm_service["Spec"].get("Labels") or {})


def something_left(tasks: Sequence[Json]) -> bool:
    """Say whether any of these tasks has not ended, or is just being taken off the list.

    An engine from before the end of 2025 crashes if a service is removed at that very moment (moby/swarmkit#3216).
    """
    return any(_exists(task) or task["DesiredState"] == "remove" for task in tasks)


def _exists(task: Json) -> bool:
    state = task["Status"]["State"]
    if state in ENDED:
        return False
    return not (state in UNASSIGNED and task["DesiredState"] in TOLD_TO_STOP)


def _lies_there(task: Json, tasks: Sequence[Json], replicas: int, present: str) -> bool:
    """Say whether it has ended by itself, in a place that is wanted, and nothing is there in its stead.

    What was started first, beside the task that it was to replace, may end by itself just when Swarm takes the update
    back: then the older task has the place, and nothing will ever come after the one that ended.
    """
    if task["Status"]["State"] not in ENDED_BY_ITSELF or task["DesiredState"] == "remove":
        return False
    if task.get("Slot", 0) > replicas:
        return False
    here = [other for other in tasks if other is not task and _same_place(task, other)]
    return not any(other["CreatedAt"] > task["CreatedAt"] or _has_the_place(other, present) for other in here)


def _same_place(one: Json, other: Json) -> bool:
    return one.get("Slot", one.get("NodeID")) == other.get("Slot", other.get("NodeID"))


def _has_the_place(task: Json, present: str) -> bool:
    """Say whether it is what its place is to have: it exists, goes on, and is of the present revision."""
    return _exists(task) and task["DesiredState"] not in TOLD_TO_STOP and revision_of(task["Spec"]) == present


def _replacement(task: Json, tasks: Sequence[Json], present: str) -> str:
    """Return the task for which Swarm will stop this one: one of the present revision in the same place."""
    if task["DesiredState"] in TOLD_TO_STOP:
        return ""
    here = [other for other in tasks if _same_place(task, other) and _has_the_place(other, present)]
    stays = str(kept(here)["ID"]) if here else ""
    return stays if stays != task["ID"] else ""


def _earlier(task: Json, tasks: Sequence[Json]) -> list[Json]:
    """Return what ended by itself in the same place, of the same revision, oldest first; Swarm keeps only a few."""
    revision = revision_of(task["Spec"])
    found = [
        other
        for other in tasks
        if _same_place(task, other)
        and other["CreatedAt"] < task["CreatedAt"]
        and other["Status"]["State"] in ENDED_BY_ITSELF
        and revision_of(other["Spec"]) == revision
    ]
    return sorted(found, key=lambda other: str(other["CreatedAt"]))


def _instance(
    service: Service, swarm_service: Json, task: Json, earlier: Sequence[Json], addresses: Addresses
) -> Instance:
    state = _state(task)
    note = _words(task)
    if not note and earlier and state is not InstanceState.READY:
        note = f"the one before it ended: {_words(earlier[-1]) or earlier[-1]['Status']['State']}"
    present = revision_of(task["Spec"]) == revision_in(swarm_service)
    lost = addresses.lost(service, swarm_service, task) if present and state is InstanceState.READY else ""
    return Instance(
        id=task["ID"],
        revision=revision_of(task["Spec"]),
        state=state,
        addresses=addresses.of(service, swarm_service, task),
        since_s=seconds(task["Status"].get("Timestamp") or task["UpdatedAt"]),
        restarts=len(earlier),
        note=lost or note,
        address_lost=bool(lost),
    )


def _state(task: Json) -> InstanceState:
    state = task["Status"]["State"]
    if state in ENDED:
        return InstanceState.FAILED
    if task["DesiredState"] in TOLD_TO_STOP:
        return InstanceState.STOPPING
    return InstanceState.READY if state == "running" else InstanceState.STARTING


def _words(task: Json) -> str:
    """Return Swarm's own words about an error."""
    status = task["Status"]
    exit_code = (status.get("ContainerStatus") or {}).get("ExitCode") or 0
    said = str(status.get("Err") or "")
    if not said and status["State"] in ENDED and exit_code:
        said = f"exit code {exit_code}"
    return said


def _update_note(swarm_service: Json) -> str:
    status = swarm_service.get("UpdateStatus") or {}
    if status.get("State") in (None, "completed"):
        return ""
    return f"Swarm's own update: {status['State']}, {status.get('Message', '')}"


def seconds(text: str) -> float:
    """Return the Engine's time, which has nanoseconds, in seconds since the epoch."""
    whole = re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00")
    return datetime.fromisoformat(whole).timestamp()


def container_ports(service: Service, swarm_service: Json, task: Json) -> dict[str, int]:
    """Return port name → the port on which the container listens, for those exposures that this task has.

    A task that zdd did not make doesn't say: then the service's published ports are taken, in their order, if there
    are as many as exposures.
    """
    described: Mapping[str, str] = (task["Spec"].get("ContainerSpec") or {}).get("Labels") or {}
    told = {exposure.port: described.get(labels.PORT + exposure.port, "") for exposure in service.exposures}
    known = {name: int(text) for name, text in told.items() if text.isdigit()}
    if known or labels.REVISION in described:
        return known
    published = (swarm_service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
    if len(published) != len(service.exposures):
        return {}
    return {exposure.port: port["TargetPort"] for exposure, port in zip(service.exposures, published, strict=True)}
