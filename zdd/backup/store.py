"""Where backups are kept."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from zdd.atomic_file import HALF_WRITTEN, write_atomically
from zdd.backup.source import CHUNK_BYTES
from zdd.errors import BackupError, ConfigurationError
from zdd.model.names import path_text

_NAME = re.compile(r"[a-z0-9][a-zA-Z0-9._-]*(/[a-z0-9][a-zA-Z0-9._-]*)?")


class Store(Protocol):
    """Keeps named streams of bytes. A user's own, for an object store say, is a frozen attrs class like a source.

    Names have at most one slash and are legal file names.
    """

    def check(self) -> None:
        """Raise `ConfigurationError` if nothing can be kept here. Change nothing that matters."""

    def write(self, name: str, data: Iterable[bytes]) -> None:
        """Keep the data durably under this name before returning, all of them or nothing; replace what was there.

        An exception that `data` raises leaves nothing either.

        Raises:
            BackupError: They can't be kept, for example because there is no room.
        """

    def read(self, name: str) -> Iterator[bytes]:
        """Yield what is kept under this name.

        Raises:
            BackupError: There is no such thing, or it can't be read.
        """

    def names(self) -> tuple[str, ...]:
        """Return the names that something is kept under, sorted."""

    def delete(self, name: str) -> None:
        """Forget what is kept under this name. A name that isn't there is already forgotten."""


def _absolute(value: str | Path) -> str:
    return str(Path(path_text("directory of backups", value)).absolute())


@frozen
class DirectoryStore:
    """Keeps backups as files of a directory, readable only by their owner.

    Attributes:
        directory: Made when the first backup is. Keep it on another disk than the data.
    """

    directory: str = field(converter=_absolute)

    def check(self) -> None:
        """Raise `ConfigurationError` if the directory can't be made or written."""
        try:
            nearest = next(path for path in (Path(self.directory), *Path(self.directory).parents) if _is_there(path))
        except OSError as error:
            raise ConfigurationError(f"backups can't be kept in {self.directory}: {error.strerror}") from error
        if not nearest.is_dir():
            raise ConfigurationError(f"backups can't be kept in {self.directory}: {nearest} is no directory")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise ConfigurationError(f"backups can't be kept in {self.directory}: {nearest} can't be written")

    def write(self, name: str, data: Iterable[bytes]) -> None:
        """Write beside, flush to disk, and rename. What a killed process left half written in its folder is deleted.

        Raises:
            BackupError: It can't be written; nothing of it is left.
        """
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in path.parent.glob(f".*{HALF_WRITTEN}"):  # one at a time writes there, under the service's lease
                left.unlink(missing_ok=True)
            write_atomically(path, data)
        except OSError as error:
            room = ": make room, or use another directory" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise BackupError(f"{path} can't be written: {error.strerror or error}{room}") from error

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the file.

        Raises:
            BackupError: It is not there, or can't be read.
        """
        path = self._path(name)
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise BackupError(f"{path} can't be read: {error.strerror or error}") from error

    def names(self) -> tuple[str, ...]:
        """Return the files, those half written left out.

        Raises:
            BackupError: The directory can't be read.
        """
        base = Path(self.directory)
        try:
            found = [Path(folder, name) for folder, _, names in os.walk(base, onerror=_raise) for name in names]
        except FileNotFoundError:
            return ()  # nothing was kept yet
        except OSError as error:
            raise BackupError(f"{error.filename or base} can't be read: {error.strerror or error}") from error
        names = [path.relative_to(base).as_posix() for path in found if path.is_file()]
        return tuple(sorted(name for name in names if _NAME.fullmatch(name)))

    def delete(self, name: str) -> None:
        """Delete the file."""
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BackupError(f"{path} can't be deleted: {error.strerror or error}") from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BackupError(f"{name!r} is no name of a backup")
        return Path(self.directory) / name


def _is_there(path: Path) -> bool:
    """Tell whether there is such a thing. Unlike `Path.exists`, it says why where that can't be known."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
