"""Volumes of a service as Swarm's mounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zdd.compose.document import Document, Path

Json = dict[str, Any]

NAMESPACE = "com.docker.stack.namespace"

_OPTIONS = {"volume": "volume", "bind": "bind", "tmpfs": "tmpfs", "npipe": "bind", "image": "image"}


def mounts_of(document: Document, at: Path, service: Json, volumes: Mapping[str, Any], stack: str) -> list[Json]:
    """Return the mounts of a service.

    Raises:
        ConfigurationError: A volume isn't there, or options don't fit its type; says where.
    """
    return [
        _mount(document, (*at, "volumes", number), volume, volumes, stack)
        for number, volume in enumerate(service.get("volumes") or [])
    ]


def _mount(document: Document, path: Path, volume: Json, volumes: Mapping[str, Any], stack: str) -> Json:
    kind, source = volume.get("type") or "volume", volume.get("source") or ""
    if kind not in _OPTIONS:
        raise document.refusal(path, f"type {kind!r} of a volume can't be honoured: use volume, bind or tmpfs")
    if not volume.get("target"):
        raise document.refusal(path, "a volume needs a target: the path in the container")
    for option in ("volume", "bind", "tmpfs", "image"):
        if volume.get(option) is not None and option != _OPTIONS[kind]:
            raise document.refusal(path, f"{option} options don't fit a volume of type {kind}")
    made: Json = {"Type": kind, "Target": volume["target"]}
    if source:
        made["Source"] = source
    if volume.get("read_only"):
        made["ReadOnly"] = True
    if volume.get("consistency"):
        made["Consistency"] = volume["consistency"]
    if kind == "tmpfs":
        if source:
            raise document.refusal(path, "a tmpfs has no source")
        if volume.get("tmpfs") is not None:
            made["TmpfsOptions"] = {"SizeBytes": volume["tmpfs"].get("size", 0)}
    elif kind in ("bind", "npipe") and volume.get("bind") is not None:
        made["BindOptions"] = {"Propagation": volume["bind"].get("propagation", "")}
    elif kind == "volume" and source:
        made.update(_named(document, path, volume, volumes, stack))
    return made


def _named(document: Document, path: Path, volume: Json, volumes: Mapping[str, Any], stack: str) -> Json:
    source = volume["source"]
    if source not in volumes:
        raise document.refusal(path, f"volume {source!r} is not there: state it under the top-level volumes:")
    stated = volumes[source] or {}
    options: Json = {}
    if (volume.get("volume") or {}).get("nocopy"):
        options["NoCopy"] = True
    made: Json = {"Source": stated.get("name") or f"{stack}_{source}", "VolumeOptions": options}
    if stated.get("external"):
        made["Source"] = external_name(source, stated)
        return made
    options["Labels"] = {**stated.get("labels", {}), NAMESPACE: stack}
    if stated.get("driver") or stated.get("driver_opts") is not None:
        options["DriverConfig"] = {"Name": stated.get("driver") or ""}
        if stated.get("driver_opts"):
            options["DriverConfig"]["Options"] = stated["driver_opts"]
    return made


def external_name(key: str, stated: Mapping[str, Any]) -> str:
    """Return the name of what exists outside of the stack."""
    external = stated.get("external")
    named = external.get("name") if isinstance(external, dict) else None
    return str(named or stated.get("name") or key)
