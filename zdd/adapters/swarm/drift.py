"""What somebody else changed in a specification that zdd wrote. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.in_place import is_under_way
from zdd.adapters.swarm.networks import TOP, networks_of
from zdd.adapters.swarm.placement import without_placing
from zdd.adapters.swarm.specification import STACK, Json, replicas_of

SHOWN_MOST = 5
"""How many changes are told; of the rest only the number."""

FILLED_IN = ("any", "default", "ingress", "pause", "stop-first", "tcp", "vip")
"""What Swarm writes where nothing was stated."""

_OWN_VARIABLES = ("ZDD_", "PORT=", "PORT_")


def difference(before: Any, after: Any, path: str = "") -> str:
    """Name the first place at which two specifications differ, and what is there."""
    found = differences(before, after, path)
    return found[0] if found else f"{path} is the same"


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Name every place at which two specifications differ, and what is there, but not what variables hold: secrets."""
    if before == after or (not before and not after):
        return []
    if path.rpartition(".")[2] == "Env":
        return _other_variables(before, after, path)
    if isinstance(before, Mapping | None) and isinstance(after, Mapping | None):
        before, after = before or {}, after or {}
        return [
            line
            for key in sorted({*before, *after})
            for line in differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [line for number, (old, new) in pairs for line in differences(old, new, f"{path}[{number}]")]
    if not before and after in FILLED_IN:
        return []
    return [f"{path} was {json.dumps(before)} and is {json.dumps(after)}"]


def _other_variables(before: Any, after: Any, path: str) -> list[str]:
    old, new = (dict(one) if isinstance(one, Mapping) else _pairs(one) for one in (before, after))
    words = {name: "is new" if name not in old else "was taken away" for name in old.keys() ^ new.keys()}
    words |= {name: "has another value" for name in old.keys() & new.keys() if old[name] != new[name]}
    return [f"{path}.{name} {said}" for name, said in sorted(words.items())]


def changes(written: Json, found: Json) -> list[str]:
    """Name what somebody else changed, without what zdd adds itself.

    Args:
        written: The specification of the cell's revision, as zdd keeps it.
        found: What the Swarm service is now.
    """
    if is_under_way(found):  # zdd has put its own update settings in
        found = {**found, "UpdateConfig": written.get("UpdateConfig")}
    lines = differences(_comparable(written), _comparable(found))
    before, after = _networks(written), _networks(found)
    if len(before) != len(after):  # Swarm puts ids in the place of names
        lines.append(f"networks were {', '.join(before) or 'none'} and are {', '.join(after) or 'none'}")
    wanted = (found.get("Labels") or {}).get(labels.REPLICAS, "")
    if wanted.isdigit() and "Global" not in (found.get("Mode") or {}) and int(wanted) != replicas_of(found):
        lines.append(f"replicas were {wanted} and are {replicas_of(found)}")
    return lines


def in_words(lines: list[str]) -> str:
    """Return changes on one line."""
    more = len(lines) - SHOWN_MOST
    return ", ".join(lines[:SHOWN_MOST]) + (f" and {more} more" if more > 0 else "")


def _comparable(spec: Json) -> Json:
    """Leave out what differs between the cells of a revision, and what zdd adds."""
    told = copy.deepcopy({name: value for name, value in without_placing(spec).items() if name not in ("Name", "Mode")})
    template = told["TaskTemplate"]
    inside = template.get("ContainerSpec") or {}
    inside["Labels"] = _user_labels(inside)
    told["Labels"] = _user_labels(told)
    told.pop(TOP, None)
    inside["Env"] = {
        name: text
        for name, _, text in (line.partition("=") for line in inside.get("Env") or [])
        if not f"{name}=".startswith(_OWN_VARIABLES)
    }
    for name in ("ForceUpdate", "Runtime", "Networks"):
        template.pop(name, None)
    return told


def _networks(spec: Json) -> list[str]:
    return [str(one.get("Target", "")) for one in networks_of(spec)]


def _user_labels(described: Mapping[str, Any]) -> dict[str, str]:
    found = described.get("Labels") or {}
    return {name: text for name, text in found.items() if not name.startswith(("zdd.", STACK))}


def carried_over(base: Any, written: Any, found: Any) -> Any:
    """Return `base` with what somebody else changed: what differs between what zdd wrote and what was found.

    So what a person or a stack has changed stays when the next revision is made, and what belonged to the last
    revision alone does not.
    """
    if written == found:
        return copy.deepcopy(base)
    if not isinstance(found, Mapping) or not isinstance(written, Mapping | None):
        return copy.deepcopy(found)
    base = base if isinstance(base, Mapping) else {}
    made = {}
    for key in [*base, *(key for key in found if key not in base)]:
        before, after = (written or {}).get(key), found.get(key)
        carry = _environment if key == "Env" else carried_over
        value = carry(base.get(key), before, after)
        if value is not None:
            made[key] = value
    return made


def _environment(base: list[str] | None, written: list[str] | None, found: list[str] | None) -> list[str] | None:
    merged = carried_over(_pairs(base), _pairs(written), _pairs(found))
    return [f"{name}={text}" for name, text in merged.items()] or None


def _pairs(lines: list[str] | None) -> dict[str, str]:
    return {name: text for name, _, text in (line.partition("=") for line in lines or [])}
