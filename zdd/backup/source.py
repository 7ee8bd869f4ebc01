"""What is saved and brought back: the interface of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from zdd.errors import AdapterError, BackupError

CHUNK_BYTES = 1 << 18


class Source(Protocol):
    """Something whose data can be read as a stream of bytes, and be written back from one.

    A source is a frozen attrs class at the top level of a module, so that the journal can keep it and another process
    can restore with it. It holds no secret: name a file or an environment variable that has it.

    It may have a method ``examine(data)``, which raises `BackupError` if `load` would refuse these data. It is asked
    whenever a backup is verified, so that one which can't be put back is refused while everything still runs.
    """

    @property
    def name(self) -> str:
        """What a person calls it, unique within a backup."""

    @property
    def repeats(self) -> bool:
        """Whether saving again, right after loading and with nothing running, gives the very same bytes.

        Then a restore is proven by that. Otherwise it is proven only by what was read and by the source's own word.
        """

    def check(self) -> None:
        """Raise `ConfigurationError` if it can't be saved; the message names the fix. Change nothing."""

    def position(self) -> str:
        """Return how far the data are by their own account, such as a log position; empty if there is no such thing."""

    def save(self) -> Iterator[bytes]:
        """Yield the data, in pieces of any size.

        Raises:
            BackupError: They can't be read as a whole.
        """

    def load(self, data: Iterable[bytes]) -> None:
        """Replace what is there by these data, or leave it as it is.

        Called when nothing of the service runs. It may be called again with the same data after it was interrupted.

        Raises:
            BackupError: It can't; the message says what is there now.
        """


@contextmanager
def failing_as_backup(name: str) -> Iterator[None]:
    """Turn what an adapter raises into what a source does.

    Raises:
        BackupError: What was asked for could not be had, or was refused.
    """
    try:
        yield
    except AdapterError as error:
        raise BackupError(f"{name}: {error}") from error
