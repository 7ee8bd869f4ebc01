"""Networks, secrets and configs of a compose file as what is to be in the swarm."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from zdd.compose import values
from zdd.compose.document import Document, Path
from zdd.compose.environment import read_inside
from zdd.compose.mounts import NAMESPACE
from zdd.compose.specification import NO_ALIASES, Sections, object_name
from zdd.stacks.stack import StackObject

Json = dict[str, Any]

SECTIONS = ("networks", "volumes", "secrets", "configs")
_SECRET_BYTES_MAX = 500_000


def write_out_section(document: Document, section: str) -> Json:
    """Return a section with its labels and options as mappings of texts.

    Raises:
        ConfigurationError: Something can't be stated together; says where.
    """
    made: Json = {}
    for name, stated in (document.data.get(section) or {}).items():
        one = dict(stated or {})
        at = (section, name)
        for key in ("labels", "driver_opts"):
            if key in one:
                one[key] = values.pairs(one[key])
        external = one.get("external")
        if isinstance(external, dict) and external.get("name") and one.get("name"):
            raise document.refusal((*at, "name"), f"{section}.{name} has a name twice: take external.name away")
        for key in ("driver", "driver_opts", "labels", "file", "ipam") if external else ():
            if one.get(key):
                raise document.refusal((*at, key), f"{section}.{name} is external, so {key} can't be stated here")
        if one.get("driver") and one.get("file"):
            raise document.refusal((*at, "driver"), f"{section}.{name} has a driver and a file: state one of them")
        made[name] = one
    return made


def objects_of(document: Document, sections: Sections, services: Json, directory: FilePath) -> list[StackObject]:
    """Return what the services share, in the order in which it has to be made.

    Raises:
        ConfigurationError: A file isn't there, or is too large; says where.
    """
    used = sorted({name for service in services.values() for name in service.get("networks") or {"default": None}})
    found = [_network(name, sections) for name in used]
    found += _files(document, "secrets", "secret", sections.secrets, sections.stack, directory)
    found += _files(document, "configs", "config", sections.configs, sections.stack, directory)
    return found


def _network(key: str, sections: Sections) -> StackObject:
    stated = sections.networks.get(key) or {}
    name = object_name(key, stated, sections.stack)
    if stated.get("external") or name in NO_ALIASES:
        return StackObject("network", name, external=True)
    specification: Json = {
        "Driver": stated.get("driver") or "overlay",
        "Labels": {**stated.get("labels", {}), NAMESPACE: sections.stack},
        "Options": stated.get("driver_opts") or {},
        "Internal": bool(stated.get("internal")),
        "Attachable": bool(stated.get("attachable")),
    }
    ipam = stated.get("ipam") or {}
    if ipam.get("driver") or ipam.get("config"):
        specification["IPAM"] = {
            "Driver": ipam.get("driver") or "",
            "Config": [{"Subnet": one.get("subnet", "")} for one in ipam.get("config") or []],
        }
    return StackObject("network", name, specification=specification)


def _files(
    document: Document, section: str, kind: str, stated: Any, stack: str, directory: FilePath
) -> list[StackObject]:
    found = []
    for key, one in sorted(stated.items()):
        at: Path = (section, key)
        name = object_name(key, one, stack)
        if one.get("external"):
            found.append(StackObject(kind, name, external=True))
            continue
        specification: Json = {"Labels": {**one.get("labels", {}), NAMESPACE: stack}}
        if one.get("template_driver"):
            specification["Templating"] = {"Name": one["template_driver"]}
        if one.get("driver"):
            specification["Driver"] = {"Name": one["driver"], "Options": one.get("driver_opts") or {}}
            found.append(StackObject(kind, name, specification=specification, content=b""))
            continue
        if not one.get("file"):
            raise document.refusal(at, f"{section}.{key} has no file: name one, or say external: true")
        content = read_inside(document, (*at, "file"), directory, one["file"])
        if not 0 < len(content) <= _SECRET_BYTES_MAX:
            raise document.refusal(
                (*at, "file"), f"file {one['file']} has {len(content):,} bytes: Swarm takes 1 to {_SECRET_BYTES_MAX:,}"
            )
        found.append(StackObject(kind, name, specification=specification, content=content))
    return found
