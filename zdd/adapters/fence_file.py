"""Fencing for adapters whose state is a directory: the greatest token accepted so far, kept in a locked file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdd.errors import LeaseLost, PermanentError
from zdd.interfaces import Fence


class FenceFile:
    """Serialises the writes to one service, and refuses those of a deployer that has lost its lease."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def guard(self, service: str, fence: Fence) -> Iterator[None]:
        """Hold the file's lock while the block writes.

        Raises:
            LeaseLost: A greater token was accepted before.
            PermanentError: The file can't be written.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PermanentError(f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            accepted = int(os.pread(handle, 32, 0) or b"0")
            if fence.token < accepted:
                raise LeaseLost(f"a newer deployer has taken over {service} (token {accepted}, ours is {fence.token})")
            if fence.token > accepted:
                os.pwrite(handle, b"%032d" % fence.token, 0)  # one write of fixed length: never half a number
                os.fsync(handle)
            yield
        finally:
            os.close(handle)
