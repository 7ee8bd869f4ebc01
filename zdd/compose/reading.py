"""From compose files to a stack."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

from attrs import frozen

from zdd.adapters.swarm.container import Container
from zdd.compose.document import BYTES_MAX, Document, Place, read_document, too_large
from zdd.compose.document import Path as DocumentPath
from zdd.compose.extension import KEY, Extension, both, read_extension
from zdd.compose.interpolation import interpolate
from zdd.compose.merging import merge_sections, merge_services
from zdd.compose.objects import SECTIONS, objects_of, write_out_section
from zdd.compose.schema_check import check_schema
from zdd.compose.short_forms import Surroundings, write_out
from zdd.compose.specification import Sections, specification_of
from zdd.compose.strategy import Manner, manner_of
from zdd.errors import ConfigurationError
from zdd.model.names import NAME_LENGTH_MAX
from zdd.model.release import VERSION_LENGTH_MAX, Release
from zdd.model.service import Overlap, Service
from zdd.stacks.stack import Pull, Stack, StackService, check_stack_name

Json = dict[str, Any]

IGNORED = (
    "build", "cgroup_parent", "cgroupns_mode", "container_name", "devices", "domainname", "expose", "external_links",
    "ipc", "links", "mac_address", "network_mode", "pid", "privileged", "security_opt", "shm_size", "tmpfs",
    "userns_mode",
)  # fmt: skip
"""What the docker client leaves out when it deploys a stack."""

REFUSED = {"credential_spec": "Windows containers are not deployed by zdd"}

_SECOND_NS = 1_000_000_000
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._:/@\[\]-]{0,400}")


@frozen
class _Merged:
    document: Document
    services: Json
    sections: Sections
    every: Extension


def read_stack(
    name: str,
    files: Iterable[str | os.PathLike[str]],
    *,
    variables: Mapping[str, str] | None = None,
) -> Stack:
    """Read the compose files that ``docker stack deploy`` reads.

    Args:
        name: The stack's name.
        files: Their paths; what a later one says goes first. Paths in them begin at the first one's folder, and files
            that they name have to be in there.
        variables: What ``$NAME`` stands for. None: the environment.

    Raises:
        ConfigurationError: A file is not there, is no compose file, or asks for what can't be done. The message
            begins with file, line and column. Nothing was touched.
    """
    check_stack_name(name)
    paths = [FilePath(file) for file in ([files] if isinstance(files, str | os.PathLike) else files)]
    if not paths:
        raise ConfigurationError(f"stack {name}: name at least one compose file")
    around = Surroundings(paths[0].parent.absolute(), os.environ if variables is None else variables)
    documents = [interpolate(read_document(str(path), _content(path)), around.variables) for path in paths]
    return stack_of(name, documents, around)


def stack_of(name: str, documents: Iterable[Document], around: Surroundings) -> Stack:
    """Return the stack that documents with their variables replaced describe. Raises as `read_stack`."""
    merged = _merge(name, list(documents), around)
    document = merged.document
    notes = _ignored(document, merged.services)
    made = []
    zdd_names = {key: _zdd_name(document, name, key, merged) for key in merged.services}
    for key, service in merged.services.items():
        one, said = _service(merged, key, service, zdd_names)
        made.append(one)
        notes += said
    objects = objects_of(document, merged.sections, merged.services, around.directory)
    try:
        return Stack(name, tuple(made), tuple(objects), tuple(notes))
    except ConfigurationError as error:
        raise document.refusal(("services",), str(error)) from None


def _content(path: FilePath) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
            if len(content) > BYTES_MAX:
                raise too_large(str(path), path.stat().st_size)
            return content
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"compose file {path} can't be read: {getattr(error, 'strerror', error)}") from None


def _merge(name: str, documents: list[Document], around: Surroundings) -> _Merged:
    services: Json = {}
    sections: dict[str, Json] = {section: {} for section in SECTIONS}
    places: dict[DocumentPath, Place] = {}
    own: Json = {}
    for number, document in enumerate(documents):
        check_schema(document)
        written = write_out(document, around)
        services = merge_services(services, written) if number else dict(sorted(written.items()))
        for section in SECTIONS:
            sections[section] = merge_sections(sections[section], write_out_section(document, section))
        stated = document.data.get(KEY) or {}
        if not isinstance(stated, dict):
            read_extension(document, (), stated)  # refuses it, with its place in this file
        own |= stated
        places |= document.places
    document = Document(documents[0].name, {"services": services, **sections}, places)
    if not services:
        raise document.refusal((), "there are no services: state one under services:")
    return _Merged(document, services, Sections(name, **sections), read_extension(document, (), own))


def _ignored(document: Document, services: Json) -> list[str]:
    notes = []
    for name, service in services.items():
        for key, why in REFUSED.items():
            if service.get(key):
                raise document.refusal(("services", name, key), f"{key} of {name} can't be honoured: {why}")
        notes += [
            f"{document.place(('services', name, key))}: {key} of {name} is left out, as Swarm does"
            for key in IGNORED
            if key in service
        ]
    return notes


def _zdd_name(document: Document, stack: str, key: str, merged: _Merged) -> str:
    extension = merged.services[key].get(KEY)
    stated = extension.get("name") if isinstance(extension, dict) else None
    if isinstance(stated, str):
        first = re.split(r"[-_]", stack)[0]
        if re.split(r"[-_]", stated)[0] != first:
            why = f"{stated!r}: begin it with {first}-, as the stack's name does, so that zdd finds it again"
            raise document.refusal(("services", key, KEY, "name"), f"services.{key}.{KEY}.name: {why}")
        return stated
    name = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{key}".lower()).strip("-")
    if len(name) > NAME_LENGTH_MAX:
        raise document.refusal(
            ("services", key),
            f"{name} is longer than {NAME_LENGTH_MAX} characters: give it a short one, x-zdd: {{name: …}}",
        )
    return name


def _service(merged: _Merged, key: str, service: Json, zdd_names: Mapping[str, str]) -> tuple[StackService, list[str]]:
    document, at = merged.document, ("services", key)
    image = service.get("image")
    if not isinstance(image, str) or not _IMAGE.fullmatch(image):
        what = f"image {image!r} is none" if image else "it has no image"
        raise document.refusal(
            (*at, "image") if image else at, f"{key}: {what}: name one such as registry.example.org/web:2"
        )
    extension = both(merged.every, read_extension(document, at, service.get(KEY)))
    manner = manner_of(document, key, service, extension)
    _check_capacity(document, key, extension, manner)
    spec = specification_of(document, key, service, merged.sections)
    depends_on = []
    for other in service.get("depends_on") or []:
        if other not in zdd_names:
            raise document.refusal((*at, "depends_on"), f"{key} depends on {other!r}, which is not there")
        depends_on.append(zdd_names[other])
    try:
        wanted = _zdd_service(zdd_names[key], service, spec, extension, manner)
        ports = {exposure.port: target for exposure, target in extension.exposures}
        container = Container(image, ports=ports, service_spec=spec, service_name=spec["Name"])
        workload = container.specification()
        release = Release(extension.version or version_of(image, workload), workload)
    except ConfigurationError as error:
        raise document.refusal(at, str(error)) from None
    pull = extension.pull or Pull.AS_NEEDED
    return StackService(wanted, release, manner.strategy, tuple(depends_on), key, pull), list(manner.notes)


def _check_capacity(document: Document, key: str, extension: Extension, manner: Manner) -> None:
    """Refuse what `x-zdd` says of capacity and what can't hold for the way in which the service is replaced."""
    at = ("services", key, KEY)
    if manner.overlap is Overlap.FORBIDDEN and extension.floor:
        why = f"{key} is stopped before it is started again ({manner.why}), so no instance is kept: take the floor away"
        raise document.refusal((*at, "floor"), f"services.{key}.{KEY}.floor: {why}")
    if extension.surge is not None and not manner.uses_surge:
        why = f"{manner.strategy} does not use it: take it away, or state the strategy's own batch"
        raise document.refusal((*at, "surge"), f"services.{key}.{KEY}.surge: {why}")


def _zdd_service(name: str, service: Json, spec: Json, extension: Extension, manner: Manner) -> Service:
    grace_ns = service.get("stop_grace_period")
    deadlines: Json = dict(extension.deadlines)
    return Service(
        name,
        replicas=_replicas(spec, extension),
        exposures=tuple(exposure for exposure, _ in extension.exposures),
        gates=extension.gates or (),
        overlap=manner.overlap,
        cells=extension.cells,
        stop_grace_s=10.0 if grace_ns is None else grace_ns / _SECOND_NS,
        floor=None if manner.overlap is Overlap.FORBIDDEN else extension.floor,
        **deadlines,
    )


def _replicas(spec: Json, extension: Extension) -> int:
    if "Replicated" in spec["Mode"]:
        if extension.replicas is not None:
            raise ConfigurationError("x-zdd replicas is for global services: use deploy.replicas")
        return int(spec["Mode"]["Replicated"]["Replicas"])
    if extension.replicas is None:
        raise ConfigurationError("a global service runs on each node that fits: say on how many, x-zdd: {replicas: 3}")
    return extension.replicas


def version_of(image: str, workload: Mapping[str, Any]) -> str:
    """Return what people call a release: the image's tag, and a few digits that differ with the content."""
    content = hashlib.sha256(json.dumps(workload, sort_keys=True).encode()).hexdigest()[:7]
    named, _, digest = image.partition("@")
    last = named.rpartition("/")[2]
    tag = last.partition(":")[2] or digest.partition(":")[2][:12] or "latest"
    return f"{tag[: VERSION_LENGTH_MAX - 8]}-{content}"
