"""Several files as one, the later ones going first: as ``docker stack deploy`` merges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]

_WHOLE = ("command", "entrypoint", "test")


def merge_services(first: Json, later: Json) -> Json:
    """Return the services of both, in the order of their names."""
    names = sorted({*first, *later})
    return {
        name: _merged(first[name], later[name]) if name in first and name in later else first.get(name, later.get(name))
        for name in names
    }


def merge_sections(first: Json, later: Json) -> Json:
    """Return networks, volumes, secrets or configs of both: of one that is in both, what the later one says."""
    return {**first, **later}


def _merged(first: Json, later: Json) -> Json:
    made = dict(first)
    for key, value in later.items():
        before = first.get(key)
        if key in _KEYED:
            made[key] = _by_key(before or [], value or [], _KEYED[key])
        elif key == "logging" and before and before["driver"] != value["driver"] and value["driver"]:
            made[key] = value
        elif key in ("ulimits", "environment", "x-zdd"):
            made[key] = {**(before or {}), **(value or {})}
        elif key == "networks":
            made[key] = _networks(before or {}, value or {})
        elif key in _WHOLE:
            made[key] = value or before
        elif isinstance(value, dict) and isinstance(before, dict):
            made[key] = _merged(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            made[key] = before + value
        elif value or before is None or isinstance(value, bool):
            made[key] = value
    return made


def _networks(before: Json, value: Json) -> Json:
    both = {
        name: {**(before[name] or {}), **(value[name] or {})} for name in before if before[name] and value.get(name)
    }
    return {**before, **{name: one for name, one in value.items() if one or name not in before}, **both}


def _by_key(before: Sequence[Json], value: Sequence[Json], key: Callable[[Json], Any]) -> list[Json]:
    found = {key(one): one for one in [*before, *value]}
    return [found[name] for name in sorted(found)]


_KEYED: dict[str, Callable[[Json], Any]] = {
    # Ports without a published number are told apart by the container's: the client keeps the last of them only.
    "ports": lambda port: (port["published"], 0 if port["published"] else port["target"], port["protocol"]),
    "volumes": lambda volume: volume.get("target", ""),
    "secrets": lambda secret: secret.get("source", ""),
    "configs": lambda config: config.get("source", ""),
}
