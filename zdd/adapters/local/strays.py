"""What is left of a program whose supervisor was killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from zdd.adapters.local.supervisor import MARKER

_ROUNDS_MAX = 10  # each ends what the one before had not seen yet, such as a child made in between


def find_strays(directory: Path) -> list[int]:
    """Return the ids of the processes that came of the program supervised in this directory.

    They are known by the environment they were started with, so one that wiped it is not found.
    """
    mark = f"{MARKER}={directory}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or belongs to somebody else
        if mark in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def end_strays(directory: Path) -> None:
    """Kill them. Only to be called when the supervisor is dead: nobody is left to end them politely."""
    for _ in range(_ROUNDS_MAX):
        strays = find_strays(directory)
        if not strays:
            return
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
