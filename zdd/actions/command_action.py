"""An action that is a program."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.action import ActionContext
from zdd.model.names import (
    check_number,
    check_program,
    check_text,
    command_words,
    directory_text,
    environment_texts,
    names_only,
)

NOTE_CHARACTERS = 300


class CommandFailed(Exception):
    """The program of an action ended with another status than 0, or not in time."""


@frozen
class CommandAction:
    """Runs a program, without a shell. Exit status 0 is success; its last line of output is the note in the report.

    It gets the deployer's environment, and ``ZDD_SERVICE``, ``ZDD_DEPLOYMENT``, ``ZDD_FROM_VERSION`` and
    ``ZDD_TO_VERSION``. It may be run again by a deployer that resumes, so it must be safe to run twice.

    Attributes:
        command: The program and its arguments.
        environment: Added to the environment.
        directory: Where it runs; None: where the deployer does.
        title: What a person sees. Empty: the command.
        deadline_s: Seconds within which it must end; then it is killed, with everything that it started.
    """

    command: Sequence[str] = field(converter=command_words)
    environment: Mapping[str, str] = field(factory=dict, kw_only=True, converter=environment_texts, repr=names_only)
    directory: str | None = field(default=None, kw_only=True, converter=directory_text)
    title: str = field(default="", kw_only=True)
    deadline_s: float = field(default=600.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_text("title of CommandAction", self.title)
        check_number(f"deadline_s of {self.name}", self.deadline_s, least=0)

    @property
    def name(self) -> str:
        """What a person sees."""
        return self.title or " ".join(self.command)

    def check(self) -> None:
        """Raise `ConfigurationError` if the program or its directory is not there. Nothing is run."""
        if self.directory is not None and not Path(self.directory).is_dir():
            raise ConfigurationError(f"directory {self.directory} of action {self.name} is not there: create it")
        check_program(f"action {self.name}", self.command, self.directory, self.environment)

    def run(self, context: ActionContext) -> str:
        """Run it once.

        Raises:
            CommandFailed: It ended with another status than 0, or not in time.
            OSError: It can't be started.
        """
        about = {
            "ZDD_SERVICE": context.service,
            "ZDD_DEPLOYMENT": context.deployment,
            "ZDD_FROM_VERSION": context.from_version,
            "ZDD_TO_VERSION": context.to_version,
        }
        with subprocess.Popen(
            self.command,
            cwd=self.directory,
            env={**os.environ, **self.environment, **about},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own, to be killed as a whole
        ) as process:
            try:
                output, _ = process.communicate(timeout=self.deadline_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise CommandFailed(f"did not end within {self.deadline_s:g} s, and was killed") from None
        lines = [line for line in output.splitlines() if line.strip()]
        note = lines[-1].strip()[:NOTE_CHARACTERS] if lines else ""
        if process.returncode:
            raise CommandFailed(f"exit status {process.returncode}" + (f": {note}" if note else ""))
        return note
