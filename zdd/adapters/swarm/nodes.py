"""Which nodes of a swarm could run a task, and how many of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

_NAMES = {  # Swarm's names for a processor, and those of the kernel
    "x86_64": "amd64",
    "aarch64": "arm64",
}


def fitting(nodes: Sequence[Json], spec: Json) -> list[Json]:
    """Return the nodes that are up and meet the constraints and platforms of a specification."""
    placement = spec["TaskTemplate"].get("Placement") or {}
    return [
        node
        for node in nodes
        if node["Spec"].get("Availability", "active") == "active"
        and node["Status"].get("State") == "ready"
        and all(_meets(node, constraint) for constraint in placement.get("Constraints") or [])
        and _has_platform(node, placement.get("Platforms") or [])
    ]


def room(nodes: Sequence[Json], spec: Json) -> int | None:
    """Return how many tasks these nodes could run if nothing else ran there; None: any number.

    What the tasks reserve and how many a node may have are looked at, as far as the specification says so.
    """
    reserved = (spec["TaskTemplate"].get("Resources") or {}).get("Reservations") or {}
    most = (spec["TaskTemplate"].get("Placement") or {}).get("MaxReplicas") or 0
    fixed = fixed_port(spec) is not None
    limits = [_room(node, reserved, most, fixed) for node in nodes]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if len(known) == len(limits) else None


def _room(node: Json, reserved: Json, most: int, fixed: bool) -> int | None:
    has = (node.get("Description") or {}).get("Resources") or {}
    asked = [name for name in ("NanoCPUs", "MemoryBytes") if reserved.get(name)]
    limits = [int(has.get(name, 0)) // int(reserved[name]) for name in asked]
    limits += [most] if most else []
    limits += [1] if fixed else []
    return min(limits, default=None)


def fixed_port(spec: Json) -> int | None:
    """Return a port that only one task of a node can have; None: there is none."""
    for port in (spec.get("EndpointSpec") or {}).get("Ports") or []:
        if port.get("PublishMode") == "host" and port.get("PublishedPort"):
            return int(port["PublishedPort"])
    return None


def _has_platform(node: Json, platforms: Sequence[Mapping[str, str]]) -> bool:
    has = (node.get("Description") or {}).get("Platform") or {}
    mine = (_processor(has.get("Architecture")), has.get("OS"))
    return not platforms or any((_processor(p.get("Architecture")), p.get("OS")) == mine for p in platforms)


def _processor(name: str | None) -> str:
    return _NAMES.get(name or "", name or "")


def _meets(node: Json, constraint: str) -> bool:
    for operator, equal in (("!=", False), ("==", True)):
        key, found, wanted = constraint.partition(operator)
        if found:
            value = attribute(node, key.strip())
            return value is None or (value.lower() == wanted.strip().lower()) is equal
    return True


def attribute(node: Json, key: str) -> str | None:
    """Return what a constraint asks of a node; None: it is not known here, so it can't be said to fail."""
    described = node.get("Description") or {}
    lower = key.lower()
    if lower.startswith("node.labels."):
        return str((node["Spec"].get("Labels") or {}).get(key[len("node.labels.") :], ""))
    if lower.startswith("engine.labels."):
        return str(((described.get("Engine") or {}).get("Labels") or {}).get(key[len("engine.labels.") :], ""))
    known = {
        "node.id": node["ID"],
        "node.hostname": described.get("Hostname"),
        "node.role": node["Spec"].get("Role"),
        "node.platform.os": (described.get("Platform") or {}).get("OS"),
    }
    return known.get(lower)


def ailing(nodes: Sequence[Json]) -> list[tuple[str, str, str]]:
    """Return subject, problem and fix of what is wrong with the nodes themselves."""
    found = []
    for node in nodes:
        name = str((node.get("Description") or {}).get("Hostname") or node["ID"])
        state = node["Status"].get("State")
        if state != "ready":
            found.append(
                (f"node {name}", f"is {state}: nothing can run there", "bring it back, or remove it from the swarm")
            )
    managers = [node for node in nodes if node["Spec"].get("Role") == "manager"]
    reachable = [node for node in managers if (node.get("ManagerStatus") or {}).get("Reachability") == "reachable"]
    spare = len(reachable) - (len(managers) // 2 + 1)
    if spare < 1:
        problem = f"{len(reachable)} of {len(managers)} managers can be reached: one more that fails stops the swarm"
        found.append(("the swarm", problem, "run three managers or five"))
    return found
