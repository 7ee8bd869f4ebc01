"""What no tar archive of a directory may have: names and links that lead out of it, devices."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable
from typing import cast

from zdd.backup.sealing import ChunkReader
from zdd.errors import BackupError


def leads_out(name: str) -> bool:
    """Say whether a path, relative to a directory, leads out of it."""
    return name.startswith("/") or posixpath.normpath(name).split("/")[0] == ".."


def refuse_tricks_in(data: Iterable[bytes]) -> None:
    """Read a tar stream. Raise `BackupError` if it is none, or has something that `refuse_tricks` refuses."""
    try:
        with tarfile.open(fileobj=cast("tarfile._Fileobj", ChunkReader(data)), mode="r|") as archive:
            for member in archive:
                refuse_tricks(member)
    except tarfile.TarError as error:
        raise BackupError(f"what was kept is no tree of files: {error}") from None


def refuse_tricks(member: tarfile.TarInfo) -> None:
    """Raise `BackupError` unless it is a file, a directory or a link that stays inside."""
    problem = ""
    if leads_out(member.name):
        problem = f"names {member.name!r}, outside the directory"
    elif member.issym() and leads_out(posixpath.join(posixpath.dirname(member.name), member.linkname)):
        problem = f"has a link to {member.linkname!r}, outside the directory"
    elif not (member.isreg() or member.isdir() or member.issym()):
        problem = f"has {member.name!r}, which is no file, directory or link"
    if problem:
        raise BackupError(f"what was kept {problem}: nothing was replaced")
