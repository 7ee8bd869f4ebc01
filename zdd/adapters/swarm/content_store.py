"""Secrets and configs that change: each content is an object of its own in the swarm, named after it.

::

    store = ContentStore()
    token = store.secret("web", "token", Path("token").read_bytes())
    rules = store.config("web", "rules", "allow all", target="/etc/web/rules")
    release = Release("2", Container("registry.example.org/web:2", files=[token, rules]))

Swarm can't change a secret or a config, and what a running container sees must not change either. So a new content
makes a new object, a release names the objects that it runs with, and going back to an earlier release means going
back to its objects. What zdd writes down has their names; values are in the swarm alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.connection import TIMEOUT_S, NameTaken
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.mounted_file import MountedFile, sources_of, with_files
from zdd.adapters.swarm.observed import seconds
from zdd.errors import AdapterError, ConfigurationError, PermanentError, TemporaryError
from zdd.model.names import check_name

Json = dict[str, Any]
Kind = Literal["secret", "config"]

BYTES_MAX = 500_000
"""Swarm's own limit."""

UNUSED_S = 3600.0
"""An object that no release has ever used stays this long: its deployment may be about to begin. In seconds."""

_HASH_LENGTH = 12
_NAME = re.compile(r"[a-zA-Z0-9._-]+")


class ContentStore:
    """Keeps contents in the swarm.

    Args:
        *docker_hosts: As `SwarmOrchestrator` takes them.
        timeout_s: Seconds that it gets to answer.
    """

    def __init__(self, *docker_hosts: str | Endpoint | None, timeout_s: float = TIMEOUT_S) -> None:
        self._engine = Engine(*docker_hosts, timeout_s=timeout_s)

    def close(self) -> None:
        """Close the connections to the Engine."""
        self._engine.close()

    def secret(
        self,
        service: str,
        name: str,
        value: bytes | str,
        *,
        target: str | None = None,
        user: int = 0,
        group: int = 0,
        mode: int = 0o444,
        template_driver: str = "",
    ) -> MountedFile:
        """Keep a secret, unless one of this service and name has this value already. No running container changes.

        The name ends with a slow hash with a salt that stays in the swarm: from the name nobody can try values.

        Args:
            service: The zdd service that needs it. It is removed with the last revision that does.
            name: What it is, for example ``token``.
            value: Its content.
            target: The file in the container; None: ``/run/secrets/<name>``.
            user: Whose file it is, as a number.
            group: Whose file it is, as a number.
            mode: The file's permissions.
            template_driver: What fills the content in for each task, such as ``golang``; empty: nothing.

        Raises:
            ConfigurationError: A name is illegal, or the value is empty or too long. The message has not the value.
            AdapterError: The swarm can't be asked, or refuses.
        """
        data = _bytes("secret", service, name, value)
        named = _named_by(data, template_driver)
        for one in self._engine.secrets(f"{labels.SERVICE}={service}", f"{labels.CONTENT}={name}"):
            salt = (one["Spec"].get("Labels") or {}).get(labels.SALT, "")
            if hmac.compare_digest(str(one["Spec"]["Name"]), _object_name(service, name, _slow_hash(named, salt))):
                return MountedFile("secret", str(one["Spec"]["Name"]), target or name, user, group, mode)
        salt = secrets.token_hex(16)
        made = _object_name(service, name, _slow_hash(named, salt))
        file = MountedFile("secret", made, target or name, user, group, mode)
        described = {labels.SERVICE: service, labels.CONTENT: name, labels.SALT: salt}
        self._engine.create_object("secret", made, _specification(described, template_driver), data)
        return file

    def config(
        self,
        service: str,
        name: str,
        value: bytes | str,
        *,
        target: str | None = None,
        user: int = 0,
        group: int = 0,
        mode: int = 0o444,
        template_driver: str = "",
    ) -> MountedFile:
        """Keep a config, unless there is one with this content. No running container changes.

        Args, errors: As for `secret`. The target is ``/<name>`` if none is stated.
        """
        data = _bytes("config", service, name, value)
        made = _object_name(service, name, hashlib.sha256(_named_by(data, template_driver)).hexdigest()[:_HASH_LENGTH])
        file = MountedFile("config", made, target or f"/{name}", user, group, mode)
        try:
            described = {labels.SERVICE: service, labels.CONTENT: name}
            self._engine.create_object("config", made, _specification(described, template_driver), data)
        except NameTaken:
            there = [one["Spec"] for one in self._engine.configs() if one["Spec"]["Name"] == made]
            if not any(base64.b64decode(spec.get("Data") or "") == data for spec in there):
                raise TemporaryError(f"config {made} is there with another content, or was just removed") from None
        return file

    def forget(self, service: str) -> None:
        """Remove every secret and config of a service that is not there any more. Those in use stay.

        After it no earlier release that used them can be gone back to.

        Raises:
            AdapterError: The swarm can't be asked.
        """
        remove_contents(self._engine, contents(self._engine, service))


def _named_by(data: bytes, template_driver: str) -> bytes:
    """Return what the name of an object is made of."""
    return data if not template_driver else template_driver.encode() + b"\0" + data


def _specification(described: Mapping[str, str], template_driver: str) -> Json:
    filled_in = {"Templating": {"Name": template_driver}} if template_driver else {}
    return {"Labels": dict(described), **filled_in}


def contents(engine: Engine, service: str) -> dict[tuple[str, str], Json]:
    """Return kind and name → object, of every secret and config that a store keeps for a service."""
    own = (f"{labels.SERVICE}={service}", labels.CONTENT)
    kinds = (("secret", engine.secrets(*own)), ("config", engine.configs(*own)))
    return {(kind, str(one["Spec"]["Name"])): one for kind, found in kinds for one in found}


def superfluous(
    found: dict[tuple[str, str], Json],
    needed: Collection[tuple[str, str]],
    dropped: Collection[tuple[str, str]],
    now_s: float,
) -> dict[tuple[str, str], Json]:
    """Return what nobody needs any more: only dropped revisions did, or nobody since it was made long ago."""

    def goes(key: tuple[str, str]) -> bool:
        return key not in needed and (key in dropped or now_s - seconds(found[key]["CreatedAt"]) > UNUSED_S)

    return {key: one for key, one in found.items() if goes(key)}


def check_files(engine: Engine, service: str, files: Iterable[MountedFile]) -> None:
    """Look whether all are in the swarm.

    Raises:
        ConfigurationError: One is not, or the swarm can't be asked.
    """
    try:
        _ids(engine, service, files)
    except AdapterError as error:
        raise ConfigurationError(str(error)) from error


def mount(engine: Engine, service: str, spec: Json, files: Iterable[MountedFile]) -> None:
    """Put files into a Swarm specification.

    Raises:
        PermanentError: One is not in the swarm.
    """
    with_files(spec["TaskTemplate"]["ContainerSpec"], files, _ids(engine, service, files))


def _ids(engine: Engine, service: str, files: Iterable[MountedFile]) -> dict[tuple[str, str], str]:
    """Return kind and name → id. Nothing is asked if there are no files."""
    wanted = {(file.kind, file.source) for file in files}
    found: dict[tuple[str, str], str] = {}
    for kind, listed in (("secret", engine.secrets), ("config", engine.configs)):
        if any(one == kind for one, _ in wanted):
            found |= {(kind, str(one["Spec"]["Name"])): str(one["ID"]) for one in listed()}
    for kind, name in sorted(wanted - set(found)):
        raise PermanentError(
            f"{kind} {name} of {service} is not in the swarm: keep it there with ContentStore().{kind}({service!r}, …) "
            "and name what that returns"
        )
    return found


def clean_contents(engine: Engine, service: str, kept: Iterable[Json], dropped: Iterable[Json]) -> None:
    """Remove what no revision of a service needs any more; nothing is asked if none has files.

    Args:
        engine: Where they are.
        service: The service's name.
        kept: The specifications of what runs and of what is kept.
        dropped: Those of the revisions that were just given up.
    """
    needed = {source for spec in kept for source in sources_of(spec)}
    gone = {source for spec in dropped for source in sources_of(spec)}
    if needed | gone:
        remove_contents(engine, superfluous(contents(engine, service), needed, gone, time.time()))


def remove_contents(engine: Engine, objects: Mapping[tuple[str, str], Json]) -> None:
    """Remove objects. What somebody uses all the same stays: Swarm refuses."""
    for (kind, _), one in objects.items():
        try:
            (engine.remove_secret if kind == "secret" else engine.remove_config)(one["ID"])
        except AdapterError:
            continue  # it is in use; there is another time


def _bytes(kind: Kind, service: str, name: str, value: bytes | str) -> bytes:
    check_name("service", service)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(f"{kind} name {name!r} of {service}: use letters, digits, dots, dashes, underscores")
    if not isinstance(value, bytes | str):
        raise ConfigurationError(f"{kind} {name} of {service}: give its content as bytes or text")
    data = value.encode() if isinstance(value, str) else value
    if not 0 < len(data) <= BYTES_MAX:
        raise ConfigurationError(f"{kind} {name} of {service} has {len(data)} bytes: Swarm takes 1 to {BYTES_MAX}")
    return data


def _object_name(service: str, name: str, content: str) -> str:
    return f"{service}_{name}-{content}"


def _slow_hash(data: bytes, salt: str) -> str:
    return hashlib.scrypt(data, salt=salt.encode(), n=2**14, r=8, p=1, dklen=_HASH_LENGTH // 2).hex()
