"""Whether a compose file has the keys and the types that the published schema wants."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any

from zdd.compose.document import Document, Path
from zdd.errors import ConfigurationError

_VERSION = re.compile(r"3(\.([0-9]|1[0-3]))?")
_FORBIDDEN = {
    "extends": "merge several files instead: docker stack deploy does not know it either",
    "volume_driver": "state the driver at the volume, under the top-level volumes:",
    "volumes_from": "name a volume under the top-level volumes: and use it in both services",
    "cpu_quota": "use deploy.resources.limits.cpus",
    "cpu_shares": "use deploy.resources",
    "cpuset": "use deploy.resources",
    "mem_limit": "use deploy.resources.limits.memory",
    "memswap_limit": "use deploy.resources.limits.memory",
}
# What the formats 3.9 to 3.13 have beyond 3.8: where in the schema, and what is there.
_LATER: tuple[tuple[tuple[str, ...], Any], ...] = (
    (("properties", "networks", "additionalProperties"), False),  # as in every other section
    (("definitions", "service", "properties", "cgroupns_mode"), {"type": "string"}),
    (("definitions", "service", "properties", "oom_score_adj"), {"type": "integer"}),
    (("definitions", "service", "properties", "build", "oneOf", "1", "additionalProperties"), True),
    (
        ("definitions", "deployment", "properties", "resources", "properties", "limits", "properties", "pids"),
        {"type": "integer"},
    ),
    (("definitions", "healthcheck", "properties", "start_interval"), {"type": "string"}),
    (
        (
            "definitions", "service", "properties", "networks", "oneOf", "1", "patternProperties", "^[a-zA-Z0-9._-]+$",
            "oneOf", "0", "properties", "driver_opts",
        ),
        {"type": "object", "patternProperties": {"^.+$": {"type": ["string", "number"]}}},
    ),
)  # fmt: skip


@functools.cache
def _validator() -> Any:
    try:
        from jsonschema import Draft4Validator
    except ImportError:
        raise ConfigurationError("compose files need jsonschema: pip install 'zdd-deploy[compose]'") from None
    text = resources.files("zdd.compose").joinpath("schema/config_schema_v3.8.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    schema.pop("required")
    for path, value in _LATER:
        there = schema
        for part in path[:-1]:
            there = there[int(part)] if isinstance(there, list) else there[part]
        there[path[-1]] = value
    return Draft4Validator(schema)


def check_schema(document: Document) -> None:
    """Check keys and types.

    Raises:
        ConfigurationError: Something is not as the schema wants it; says where, and names the fix if it is known.
    """
    version = document.data.get("version", "3")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise document.refusal(("version",), f'version {version!r} is not known: use "3.8", or none')
    services = document.data.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        for key in _FORBIDDEN if isinstance(service, dict) else ():
            if key in service:
                raise document.refusal(("services", name, key), f"{key} of service {name}: {_FORBIDDEN[key]}")
    errors = sorted(_validator().iter_errors(dict(document.data)), key=lambda error: _order(document, error))
    if errors:
        error = _deepest(errors[0])
        path = tuple(error.absolute_path)
        raise document.refusal(_told_at(error, path), _message(error, path))


def _order(document: Document, error: Any) -> tuple[int, int]:
    """Return where the error is, so that the first one in the file is told."""
    place = document.place(tuple(error.absolute_path))
    return place.line, place.column


def _deepest(error: Any) -> Any:
    """Return, of what none of several forms allows, what is wrong with the form that fits best."""
    while error.context:
        fits = [one for one in error.context if one.validator != "type" or len(one.path)]
        if not fits:
            return error
        error = max(fits, key=lambda one: len(one.absolute_path))
    return error


def _told_at(error: Any, path: Path) -> Path:
    unknown = _unknown_keys(error)
    return (*path, unknown[0]) if unknown else path


def _unknown_keys(error: Any) -> list[str]:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return []
    known = error.schema.get("properties", {})
    patterns = [re.compile(pattern) for pattern in error.schema.get("patternProperties", {})]
    return [key for key in error.instance if key not in known and not any(one.search(key) for one in patterns)]


def _message(error: Any, path: Path) -> str:
    where = ".".join(map(str, path)) or "the file"
    unknown = _unknown_keys(error)
    if unknown:
        return (
            f"{where} has the unknown key {unknown[0][:60]!r}{_similar(unknown[0], error.schema.get('properties', {}))}"
        )
    if error.validator in ("type", "oneOf"):
        return f"{where} is {_shown(error.instance)}: use {_kinds(error)}"
    if error.validator == "uniqueItems":
        return f"{where} names something twice: {_shown(error.instance)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where} lacks {', '.join(missing)}"
    return f"{where}: {error.message[:200]}"


def _kinds(error: Any) -> str:
    names = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number"}
    names |= {"number": "a number", "boolean": "true or false", "null": "nothing"}
    kinds: list[str] = []
    for one in [error, *error.context]:
        if one.validator == "type":
            stated = one.validator_value
            kinds += [stated] if isinstance(stated, str) else stated
    return " or ".join(dict.fromkeys(names.get(kind, kind) for kind in kinds)) or "another form"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _similar(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), 1)
    return f": did you mean {near[0]}?" if near else ""
