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
from zdd.errors import ConfigurationError
from zdd.model.release import Revision
from zdd.model.service import Service

Json = dict[str, Any]

STACK = "com.docker.stack."
_SECOND_NS = 1_000_000_000


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
    if not (stated and inside.get("StopGracePeriod") is not None):
        inside["StopGracePeriod"] = math.ceil(service.stop_grace_s) * _SECOND_NS  # the Engine drops parts of seconds
    inside["Labels"] = _container_labels(inside.get("Labels") or {}, container, revision)
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


def _container_labels(found: Mapping[str, str], container: Container, revision: Revision) -> Json:
    kept = {name: text for name, text in found.items() if not name.startswith("zdd.")}
    ports = {labels.PORT + name: str(number) for name, number in container.ports.items()}
    return {**kept, **ports, labels.REVISION: revision.id}


def _publish(spec: Json, container: Container, service: Service) -> None:
    endpoint = spec["EndpointSpec"] = dict(spec.get("EndpointSpec") or {})
    ports = [dict(port) for port in endpoint.get("Ports") or []]
    for exposure in service.exposures:
        number = container.ports.get(exposure.port)
        known = any(port.get("TargetPort") == number and port.get("Protocol", "tcp") == "tcp" for port in ports)
        if number is not None and not known:
            ports.append({"Protocol": "tcp", "TargetPort": number, "PublishMode": "host"})
    endpoint["Ports"] = ports


def check_spec(service: Service, container: Container, base: Json | None, *, publish: bool) -> None:
    """Look for what could not work.

    Raises:
        ConfigurationError: A port has no number, is published through the ingress mesh, or the mode isn't replicated.
    """
    for exposure in service.exposures:
        if exposure.port not in container.ports:
            raise ConfigurationError(
                f"port {exposure.port!r} of {service.name}: say on which port the container listens, "
                f"for example Container({container.image!r}, ports={{{exposure.port!r}: 8080}})"
            )
    spec: Mapping[str, Any] = container.service_spec if container.service_spec is not None else base or {}
    mode = spec.get("Mode") or {"Replicated": {}}
    if "Replicated" not in mode:
        raise ConfigurationError(
            f"{service.name} runs in Swarm's mode {', '.join(mode)}, in which nobody says how many tasks there are: "
            "use a replicated service"
        )
    for port in (spec.get("EndpointSpec") or {}).get("Ports") or []:
        if port.get("PublishMode", "ingress") != "host":
            raise ConfigurationError(
                f"{service.name} publishes port {port.get('PublishedPort', port.get('TargetPort'))} through the "
                "ingress mesh, on which two cells can't be: put an edge in front and publish in host mode "
                f"(--publish-add mode=host,target={port.get('TargetPort')}), or leave the updating to Swarm"
            )
        if publish and port.get("PublishedPort") and service.replicas > 1:
            raise ConfigurationError(
                f"{service.name} publishes the fixed port {port['PublishedPort']} on its nodes, where only one task "
                "a node can have it: publish it without a number, and Swarm chooses a free one"
            )


def for_cell(spec: Json, service: str, cell: str, name: str, replicas: int, token: int, *, original: bool) -> Json:
    """Return the specification of one cell of a revision.

    Args:
        spec: What `resolved` returned.
        service: The zdd service's name.
        cell: The cell's name.
        name: The Swarm service's name.
        replicas: How many tasks.
        token: Of the fence with which it is written.
        original: This is the Swarm service that was found. Any other one belongs to no stack, so that
            ``docker stack deploy --prune`` does not remove it.
    """
    made = copy.deepcopy(spec)
    found = {k: v for k, v in (spec.get("Labels") or {}).items() if not k.startswith("zdd.")}
    if not original:
        found = {key: value for key, value in found.items() if not key.startswith(STACK)}
    own = {labels.SERVICE: service, labels.CELL: cell, labels.TOKEN: str(token)}
    made["Labels"] = {**found, **own}
    made["Name"] = name
    made["Mode"] = {"Replicated": {"Replicas": replicas}}
    return made


def with_replicas(spec: Json, replicas: int) -> Json:
    """Return the same specification with another number of tasks, which restarts none."""
    made = copy.deepcopy(spec)
    made["Mode"] = {"Replicated": {"Replicas": replicas}}
    return made


def with_labels(spec: Json, added: Mapping[str, str]) -> Json:
    """Return the same specification with more labels on the service, which restarts no task."""
    made = copy.deepcopy(spec)
    made["Labels"] = {**(made.get("Labels") or {}), **added}
    return made


def replicas_of(spec: Json) -> int:
    """Return how many tasks are wanted."""
    return int((spec.get("Mode", {}).get("Replicated") or {}).get("Replicas", 1))


def revision_of(template: Json) -> str:
    """Return the revision that a task template, or a task, is of.

    One that zdd did not make is named after its content, so that it is another one as soon as anything changes.
    """
    described = (template.get("ContainerSpec") or {}).get("Labels") or {}
    return described.get(labels.REVISION) or f"found-{digest(template)}"


def digest(template: Json) -> str:
    """Return a short text that differs for two templates between which Swarm would restart tasks."""
    told = {name: value for name, value in template.items() if name != "Runtime"}  # tasks don't have that one
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def difference(before: Any, after: Any, path: str = "") -> str:
    """Name the first place at which two specifications differ, and what is there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                return difference(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    return f"{path} was {json.dumps(before)} and is {json.dumps(after)}"
