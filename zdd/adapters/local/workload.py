"""What the local orchestrator can run, and what it refuses before anything is touched."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from zdd.adapters.local.program import base_environment
from zdd.errors import ConfigurationError
from zdd.model.release import Process, Specification


def read_workload(workload: Specification) -> Process:
    """Return the process that the workload describes.

    Raises:
        ConfigurationError: It describes something else, or not fully.
    """
    kind = workload.get("kind")
    if kind != "process":
        raise ConfigurationError(f"workload of kind {kind!r}: local processes need a zdd Process(...), kind 'process'")
    environment, command = workload.get("environment") or {}, workload.get("command")
    if not isinstance(command, list | tuple) or not isinstance(environment, dict):
        raise ConfigurationError(
            f"workload of kind {kind!r}: command must be a list of words, environment a mapping of text to text"
        )
    return Process(command=command, environment=environment, directory=workload.get("directory"))


def check_process(process: Process) -> None:
    """Check that it could run here and now.

    Raises:
        ConfigurationError: Its environment sets what zdd sets, or its directory or program isn't there.
    """
    for name in process.environment:
        if name == "PORT" or name.startswith(("PORT_", "ZDD_")):
            raise ConfigurationError(
                f"environment variable {name} is set by zdd for each instance: remove it, or use another name"
            )
    try:
        _check_command(process, _check_directory(process.directory))
    except OSError as error:  # a name that is too long, or somebody else's directory on the way
        raise ConfigurationError(f"{error.filename}: {error.strerror}: use another path") from error


def check_interpreter() -> None:
    """Check that supervisors can be started.

    Raises:
        ConfigurationError: This is not Linux, or nobody knows where the Python interpreter is.
    """
    if sys.platform != "linux":
        raise ConfigurationError(f"local processes need Linux, this is {sys.platform}: use another orchestrator")
    if not sys.executable or not os.access(sys.executable, os.X_OK):
        raise ConfigurationError(
            f"the Python interpreter {sys.executable!r} can't be started, and each local process is supervised by one: "
            "run zdd by an interpreter of its own"
        )


def check_writable(state_directory: Path) -> None:
    """Check that the state directory can be written, or made.

    Raises:
        ConfigurationError: It can't.
    """
    existing = state_directory.absolute()
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        raise ConfigurationError(f"state directory {state_directory}: {existing} is not a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"state directory {state_directory}: no permission to write in {existing}: "
            "use another directory, or give this user the permission"
        )


def _check_directory(text: str | None) -> Path | None:
    if text is None:
        return None
    directory = Path(text)
    if not directory.is_absolute():
        raise ConfigurationError(
            f"working directory {text!r} is relative, and a later deployer may run elsewhere: "
            f"use {str(directory.absolute())!r}"
        )
    if not directory.is_dir():
        raise ConfigurationError(f"working directory {text}: there is no such directory")
    if not os.access(directory, os.X_OK):
        raise ConfigurationError(f"working directory {text}: no permission to enter it")
    return directory


def _check_command(process: Process, directory: Path | None) -> None:
    program = process.command[0]
    if "/" not in program:
        path = {**base_environment(), **process.environment}["PATH"]
        if shutil.which(program, path=path) is None:
            raise ConfigurationError(
                f"command {program!r}: no such program in PATH ({path}): install it, or use its path"
            )
        return
    if not program.startswith("/") and directory is None:
        raise ConfigurationError(
            f"command {program!r} is relative, but there is no working directory: "
            "set directory, or use the program's whole path"
        )
    where = (directory or Path("/")) / program
    if not where.exists():
        raise ConfigurationError(f"command {program!r}: there is no file {where}")
    if where.is_dir() or not os.access(where, os.X_OK):
        raise ConfigurationError(f"command {program!r}: {where} is not executable: use chmod +x, or another program")
