"""Which process holds something, told exactly enough to know later whether it is gone."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

_STATE, _STARTED = 0, 19  # fields 3 and 22 of /proc/<pid>/stat, counted from behind the program's name


@frozen
class ProcessMark:
    """A process, told from every other one that ever had or will have its number.

    Attributes:
        machine: Names the running kernel and the space in which process ids count; empty where that isn't known.
        pid: The process id.
        started: When it started, in the kernel's own count.
    """

    machine: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> ProcessMark:
        """Return the mark of this process."""
        pid = os.getpid()
        stat = _stat(pid)
        return cls(_machine(), pid, stat[_STARTED] if stat else "")

    @property
    def is_local(self) -> bool:
        """Whether it can be known from here if the process is gone."""
        return bool(self.machine and self.started and self.machine == _machine())

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended. A process that can't be seen from here is not gone."""
        if not self.is_local:
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass  # it is there, and belongs to another user
        stat = _stat(self.pid)
        return stat is not None and (stat[_STATE] in "ZX" or stat[_STARTED] != self.started)


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Containers on one kernel count their processes apart: number 7 is another process in each.
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
