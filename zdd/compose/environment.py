"""The environment of a service: what its files and its own lines say, and what comes from the deployer's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from zdd.compose.document import BYTES_MAX, Document, Path
from zdd.compose.values import optional_pairs, text_list


def environment_of(
    document: Document, at: Path, service: Mapping[str, Any], directory: FilePath, variables: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the variables of a service. One without a value has the deployer's, or None where that has none either.

    Raises:
        ConfigurationError: A file isn't there, leaves the project's folder, or has a line that is none; says where.
    """
    found: dict[str, str | None] = {}
    for name in text_list(service.get("env_file") or []):
        lines = _filled(_lines(document, (*at, "env_file"), directory, name), variables)
        found.update({key: text for key, text in lines.items() if text is not None})
    found.update(_filled(optional_pairs(service.get("environment")), variables))
    for name, text in found.items():
        if not name or "\0" in name or "\0" in (text or ""):
            raise document.refusal(
                (*at, "environment"), f"environment variable {name!r}: give it a name, and plain text"
            )
    return found


def read_inside(document: Document, at: Path, directory: FilePath, name: str) -> bytes:
    """Return what a file in the project's folder has.

    Raises:
        ConfigurationError: It isn't there, or is elsewhere, also if a link leads there; or it can't be read, or has
            more than `BYTES_MAX`.
    """
    path = _inside(document, at, directory, name)
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise document.refusal(at, f"file {name} can't be read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        raise document.refusal(at, f"file {name} has more than {BYTES_MAX:,} bytes")
    return content


def _inside(document: Document, at: Path, directory: FilePath, name: str) -> FilePath:
    """Return the path of a file in the project's folder."""
    if "\0" in name or not name:
        raise document.refusal(at, f"{name!r} is no path")
    path = directory / name
    try:
        real, root = path.resolve(), directory.resolve()
        there = real.is_file()
    except (OSError, RuntimeError) as error:
        raise document.refusal(at, f"file {name} can't be read: {error}") from None
    if not real.is_relative_to(root):
        raise document.refusal(at, f"file {name} is outside of the project's folder {directory}: move it there")
    if not there:
        raise document.refusal(at, f"file {name} is not there: it is looked for in {directory}")
    return real


def _lines(document: Document, at: Path, directory: FilePath, name: str) -> dict[str, str | None]:
    content = read_inside(document, at, directory, name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise document.refusal(at, f"file {name} is no UTF-8") from None
    found: dict[str, str | None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r").lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        key, there, value = stripped.partition("=")
        if not key or any(character in key for character in " \t"):
            raise document.refusal(at, f"{name}:{number}: {stripped[:60]!r} is no NAME=text")
        if there:
            found[key] = value
        else:
            found.pop(key, None)
            found[key] = None
    return found


def _filled(found: Mapping[str, str | None], variables: Mapping[str, str]) -> dict[str, str | None]:
    return {name: variables[name] if not text and name in variables else text for name, text in found.items()}
