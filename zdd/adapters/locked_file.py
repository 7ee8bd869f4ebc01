"""Files that one process at a time may have, for adapters whose state is a directory. Nobody waits for ever."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdd.errors import AdapterError, PermanentError, TemporaryError

PATIENCE_S = 10.0
"""How long a lock is waited for. Who holds one needs milliseconds, but may have been suspended in the middle."""

PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""What may be over in a moment: a full disk, and too many open files."""

_POLL_S = 0.002


@contextmanager
def locked(path: Path, patience_s: float = PATIENCE_S) -> Iterator[int]:
    """Hold the lock on a file while the block runs, and give its handle. It is made if it isn't there.

    Raises:
        TemporaryError: Somebody else held it for longer than `patience_s` seconds, or it can't be opened just now.
        PermanentError: It can't be opened or locked.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise file_error(error, path) from error
    try:
        _await_lock(handle, path, patience_s)
        yield handle
    finally:
        os.close(handle)


def _await_lock(handle: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TemporaryError(f"{path} is locked by somebody else's write") from None
            time.sleep(_POLL_S)
        except OSError as error:
            raise file_error(error, path) from error
        else:
            return


def is_locked(path: Path) -> bool:
    """Tell whether somebody has the lock on a file. Nobody has that of one that isn't there.

    Raises:
        TemporaryError, PermanentError: It can't be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise file_error(error, path) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def file_error(error: OSError, path: Path) -> AdapterError:
    """Return what an error of the operating system about a file means."""
    kind = TemporaryError if error.errno in PASSING else PermanentError
    return kind(f"{error.filename or path}: {error.strerror}")
