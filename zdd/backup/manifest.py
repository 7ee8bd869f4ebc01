"""What one backup consists of. Written last, so that a backup without a manifest is none."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from typing import Any

from attrs import asdict, frozen

from zdd.errors import BackupError
from zdd.wording import printable

FORMAT = 1
"""The number of the format of a backup. One that an older zdd would misread gets the next number."""

ID = re.compile(r"[a-z0-9][a-zA-Z0-9._-]{0,120}")


NAMED_AFTER = "%Y%m%dt%H%M%S"
"""What the id of a backup begins with: when it was begun."""


@frozen
class Part:
    """The data of one source.

    Attributes:
        source: The source's name.
        file: What the store keeps it under.
        plain_bytes: How long the data are.
        plain_sha256: Their checksum.
        stored_bytes: How long they are as kept: compressed, and encrypted if a key was given.
        stored_sha256: The checksum of that.
        position: How far the data were by their own account, such as a log position; empty: not known.
    """

    source: str
    file: str
    plain_bytes: int
    plain_sha256: str
    stored_bytes: int
    stored_sha256: str
    position: str = ""


@frozen
class Manifest:
    """What one backup consists of.

    Attributes:
        id: Unique in its store.
        service: The service's name.
        version: What served when it was made; empty if nothing did.
        deployments: The ids of the deployments that it was made for: one, and those that went on with it.
        made_s: When it was begun, in seconds since the epoch.
        encrypted: Whether a key is needed.
        parts: One for each source, in order.
    """

    id: str
    service: str
    version: str
    deployments: tuple[str, ...]
    made_s: float
    encrypted: bool
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        made = dt.datetime.fromtimestamp(self.made_s, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        size = sum(part.plain_bytes for part in self.parts)
        what = ", ".join(printable(part.source) for part in self.parts)
        return f"{self.id}  {what} of {self.service} {printable(self.version)}, {size:,} bytes, {made}"

    @property
    def file(self) -> str:
        """What the store keeps it under."""
        return manifest_file(self.service, self.id)

    def to_bytes(self) -> bytes:
        """Return it as JSON, with a checksum of its own."""
        body = json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)
        return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "backup": body}).encode()


@frozen
class DamagedBackup:
    """One that can't be restored, because its manifest can't be read. It is listed, or it would be missed too late.

    Attributes:
        id: By its file's name.
        service: The service's name.
        file: What the store keeps its manifest under.
        path: Where that is, as far as the store can say.
        why: What is wrong with it.
        made_s: When it was begun, by its name, in seconds since the epoch; 0: the name does not tell.
    """

    id: str
    service: str
    file: str
    path: str
    why: str
    made_s: float

    def __str__(self) -> str:
        fix = "put the file back from a copy, or delete it"
        return f"{self.id}  DAMAGED, it can't be restored: {printable(self.why)}; {printable(self.path)}: {fix}"


def damaged_backup(file: str, path: str, why: str) -> DamagedBackup:
    """Return what is known of a backup whose manifest can't be read: what its name tells."""
    service, _, name = file.rpartition("/")
    id = name.removesuffix(".json")  # noqa: A001 - what it is called everywhere
    try:
        made_s = dt.datetime.strptime(id.partition("-")[0], NAMED_AFTER).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        made_s = 0.0
    return DamagedBackup(id, service, file, path, why, made_s)


def manifest_file(service: str, backup: str) -> str:
    """Return what the store keeps a manifest under."""
    return f"{service}/{backup}.json"


def read_manifest(data: bytes, file: str) -> Manifest:
    """Return the manifest.

    Raises:
        BackupError: It is damaged, or was written in a format that this version does not know.
    """
    try:
        outer = json.loads(data)
        body = outer["backup"]
        if hashlib.sha256(body.encode()).hexdigest() != outer["sha256"]:
            raise BackupError(f"{file} is damaged: its checksum is another one")
        fields: dict[str, Any] = json.loads(body)
        number = fields.pop("format")
        if number != FORMAT:
            raise BackupError(f"{file} has format {number}, this zdd knows only {FORMAT}: use a newer one")
        parts = tuple(Part(**part) for part in fields.pop("parts"))
        manifest = Manifest(parts=parts, deployments=tuple(fields.pop("deployments")), **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{file} is no manifest of a backup: {type(error).__name__}: {error}") from None
    if manifest.file != file:
        raise BackupError(f"{file} says that it is {manifest.file}: it was moved or altered")
    return manifest
