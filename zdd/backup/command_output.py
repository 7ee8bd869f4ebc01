"""A source: what a command prints, and another one reads."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

from attrs import field, frozen

from zdd.backup.source import CHUNK_BYTES
from zdd.errors import BackupError, ConfigurationError
from zdd.model.names import command_words, environment_texts, names_only

NOTE_CHARACTERS = 300


def _optional_words(value: Sequence[str] | None) -> tuple[str, ...]:
    return command_words(value) if value else ()


@frozen
class CommandOutput:
    """What a command prints, such as a database's dump; another command reads it and puts it back.

    Both run on the deployer's machine, without a shell, with its environment, until they end by themselves or the
    deployer does. A password belongs in the environment or in a file that the program reads, not in its arguments.

    Attributes:
        name: What a person calls it.
        dump: Prints the data. Exit status 0 means that they are whole.
        restore: Reads the data and replaces what is there by them, as a whole or not at all.
        log_position: Prints how far the data are by their own account, on one line: a log position. None: not known.
        environment: Added to the environment.
    """

    name: str
    dump: tuple[str, ...] = field(converter=command_words)
    restore: tuple[str, ...] = field(converter=command_words)
    log_position: tuple[str, ...] = field(default=(), kw_only=True, converter=_optional_words)
    environment: Mapping[str, str] = field(factory=dict, kw_only=True, converter=environment_texts, repr=names_only)

    @property
    def repeats(self) -> bool:
        """A dump may differ in its order or its comments."""
        return False

    def check(self) -> None:
        """Raise `ConfigurationError` if a program is not there."""
        for words in (self.dump, self.restore, self.log_position):
            if words and shutil.which(words[0], path=self._environment().get("PATH")) is None:
                raise ConfigurationError(f"{self.name} can't be backed up: there is no program {words[0]!r} on PATH")

    def position(self) -> str:
        """Return the last line that the command prints; empty if there is no such command.

        Raises:
            BackupError: It fails.
        """
        if not self.log_position:
            return ""
        with _started(self.log_position, self._environment(), stdin=subprocess.DEVNULL) as (process, errors):
            output, _ = process.communicate()
            _check_end(self.name, self.log_position, process, errors)
        lines = output.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:NOTE_CHARACTERS]

    def save(self) -> Iterator[bytes]:
        """Yield what `dump` prints.

        Raises:
            BackupError: It ends with another status than 0.
        """
        with _started(self.dump, self._environment(), stdin=subprocess.DEVNULL) as (process, errors):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            while chunk := process.stdout.read(CHUNK_BYTES):
                yield chunk
            _check_end(self.name, self.dump, process, errors)

    def load(self, data: Iterable[bytes]) -> None:
        """Give the data to `restore`.

        Raises:
            BackupError: It ends with another status than 0.
        """
        with _started(self.restore, self._environment(), stdin=subprocess.PIPE, output=False) as (process, errors):
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # its status says why it ended
                for chunk in data:
                    pipe.write(chunk)
            _check_end(self.name, self.restore, process, errors)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


@contextlib.contextmanager
def _started(
    words: Sequence[str], environment: Mapping[str, str], *, stdin: int, output: bool = True
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a program; whatever happens, nothing of it runs afterwards."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=stdin,
                stdout=subprocess.PIPE if output else errors,
                stderr=errors,
                start_new_session=True,  # a group of its own, to be killed as a whole
            )
        except OSError as error:
            raise BackupError(f"{words[0]} can't be started: {error.strerror}") from error
        with process:
            try:
                yield process, errors
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


def _check_end(name: str, words: Sequence[str], process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    if process.wait():
        size = errors.seek(0, os.SEEK_END)
        errors.seek(max(0, size - 4 * NOTE_CHARACTERS))
        said = " ".join(errors.read().decode(errors="replace").split())[-NOTE_CHARACTERS:]
        raise BackupError(f"{name}: {words[0]} ended with status {process.returncode}" + (f": {said}" if said else ""))
