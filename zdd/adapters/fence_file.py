"""Fencing for adapters whose state is a directory: the greatest token accepted so far, kept in a locked file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdd.adapters.locked_file import PATIENCE_S, file_error, locked
from zdd.errors import LeaseLost, PermanentError
from zdd.interfaces import Fence

_TOKEN_DIGITS = 32


class FenceFile:
    """Serialises the writes to one service, and refuses those of a deployer that has lost its lease."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def guard(self, service: str, fence: Fence, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """Hold the file's lock while the block writes.

        Raises:
            LeaseLost: A greater token was accepted before.
            PermanentError: The file can't be written, or is damaged.
            TemporaryError: Somebody else held the lock for longer than `patience_s` seconds.
        """
        with locked(self._path, patience_s) as handle:
            self._accept(handle, service, fence)
            yield

    @contextmanager
    def hold(self, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """Hold the file's lock without a token: for tidying up, which is right whoever does it.

        Raises:
            PermanentError: The file can't be written.
            TemporaryError: Somebody else held the lock for longer than `patience_s` seconds.
        """
        with locked(self._path, patience_s):
            yield

    def _accept(self, handle: int, service: str, fence: Fence) -> None:
        try:
            text = os.pread(handle, _TOKEN_DIGITS + 1, 0)
            if text and not (len(text) == _TOKEN_DIGITS and text.isdigit()):
                raise PermanentError(
                    f"{self._path} is damaged: it should hold a number of {_TOKEN_DIGITS} digits. Nothing was changed; "
                    f"while nobody deploys {service}, delete it: the next deployment makes it again"
                )
            accepted = int(text or b"0")
            if fence.token < accepted:
                raise LeaseLost(f"a newer deployer has taken over {service} (token {accepted}, ours is {fence.token})")
            if fence.token > accepted:
                os.pwrite(handle, b"%0*d" % (_TOKEN_DIGITS, fence.token), 0)  # one short write: never half a number
                os.fsync(handle)
        except OSError as error:
            raise file_error(error, self._path) from error
