"""What could go wrong with a service on a swarm, in words with the fix. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.nodes import fitting, fixed_port, room
from zdd.adapters.swarm.placement import counted, have_room, stated_most
from zdd.adapters.swarm.specification import is_global
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.service import Service

Json = dict[str, Any]

_SECOND_NS = 1_000_000_000
_MONITOR_NS = 5 * _SECOND_NS  # Swarm's defaults
_INTERVAL_NS = 30 * _SECOND_NS
_TIMEOUT_NS = 30 * _SECOND_NS
_RETRIES = 3
TWO_WAYS_OUT = "use InPlaceUpdate(), which leaves the updating to Swarm"
_SMALLER = "use a smaller surge or more cells"
_MORE_ROOM = "add nodes, raise it, or use more cells, of which one at a time is doubled"


@frozen
class Inspection:
    """What is looked at.

    Attributes:
        service: How the service wants to be treated.
        container: What the user states.
        spec: The specification that the tasks would have.
        demand: What the deployment needs at once.
        nodes: The swarm's nodes.
        changed: Cell → what somebody else has changed since zdd wrote it.
        tasks: The tasks of the service's cells.
    """

    service: Service
    container: Container
    spec: Json
    demand: Demand
    nodes: Sequence[Json]
    changed: Mapping[str, str]
    tasks: Sequence[Json] = ()

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    @property
    def inside(self) -> Json:
        """What the specification says of the container."""
        return dict(self.spec["TaskTemplate"].get("ContainerSpec") or {})


def findings(one: Inspection) -> tuple[Finding, ...]:
    """Return everything that was found."""
    return (*_refused(one), *_nodes(one), *_health(one), *_updating(one), *_service(one), *_changed(one))


def _refused(one: Inspection) -> Iterator[Finding]:
    """What can't have two cells."""
    if one.demand.cells < 2:
        return
    cells = f"{one.demand.cells} cells at once"
    for port in (one.spec.get("EndpointSpec") or {}).get("Ports") or []:
        if port.get("PublishMode", "ingress") != "host":
            target = port.get("TargetPort")
            yield Finding(
                one.name,
                f"publishes port {port.get('PublishedPort') or target} through the ingress mesh, where only one Swarm "
                f"service can have it, and the plan needs {cells}",
                f"put an edge in front and publish in host mode (--publish-add mode=host,target={target}), "
                f"or {TWO_WAYS_OUT}",
                Severity.ERROR,
            )
    if is_global(one.spec):
        yield Finding(
            one.name,
            f"is a global service, with one task on each node, and the plan needs {cells}, so two on each node",
            TWO_WAYS_OUT,
            Severity.ERROR,
        )


def _nodes(one: Inspection) -> Iterator[Finding]:
    fit = fitting(one.nodes, one.spec)
    if not fit:
        constraints = (one.spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or []
        why = f"meets its constraints ({', '.join(constraints)})" if constraints else "is ready and active"
        yield Finding(
            one.name,
            f"has no node: none of {len(one.nodes)} {why} and has a platform of the image",
            "add a node or a label (docker node update --label-add), or change the constraint",
            Severity.ERROR,
        )
        return
    if is_global(one.spec):
        if one.service.replicas != len(fit):
            yield Finding(
                one.name,
                f"is a global service on {len(fit)} nodes, and is to have {one.service.replicas} instances",
                f"use Service({one.name!r}, replicas={len(fit)})",
                Severity.ERROR,
            )
        return
    limit = room(fit, one.spec)
    if limit is not None:
        yield from _room(one, limit, len(fit))
    if limit is None or one.demand.instances <= limit:
        yield from _beside(one, fit)


def _beside(one: Inspection, fit: Sequence[Json]) -> Iterator[Finding]:
    """Say whether the cells that are to come have room beside those that are there."""
    there = counted(one.tasks)
    most = stated_most(one.spec["TaskTemplate"])
    cells = one.demand.cells - len({task["ServiceID"] for task in one.tasks if counted([task])})
    instances = one.demand.instances - sum(there.values())
    if not most or cells < 1 or instances < 1:
        return
    sizes = [instances // cells + (number < instances % cells) for number in range(cells)]
    if not have_room(one.spec["TaskTemplate"], sizes, there, fit):
        yield Finding(
            one.name,
            f"max_replicas_per_node={most} leaves no room on the {len(fit)} nodes that fit for {instances} instances "
            f"more, in {cells} cells, beside the {sum(there.values())} that run",
            f"{_MORE_ROOM}; or {TWO_WAYS_OUT}",
            Severity.ERROR,
        )


def _room(one: Inspection, limit: int, nodes: int) -> Iterator[Finding]:
    port = fixed_port(one.spec)
    most = (one.spec["TaskTemplate"].get("Placement") or {}).get("MaxReplicas")
    if port is not None:
        why = f"its fixed port {port} allows one task on each of the {nodes} nodes that fit"
        fix = f"publish it without a number, so that Swarm chooses a free one, or add nodes, or {TWO_WAYS_OUT}"
    elif most and limit == most * nodes:
        why = f"max_replicas_per_node={most} allows {limit} on the {nodes} nodes that fit"
        fix = f"{_MORE_ROOM}; or {TWO_WAYS_OUT}"
    else:
        why = f"what a task reserves allows {limit} on the {nodes} nodes that fit, even if nothing else ran there"
        fix = "add nodes, or lower the reservation"
    if one.service.replicas > limit:
        yield Finding(one.name, f"is to have {one.service.replicas} instances, but {why}", fix, Severity.ERROR)
    elif one.demand.instances > limit:
        what = f"may need {one.demand.instances} instances at once while it is deployed, but {why}"
        kept = port is not None or (most and limit == most * nodes)
        severity = Severity.ERROR if kept and one.demand.cells > 1 else Severity.WARNING
        yield Finding(one.name, what, fix if kept else f"{fix}; or {_SMALLER}", severity)


def _health(one: Inspection) -> Iterator[Finding]:
    check = one.inside.get("Healthcheck") or {}
    if not check.get("Test") or check["Test"] == ["NONE"]:
        yield Finding(
            one.name,
            "states no health check, so unless its image has one Swarm calls a task running as soon as its process "
            "starts, and keeps one that hangs",
            "give it one (--health-cmd, or HEALTHCHECK in the Dockerfile)",
        )
        return
    update = one.spec.get("UpdateConfig")
    interval_ns, timeout_ns = check.get("Interval") or _INTERVAL_NS, check.get("Timeout") or _TIMEOUT_NS
    needed_ns = (check.get("StartPeriod") or 0) + (check.get("Retries") or _RETRIES) * (interval_ns + timeout_ns)
    monitor_ns = (update or {}).get("Monitor") or _MONITOR_NS
    if update is not None and monitor_ns < needed_ns:
        yield Finding(
            one.name,
            f"its health check needs up to {needed_ns / _SECOND_NS:g} s to find a task unhealthy, and Swarm's own "
            f"updates watch a new task for {monitor_ns / _SECOND_NS:g} s",
            f"use --update-monitor {needed_ns // _SECOND_NS + 1}s for updates that zdd doesn't make",
        )


def _updating(one: Inspection) -> Iterator[Finding]:
    port = fixed_port(one.spec)
    if port is not None and (one.spec.get("UpdateConfig") or {}).get("Order") == "start-first":
        yield Finding(
            one.name,
            f"Swarm's own updates start a new task first, which waits for ever for the fixed port {port}",
            "use --update-order stop-first, or publish the port without a number",
        )
    grace_s = (one.inside.get("StopGracePeriod") or 10 * _SECOND_NS) / _SECOND_NS
    if one.service.exposures and grace_s < one.service.drain_deadline_s:
        yield Finding(
            one.name,
            f"what is in flight gets {one.service.drain_deadline_s:g} s when zdd stops a task, and {grace_s:g} s when "
            "Swarm does so by itself, for example because a node is drained",
            f"use Service(stop_grace_s={one.service.drain_deadline_s:g}), if the application ends what it has begun",
        )

    if grace_s > one.service.stop_grace_s + 1:  # zdd rounds its own up
        yield Finding(
            one.name,
            f"its tasks get {grace_s:g} s to stop, as its specification says, and zdd expects "
            f"{one.service.stop_grace_s:g} s",
            f"use Service(stop_grace_s={grace_s:g})",
        )


def _service(one: Inspection) -> Iterator[Finding]:
    if one.service.replicas == 1 and not is_global(one.spec):
        yield Finding(
            one.name,
            "has one instance: nothing serves from when its node is lost until Swarm has started another",
            "use replicas=2 or more",
        )
    last = one.container.image.rpartition("/")[2]
    tag = last.partition(":")[2]
    if "@" not in last and tag in ("", "latest"):
        yield Finding(
            f"image {one.container.image}",
            "its tag names whatever was pushed last, so another push is not seen as another release",
            "give each release a tag of its own, or a digest",
        )


def _changed(one: Inspection) -> Iterator[Finding]:
    for cell, what in sorted(one.changed.items()):
        if what:
            yield Finding(
                cell, f"was changed outside zdd: {what}", "what this release doesn't state stays as it was changed"
            )
