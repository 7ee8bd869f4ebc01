"""The real clock."""

from __future__ import annotations

import threading
import time


class SystemClock:
    """Seconds since the epoch, by a clock that never goes back within one process: wall time read once, then steady."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self._woken = threading.Event()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._offset_s + time.monotonic()

    def wait(self, until_s: float) -> None:
        """Return at that time, or earlier if `wake` is called; at once if it was called since the last wait."""
        self._woken.wait(min(max(0.0, until_s - self.now()), threading.TIMEOUT_MAX))
        self._woken.clear()

    def wake(self) -> None:
        """End the wait that is under way, or the next one."""
        self._woken.set()
