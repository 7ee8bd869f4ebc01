"""Variables in compose files: ``$A``, ``${A}``, ``${A:-default}``, ``${A-default}``, ``${A:?message}``, ``$$``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from zdd.compose.document import Document, Path

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-zA-Z][_a-zA-Z0-9]*)(?P<unclear>:?[-?])?"
    r"|\{(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*)(?:(?P<how>:?[-?])(?P<what>[^}]*))?\}|(?P<illegal>))"
)
_TRUE, _FALSE = ("y", "yes", "true", "on"), ("n", "no", "false", "off")


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text!r} is not true or false")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


_SERVICE: dict[tuple[str, ...], Callable[[str], Any]] = {
    ("configs", "*", "mode"): _number,
    ("secrets", "*", "mode"): _number,
    ("healthcheck", "retries"): _number,
    ("healthcheck", "disable"): _boolean,
    ("deploy", "replicas"): _number,
    **{("deploy", key, "parallelism"): _number for key in ("update_config", "rollback_config")},
    **{("deploy", key, "max_failure_ratio"): _fraction for key in ("update_config", "rollback_config")},
    ("deploy", "restart_policy", "max_attempts"): _number,
    ("deploy", "placement", "max_replicas_per_node"): _number,
    ("ports", "*", "target"): _number,
    ("ports", "*", "published"): _number,
    ("ulimits", "*"): _number,
    ("ulimits", "*", "hard"): _number,
    ("ulimits", "*", "soft"): _number,
    ("privileged",): _boolean,
    ("init",): _boolean,
    ("oom_score_adj",): _number,
    ("read_only",): _boolean,
    ("stdin_open",): _boolean,
    ("tty",): _boolean,
    ("volumes", "*", "read_only"): _boolean,
    ("volumes", "*", "volume", "nocopy"): _boolean,
    ("x-zdd", "floor"): _number,
    ("x-zdd", "replicas"): _number,
    ("x-zdd", "surge"): _number,
    ("x-zdd", "cells"): _number,
    ("x-zdd", "exposures", "*", "target"): _number,
}
_CASTS: dict[tuple[str, ...], Callable[[str], Any]] = {
    **{("services", "*", *path): cast for path, cast in _SERVICE.items()},
    **{(section, "*", "external"): _boolean for section in ("networks", "volumes", "secrets", "configs")},
    ("networks", "*", "internal"): _boolean,
    ("networks", "*", "attachable"): _boolean,
}


def interpolate(document: Document, variables: Mapping[str, str]) -> Document:
    """Return the document with its variables replaced, and what they stand for as the type that is wanted there.

    Raises:
        ConfigurationError: A variable has no value and no default, or the form is not known; says where.
    """

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return _text(document, value, path, variables)
        if isinstance(value, dict):
            return {key: walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*path, number)) for number, each in enumerate(value)]
        return value

    return Document(document.name, walk(document.data, ()), document.places)


def _text(document: Document, text: str, path: Path, variables: Mapping[str, str]) -> Any:
    if "$" not in text:
        return text

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, how, what = match["named"] or match["braced"], match["how"], match["what"]
        if name is None:
            found = text[match.start() : match.start() + 30]
            raise document.refusal(
                path, f"{found!r}: write $NAME, ${{NAME}}, ${{NAME:-default}} or ${{NAME:?message}}; $$ is a single $"
            )
        if match["unclear"]:
            # The docker client takes what follows here for a default, with or without braces.
            raise document.refusal(path, f"${name}{match['unclear']}: write ${{{name}}} if that is not its default")
        if how and "-" in how and what and "${" in what:
            raise document.refusal(path, f"${{{name}{how}{what}}}: a default can't hold another variable")
        value = variables.get(name)
        if value is not None and (value or not how or ":" not in how):
            return value
        if how and "-" in how:
            return str(what)
        if how:
            raise document.refusal(path, f"variable {name} has no value: {what or 'it is needed'}")
        raise document.refusal(path, f"variable {name} is not set: set it, or write ${{{name}:-}} if it may be empty")

    made = _VARIABLE.sub(replaced, text)
    cast = _cast_for(path) if made != text else None
    if cast is None:
        return made
    try:
        return cast(made)
    except ValueError as error:
        raise document.refusal(path, f"{_dotted(path)}: {error}") from None


def _cast_for(path: Path) -> Callable[[str], Any] | None:
    for pattern, cast in _CASTS.items():
        if len(pattern) == len(path) and all(one in ("*", part) for one, part in zip(pattern, path, strict=True)):
            return cast
    return None


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
