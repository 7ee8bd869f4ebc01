"""A process that answers nothing, while its ports stay open and its clients stay connected."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_S = 30.0
POLL_S = 0.002
AT_REST = "TtZX"  # stopped, or ended


def suspend(pid: int) -> None:
    """Stop a process, and return when it has stopped: until then, a thread of it may still answer.

    Raises:
        TimeoutError: A thread of it still runs after a while.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + TIMEOUT_S
    while running := _running_threads(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} was told to stop; {TIMEOUT_S:g} s later its threads {running} still run")
        time.sleep(POLL_S)


def let_go_on(pid: int) -> None:
    """Let it go on where it was."""
    os.kill(pid, signal.SIGCONT)


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """Have a process stopped for a while."""
    try:
        suspend(pid)
        yield
    finally:
        let_go_on(pid)


def _running_threads(pid: int) -> list[int]:
    return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir() if _state(thread) not in AT_REST]


def _state(thread: Path) -> str:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
