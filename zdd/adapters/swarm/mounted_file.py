"""A secret or a config as a container sees it: a file whose content never changes under one name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from attrs import asdict, frozen

from zdd.errors import ConfigurationError
from zdd.model.names import check_number

Json = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?")
_KEYS = {"secret": ("Secrets", "SecretID", "SecretName"), "config": ("Configs", "ConfigID", "ConfigName")}


@frozen
class MountedFile:
    """A Swarm secret or config, by its name. It has no value, so it can be shown and written down.

    `ContentStore` makes them.

    Attributes:
        kind: ``secret`` or ``config``.
        source: The name of the Swarm object.
        target: The file in the container. A secret's is below ``/run/secrets`` unless it begins with ``/``.
        user: Whose it is, as a number.
        group: Whose it is, as a number.
        mode: Its permissions.

    Raises:
        ConfigurationError: A value is illegal; the message names it.
    """

    kind: Literal["secret", "config"]
    source: str
    target: str
    user: int = 0
    group: int = 0
    mode: int = 0o444

    def __attrs_post_init__(self) -> None:
        if self.kind not in _KEYS:
            raise ConfigurationError(f"kind {self.kind!r} of {self.source}: use secret or config")
        if not isinstance(self.source, str) or not _NAME.fullmatch(self.source):
            raise ConfigurationError(f"name {self.source!r} of a {self.kind}: use at most 64 letters, digits, dots")
        if not isinstance(self.target, str) or not self.target.strip("/") or "\0" in self.target:
            raise ConfigurationError(f"target {self.target!r} of {self.kind} {self.source}: use a file's path")
        limits = {"user": (self.user, 2**32), "group": (self.group, 2**32), "mode": (self.mode, 0o7777)}
        for what, (number, most) in limits.items():
            check_number(f"{what} of {self.kind} {self.source}", number, least=0, most=most, whole=True)

    def data(self) -> Json:
        """Return it as plain data."""
        return asdict(self)


def mounted_files(value: Any) -> tuple[MountedFile, ...]:
    """Return a list of files, or of their plain data, as files.

    Raises:
        ConfigurationError: It is something else, or two have the same target.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"files={value!r}: use a list of what ContentStore().secret(…) returns")
    try:
        found = tuple(one if isinstance(one, MountedFile) else MountedFile(**one) for one in value)
    except TypeError as error:
        raise ConfigurationError(f"files={value!r}: use a list of what ContentStore().secret(…) returns") from error
    places = [(one.kind, one.target) for one in found]
    for place in places:
        if places.count(place) > 1:
            raise ConfigurationError(f"two {place[0]}s have the target {place[1]}: give one of them another")
    return found


def with_files(inside: Json, files: Iterable[MountedFile], ids: Mapping[tuple[str, str], str]) -> None:
    """Put files into a container's specification, in place of those that have the same target there.

    Args:
        inside: Swarm's ``ContainerSpec``. It is changed.
        files: What is added.
        ids: Kind and name → the Swarm object's id.
    """
    for file in files:
        several, identity, name = _KEYS[file.kind]
        others = [one for one in inside.get(several) or [] if (one.get("File") or {}).get("Name") != file.target]
        described = {"Name": file.target, "UID": str(file.user), "GID": str(file.group), "Mode": file.mode}
        added = {"File": described, identity: ids[file.kind, file.source], name: file.source}
        inside[several] = [*others, added]


def sources_of(spec: Json) -> set[tuple[str, str]]:
    """Return the kind and the name of every secret and config that a Swarm specification refers to."""
    inside = spec["TaskTemplate"].get("ContainerSpec") or {}
    return {(kind, str(one[name])) for kind, (several, _, name) in _KEYS.items() for one in inside.get(several) or []}
