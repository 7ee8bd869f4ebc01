"""A source: a directory tree."""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import stat
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from attrs import field, frozen

from zdd.backup.sealing import ChunkReader
from zdd.backup.source import CHUNK_BYTES
from zdd.backup.tricks import leads_out, refuse_tricks, refuse_tricks_in
from zdd.errors import BackupError, ConfigurationError
from zdd.model.names import path_text

_BLOCK = tarfile.BLOCKSIZE


def _absolute(value: str | Path) -> str:
    return str(Path(path_text("directory of Files", value)).absolute())


@frozen
class Files:
    """A directory with everything in it: regular files, directories and symbolic links that stay inside.

    A file that changes while it is read ends the backup: it would be neither the old nor the new one. For a database
    use `CommandOutput` with its own dump.

    Attributes:
        directory: Replaced as a whole when it is restored; it may not be a mount point.
        title: What a person calls it. Empty: the directory.
    """

    directory: str = field(converter=_absolute)
    title: str = field(default="", kw_only=True)

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.title or self.directory

    @property
    def repeats(self) -> bool:
        """The same tree gives the same bytes."""
        return True

    def check(self) -> None:
        """Raise `ConfigurationError` if the directory can't be read or its parent can't be written."""
        path = Path(self.directory)
        if not path.is_dir() or path.is_symlink():
            raise ConfigurationError(f"{self.directory} can't be backed up: it is no directory")
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigurationError(f"{self.directory} can't be backed up: it can't be read")
        if os.path.ismount(path):
            raise ConfigurationError(f"{self.directory} can't be replaced, it is a mount point: name a directory in it")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ConfigurationError(f"{self.directory} could not be restored: {path.parent} can't be written")

    def position(self) -> str:
        """Files have no log."""
        return ""

    def save(self) -> Iterator[bytes]:
        """Yield a tar stream, in the order of the names.

        Raises:
            BackupError: Something can't be read, changes meanwhile, or is neither file, directory nor link.
        """
        base = Path(self.directory)
        try:
            for path in _walk(base):
                yield from _member(base, path)
        except OSError as error:
            raise BackupError(f"{error.filename or base} can't be read: {error.strerror or error}") from error
        yield b"\0" * (2 * _BLOCK)

    def examine(self, data: Iterable[bytes]) -> None:
        """Raise `BackupError` if `load` would refuse these data."""
        refuse_tricks_in(data)

    def load(self, data: Iterable[bytes]) -> None:
        """Put the tree beside the directory, then exchange them.

        Raises:
            BackupError: A name leads out of the directory, or something can't be written. Nothing was replaced.
        """
        base = Path(self.directory)
        fresh = base.with_name(f".{base.name}.restoring-{uuid.uuid4().hex[:8]}")
        _sweep(base)
        try:
            fresh.mkdir(mode=0o700)
            _unpack(data, fresh)
            old = base.with_name(f".{base.name}.replaced-{uuid.uuid4().hex[:8]}")
            if base.exists():
                base.rename(old)
            fresh.rename(base)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise BackupError(f"{base} could not be replaced: {error.strerror or error}: {_now(base)}") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _now(base: Path) -> str:
    return "it is as it was" if base.exists() else f"it lies beside as .{base.name}.replaced-…"


def _sweep(base: Path) -> None:
    """Clear away what an interrupted attempt left; what was replaced comes back if nothing took its place."""
    for path in base.parent.glob(f".{base.name}.restoring-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in base.parent.glob(f".{base.name}.replaced-*"):
        if base.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.rename(base)


def _walk(base: Path) -> Iterator[Path]:
    """Yield everything in the tree, parents first, in the order of the names; the directory itself comes first."""
    yield base
    for path in sorted(base.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _member(base: Path, path: Path) -> Iterator[bytes]:
    found = path.lstat()
    inside = path.relative_to(base).as_posix()
    info = tarfile.TarInfo(inside)
    info.mode, info.uid, info.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    info.mtime = found.st_mtime_ns // 10**9  # whole seconds come back exactly as they were
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        if leads_out(posixpath.join(posixpath.dirname(inside), info.linkname)):
            raise BackupError(f"{path} is a link that leads out of {base}: it can't be restored safely, remove it")
    elif stat.S_ISREG(found.st_mode):
        info.size = found.st_size
    else:
        raise BackupError(f"{path} is neither a file, a directory nor a link: it can't be backed up, remove it")
    yield info.tobuf(tarfile.PAX_FORMAT)
    if stat.S_ISREG(found.st_mode):
        yield from _content(path, found)


def _content(path: Path, found: os.stat_result) -> Iterator[bytes]:
    left = found.st_size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
        now = os.fstat(file.fileno())
    if left or (now.st_size, now.st_mtime_ns, now.st_ino) != (found.st_size, found.st_mtime_ns, found.st_ino):
        raise BackupError(
            f"{path} changed while it was read: stop what writes it, or use CommandOutput with a dump of its own"
        )
    yield b"\0" * (-found.st_size % _BLOCK)


def _unpack(data: Iterable[bytes], base: Path) -> None:
    """Write the tree into an empty directory. Links come last, so that nothing is ever written through one."""
    links: list[tarfile.TarInfo] = []
    folders: list[tarfile.TarInfo] = []
    try:
        reader = cast("tarfile._Fileobj", ChunkReader(data))
        with tarfile.open(fileobj=reader, mode="r|", format=tarfile.PAX_FORMAT) as archive:
            for member in archive:
                refuse_tricks(member)
                if member.isdir():
                    (base / member.name).mkdir(mode=0o700, parents=True, exist_ok=True)
                    folders.append(member)
                elif member.issym():
                    links.append(member)
                else:
                    _write_file(archive, member, base)
    except tarfile.TarError as error:
        raise BackupError(f"what was kept is no tree of files: {error}") from None
    for member in links:
        (base / member.name).symlink_to(member.linkname)
        _own(base / member.name, member)
        os.utime(base / member.name, (member.mtime, member.mtime), follow_symlinks=False)
    for member in reversed(folders):
        _dress(base / member.name, member)


def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, base: Path) -> None:
    path = base / member.name
    source = archive.extractfile(member)
    if source is None:
        raise BackupError(f"what was kept has nothing for {member.name!r}")
    with source, path.open("xb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)
        file.flush()
        os.fsync(file.fileno())
    _dress(path, member)


def _dress(path: Path, member: tarfile.TarInfo) -> None:
    _own(path, member)
    path.chmod(member.mode)
    os.utime(path, (member.mtime, member.mtime))


def _own(path: Path, member: tarfile.TarInfo) -> None:
    with contextlib.suppress(PermissionError):  # only root may give files away; to others they belong anyway
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
