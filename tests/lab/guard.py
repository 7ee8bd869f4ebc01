"""Ending what a test run has started when the run has gone, however it ended: with -9, too.

A process of its own reads from a pipe what there is, and the kernel closes the pipe when the run's process ends. What
has ended by then is left alone: each process is known by a descriptor, not by its number, which may be another's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

PIPE = "ZDD_LAB_GUARD"
"""The environment variable with the descriptor of the pipe, for a process that this one starts and waits for."""

_lock = threading.Lock()
_pipes: list[int] = []


def guarded_process(pid: int) -> None:
    """See that a process ends with this one, where the kernel can (Linux)."""
    if sys.platform == "linux":
        _tell(_pipe(), {"pid": pid})


def guarded_lab(pid: int, group: str, directory: Path) -> None:
    """See that a lab ends with this process: its first process, its control group, the directory with its state."""
    _tell(_pipe(), {"pid": pid, "group": group, "directory": str(directory)})


def guarded_if_asked(pid: int, group: str, directory: Path) -> None:
    """The same, if the one who has started this process wants it to end with him: ``make lab`` lets a lab stay."""
    if PIPE in os.environ:
        _tell(int(os.environ[PIPE]), {"pid": pid, "group": group, "directory": str(directory)})


def passed_on() -> tuple[dict[str, str], tuple[int, ...]]:
    """Return what a process needs in its environment, and the descriptors, so that what it starts ends with this."""
    if sys.platform != "linux":
        return {}, ()
    pipe = _pipe()
    return {PIPE: str(pipe)}, (pipe,)


def _tell(pipe: int, what: dict[str, object]) -> None:
    os.write(pipe, json.dumps(what).encode() + b"\n")


def _pipe() -> int:
    with _lock:
        if not _pipes:
            reading, writing = os.pipe()
            words = ["setsid", "--fork", sys.executable, str(Path(__file__).resolve())]
            nothing = subprocess.DEVNULL  # whoever reads this process's output need not wait for the guard
            subprocess.run(words, stdin=reading, stdout=nothing, stderr=nothing, check=True, timeout=20)
            os.close(reading)
            _pipes.append(writing)
        return _pipes[0]


def main() -> None:
    """Read what there is; at the end of the pipe, end it, the last one first."""
    found: list[tuple[int, dict[str, str]]] = []
    for line in sys.stdin:
        what = json.loads(line)
        with contextlib.suppress(ProcessLookupError):
            found.append((os.pidfd_open(what["pid"]), what))
    for descriptor, what in reversed(found):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            if "group" in what:
                from engine import stop_lab

                stop_lab(int(what["pid"]), what["group"], Path(what["directory"]))


if __name__ == "__main__":
    main()
