"""Fencing for adapters whose state is a directory: the greatest token accepted so far, kept in a locked file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdd.errors import LeaseLost, PermanentError, TemporaryError
from zdd.interfaces import Fence

_LOCK_PATIENCE_S = 10.0
_LOCK_POLL_S = 0.002
_TOKEN_DIGITS = 32


class FenceFile:
    """Serialises the writes to one service, and refuses those of a deployer that has lost its lease."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def guard(self, service: str, fence: Fence) -> Iterator[None]:
        """Hold the file's lock while the block writes.

        Raises:
            LeaseLost: A greater token was accepted before.
            PermanentError: The file can't be written, or is damaged.
            TemporaryError: Somebody else held the lock for too long.
        """
        handle = self._open()
        try:
            self._lock(handle, _LOCK_PATIENCE_S)
            self._accept(handle, service, fence)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def hold(self, patience_s: float = _LOCK_PATIENCE_S) -> Iterator[None]:
        """Hold the file's lock without a token: for tidying up, which is right whoever does it.

        Raises:
            PermanentError: The file can't be written.
            TemporaryError: Somebody else held the lock for longer than `patience_s` seconds.
        """
        handle = self._open()
        try:
            self._lock(handle, patience_s)
            yield
        finally:
            os.close(handle)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PermanentError(f"{self._path}: {error.strerror}") from error

    def _lock(self, handle: int, patience_s: float) -> None:
        """Wait for the lock, but not for ever: whoever holds it may have been suspended in the middle of a write."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TemporaryError(f"{self._path} is locked by somebody else's write") from None
                time.sleep(_LOCK_POLL_S)
            except OSError as error:
                raise PermanentError(f"{self._path}: {error.strerror}") from error
            else:
                return

    def _accept(self, handle: int, service: str, fence: Fence) -> None:
        try:
            text = os.pread(handle, _TOKEN_DIGITS + 1, 0)
            if text and not (len(text) == _TOKEN_DIGITS and text.isdigit()):
                raise PermanentError(f"{self._path} is damaged: it should hold a number of {_TOKEN_DIGITS} digits")
            accepted = int(text or b"0")
            if fence.token < accepted:
                raise LeaseLost(f"a newer deployer has taken over {service} (token {accepted}, ours is {fence.token})")
            if fence.token > accepted:
                os.pwrite(handle, b"%0*d" % (_TOKEN_DIGITS, fence.token), 0)  # one short write: never half a number
                os.fsync(handle)
        except OSError as error:
            raise PermanentError(f"{self._path}: {error.strerror}") from error
