"""Swarm specifications: what zdd changes in one, and what it leaves alone. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.networks import in_template, networks_of
from zdd.adapters.swarm.placement import as_stated
from zdd.errors import ConfigurationError, PermanentError
from zdd.model.release import Revision
from zdd.model.service import Service

Json = dict[str, Any]

STACK = "com.docker.stack."
FOUND = "found-"
"""How the id of a revision begins that zdd did not make."""

NOWHERE = "node.id==zdd-retired"
"""A constraint that no node meets: what a global service has in place of 0 replicas."""

_SECOND_NS = 1_000_000_000
_PROGRAM = ("Image", "Command", "Args", "Env", "Dir", "User")


@frozen
class PinnedImage:
    """What the registry said of an image.

    Attributes:
        name: With its digest, so that every node runs the same.
        platforms: On what it runs, in Swarm's own words.
    """

    name: str
    platforms: tuple[Mapping[str, str], ...] = ()


def pinned(image: str, distribution: Json) -> PinnedImage:
    """Return the image with the digest that the registry gave."""
    name = image if "@" in image else f"{image}@{distribution['Descriptor']['digest']}"
    known = (p for p in distribution.get("Platforms") or () if p.get("architecture") and p.get("os"))
    return PinnedImage(name, tuple({"Architecture": p["architecture"], "OS": p["os"]} for p in known))


def resolved(
    base: Json | None, container: Container, image: PinnedImage, service: Service, revision: Revision, *, publish: bool
) -> Json:
    """Return the specification of a revision, without what differs between its cells.

    Args:
        base: What the service was found with; None for a new one.
        container: What the user states.
        image: Its image, as the registry knows it.
        service: Whose ports and stop grace apply.
        revision: Whose id and version the tasks get.
        publish: Every exposure needs a port of the node, so that it can be reached there.
    """
    stated = container.service_spec is not None
    spec: Json = copy.deepcopy(dict(container.service_spec or {}) if stated else base or {})
    template = spec.setdefault("TaskTemplate", {})
    inside = template.setdefault("ContainerSpec", {})
    inside["Image"] = image.name
    if image.platforms:
        template["Placement"] = {**(template.get("Placement") or {}), "Platforms": [dict(p) for p in image.platforms]}
    if container.command is not None:
        inside["Args"] = list(container.command)
    if container.entrypoint is not None:
        inside["Command"] = list(container.entrypoint)
    inside["Env"] = _environment(inside.get("Env") or [], container, service, revision)
    if inside.get("StopGracePeriod") is None:
        inside["StopGracePeriod"] = math.ceil(service.stop_grace_s) * _SECOND_NS  # the Engine drops parts of seconds
    inside["Labels"] = _container_labels(inside.get("Labels") or {}, container, revision, _program(inside))
    if publish:
        _publish(spec, container, service)
    return spec


def _environment(found: list[str], container: Container, service: Service, revision: Revision) -> list[str]:
    added = dict(container.environment)
    for number, exposure in enumerate(service.exposures):
        if exposure.port in container.ports:
            text = str(container.ports[exposure.port])
            added.setdefault(exposure.variable, text)
            if not number:
                added.setdefault("PORT", text)
    added |= {"ZDD_SERVICE": service.name, "ZDD_VERSION": revision.version, "ZDD_REVISION": revision.id}
    kept = [line for line in found if line.partition("=")[0] not in added]
    return kept + [f"{name}={text}" for name, text in added.items()]


def _container_labels(found: Mapping[str, str], container: Container, revision: Revision, program: str) -> Json:
    kept = {name: text for name, text in found.items() if not name.startswith("zdd.")}
    ports = {labels.PORT + name: str(number) for name, number in container.ports.items()}
    return {**kept, **ports, labels.REVISION: revision.id, labels.DIGEST: program}


def _publish(spec: Json, container: Container, service: Service) -> None:
    endpoint = spec["EndpointSpec"] = dict(spec.get("EndpointSpec") or {})
    ports = [dict(port) for port in endpoint.get("Ports") or []]
    for exposure in service.exposures:
        number = container.ports.get(exposure.port)
        known = any(port.get("TargetPort") == number and port.get("Protocol", "tcp") == "tcp" for port in ports)
        if number is not None and not known:
            ports.append({"Protocol": "tcp", "TargetPort": number, "PublishMode": "host"})
    endpoint["Ports"] = ports


def check_spec(service: Service, container: Container, base: Json | None) -> None:
    """Look for what could not work, however it is deployed.

    Raises:
        ConfigurationError: A port has no number, or the service is a job.
    """
    for exposure in service.exposures:
        if exposure.port not in container.ports:
            raise ConfigurationError(
                f"port {exposure.port!r} of {service.name}: say on which port the container listens, "
                f"for example Container({container.image!r}, ports={{{exposure.port!r}: 8080}})"
            )
    spec: Mapping[str, Any] = container.service_spec if container.service_spec is not None else base or {}
    mode = spec.get("Mode") or {"Replicated": {}}
    if not mode.keys() & {"Replicated", "Global"}:
        raise ConfigurationError(
            f"{service.name} runs in Swarm's mode {', '.join(mode)}, whose tasks end by themselves: "
            "use a replicated or a global service"
        )


def for_cell(
    spec: Json, service: str, cell: str, name: str, revision: str, replicas: int, token: int, *, first: str
) -> Json:
    """Return the specification of one cell of a revision.

    Args:
        spec: What `resolved` returned, or what a service was found with.
        service: The zdd service's name.
        cell: The cell's name.
        name: The Swarm service's name.
        revision: The revision's id.
        replicas: How many tasks.
        token: Of the fence with which it is written.
        first: The name of the Swarm service that was found, or that is the service's first cell. Any other one belongs
            to no stack, so that ``docker stack deploy --prune`` does not remove it, and has the first one's name as an
            alias on its networks, so that Swarm's own DNS leads to all of them.
    """
    made = copy.deepcopy(in_template(spec))
    found = {k: v for k, v in (spec.get("Labels") or {}).items() if not k.startswith("zdd.")}
    if name != first:
        found = {key: value for key, value in found.items() if not key.startswith(STACK)}
        _add_alias(made, first)
    own = {labels.SERVICE: service, labels.CELL: cell, labels.TOKEN: str(token)}
    made["Labels"] = {**found, **own}
    made["Name"] = name
    if not is_global(spec):
        made["Mode"] = {"Replicated": {}}
    _sign(made["TaskTemplate"], revision)
    return with_replicas(made, replicas)


def _add_alias(spec: Json, alias: str) -> None:
    for network in networks_of(spec):
        network["Aliases"] = list(dict.fromkeys([*(network.get("Aliases") or []), alias]))


def _sign(template: Json, revision: str) -> None:
    """Write into a task template of which revision it is, unless that can be seen."""
    if revision_of(template) == revision:
        return
    inside = template.setdefault("ContainerSpec", {})
    inside["Labels"] = {**(inside.get("Labels") or {}), labels.REVISION: revision, labels.DIGEST: _program(inside)}


def is_global(spec: Json) -> bool:
    """Say whether Swarm runs one task on each node that fits."""
    return "Global" in (spec.get("Mode") or {})


def with_replicas(spec: Json, replicas: int) -> Json:
    """Return the same specification with another number of tasks, which restarts none.

    A global service has as many as nodes that fit. To have none, it is bound to a node that does not exist.
    """
    made = copy.deepcopy(spec)
    made["Labels"] = {**(made.get("Labels") or {}), labels.REPLICAS: str(replicas)}
    if not is_global(spec):
        made["Mode"] = {"Replicated": {"Replicas": replicas}}
        return made
    template = made["TaskTemplate"]
    placement = dict(template.get("Placement") or {})
    kept = [one for one in placement.get("Constraints") or [] if one != NOWHERE]
    if replicas and kept == (placement.get("Constraints") or []):
        return made
    template["Placement"] = {**placement, "Constraints": kept if replicas else [*kept, NOWHERE]}
    return made


def with_labels(spec: Json, added: Mapping[str, str]) -> Json:
    """Return the same specification with more labels on the service, which restarts no task."""
    made = copy.deepcopy(spec)
    made["Labels"] = {**(made.get("Labels") or {}), **added}
    return made


def is_empty(spec: Json) -> bool:
    """Say whether no task at all is wanted."""
    if is_global(spec):
        return NOWHERE in ((spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or [])
    return not replicas_of(spec)


def replicas_of(spec: Json) -> int:
    """Return how many tasks are wanted of a replicated service."""
    return int((spec.get("Mode", {}).get("Replicated") or {}).get("Replicas", 1))


def revision_of(template: Json) -> str:
    """Return the revision that a task template, or a task, is of.

    One that zdd did not make, or whose program somebody has changed since, is named after its content, so that it is
    another one as soon as anything changes.
    """
    described = (template.get("ContainerSpec") or {}).get("Labels") or {}
    revision = described.get(labels.REVISION)
    if revision and described.get(labels.DIGEST) in (None, _program(template["ContainerSpec"])):
        return str(revision)
    return f"{FOUND}{digest(template)}"


def revision_in(swarm_service: Json) -> str:
    """Return the revision that a Swarm service is to run; see `revision_of`."""
    return revision_of(swarm_service["Spec"]["TaskTemplate"])


def check_revision(service: Service, cell: str, current: Json, revision: Revision) -> None:
    """Raise `PermanentError` unless the Swarm service that is this cell runs this revision."""
    if revision_in(current) != revision.id:
        raise PermanentError(
            f"cell {cell} of {service.name} runs revision {revision_in(current)}, not {revision.id}: change it instead"
        )


def _program(inside: Json) -> str:
    """Return the digest of what runs: of those parts of a container's specification that Swarm keeps word for word."""
    return digest({name: inside.get(name) or None for name in _PROGRAM})


def digest(template: Json) -> str:
    """Return a short text that differs for two templates between which Swarm would restart tasks."""
    told = {name: value for name, value in as_stated(template).items() if name != "Runtime"}  # tasks don't have it
    if not told.get("Placement"):
        told.pop("Placement", None)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
