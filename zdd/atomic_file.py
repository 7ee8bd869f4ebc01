"""Files that are either the old or the new one, never half of one, whatever dies when."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

HALF_WRITTEN = ".half-written"
"""How the name of a file ends that a writer has not finished, and never will if it was killed."""


def write_atomically(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Replace the file at `path` by one with these bytes: written beside it, flushed to disk, renamed over it.

    An exception that `chunks` raises leaves the old file untouched and nothing beside it.

    Raises:
        OSError: The directory can't be written, or the disk is full. The old file is untouched then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=HALF_WRITTEN)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_half_written(path: Path) -> None:
    """Remove what writers of this file have left beside it that were killed. For who alone may write it now.

    Raises:
        OSError: The directory can't be written.
    """
    for left in path.parent.glob(f".{path.name}.*{HALF_WRITTEN}"):
        left.unlink(missing_ok=True)
