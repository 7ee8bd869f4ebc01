"""Every revision whole, kept in Swarm configs: all its cells, and every later rollback to it, run exactly the same."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from attrs import frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.engine import Engine, NameTaken
from zdd.errors import PermanentError

Json = dict[str, Any]

KEPT = 20

_FORMAT = 1
_BYTES_MAX = 500_000  # Swarm's own limit for a config


@frozen
class Record:
    """A revision as it is kept.

    Attributes:
        revision: Its id.
        spec: Its Swarm specification, without what differs between cells.
        base: What the service was found with before zdd changed it; None if zdd made it.
    """

    revision: str
    spec: Json
    base: Json | None


class SwarmRevisions:
    """Reads and writes the records of a service's revisions. A record never changes.

    Args:
        engine: Where they are.
        kept: How many revisions of a service are kept besides those that run.
    """

    def __init__(self, engine: Engine, kept: int = KEPT) -> None:
        self._engine = engine
        self._kept = kept

    def all(self, service: str) -> dict[str, Record]:
        """Return every record of a service by revision, oldest first.

        Raises:
            PermanentError: One is damaged, or was written by a newer zdd.
        """
        found = (_read(config) for config in sorted(self._configs(service), key=lambda one: str(one["CreatedAt"])))
        return {record.revision: record for record in found}

    def keep(self, service: str, record: Record) -> None:
        """Write a record, unless there is one of that revision."""
        content = {"format": _FORMAT, "revision": record.revision, "spec": record.spec, "base": record.base}
        data = json.dumps(content, sort_keys=True).encode()
        if len(data) > _BYTES_MAX:
            raise PermanentError(f"the specification of {service} has {len(data)} bytes, a config {_BYTES_MAX} at most")
        name = "zdd-revision-" + hashlib.sha256(f"{service}\0{record.revision}".encode()).hexdigest()[:32]
        described = {labels.SERVICE: service, labels.REVISION: record.revision}
        try:
            self._engine.create_config(name, data, described)
        except NameTaken:
            return

    def prune(self, service: str, in_use: Collection[str]) -> list[Record]:
        """Remove the oldest records beyond those that are to be kept, but none in use. Return what was removed.

        Raises:
            PermanentError: One of them is damaged, or was written by a newer zdd. None was removed.
        """
        configs = sorted(self._configs(service), key=lambda config: str(config["CreatedAt"]))
        unused = [config for config in configs if config["Spec"]["Labels"][labels.REVISION] not in in_use]
        dropped = unused[: max(0, len(unused) - self._kept)]
        records = [_read(config) for config in dropped]
        for config in dropped:
            self._engine.remove_config(config["ID"])
        return records

    def forget(self, service: str) -> None:
        """Remove every record of a service."""
        for config in self._configs(service):
            self._engine.remove_config(config["ID"])

    def _configs(self, service: str) -> list[Json]:
        return self._engine.configs(f"{labels.SERVICE}={service}", labels.REVISION)


def _read(config: Mapping[str, Any]) -> Record:
    name = config["Spec"]["Name"]
    try:
        content = json.loads(base64.b64decode(config["Spec"].get("Data") or ""))
    except ValueError:
        content = None
    match content:
        case {"format": int(version)} if version != _FORMAT:
            raise PermanentError(f"config {name} has format {version}, this zdd knows {_FORMAT}: use a newer")
        case {"format": int(), "revision": str(revision), "spec": dict(spec), "base": dict() | None as base}:
            return Record(revision, spec, base)
    raise PermanentError(f"config {name}, which keeps a revision, is damaged: it does not hold what zdd wrote")


def images_of_revisions(engine: Engine) -> set[str]:
    """Return the images of every Swarm service, and of every revision that is kept.

    Raises:
        PermanentError: A record is damaged, so that nobody knows what it needs.
    """
    specs = [one["Spec"] for one in engine.services([])]
    for record in map(_read, engine.configs(labels.REVISION)):
        specs += [spec for spec in (record.spec, record.base) if spec]
    inside = [spec["TaskTemplate"].get("ContainerSpec") or {} for spec in specs]
    return {one["Image"] for one in inside if one.get("Image")}
