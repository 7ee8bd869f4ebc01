"""Real time, for trying rules on adapters to real systems."""

from __future__ import annotations

import threading
import time


class RealClock:
    """Seconds since the epoch, by a clock that never goes back."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()
        self._woken = threading.Event()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._offset_s + time.monotonic()

    def wait(self, until_s: float) -> None:
        """Return at that time, or earlier if `wake` is called; at once if it was called since the last wait."""
        while (left_s := until_s - self.now()) > 0:
            if self._woken.wait(min(left_s, threading.TIMEOUT_MAX)):
                break
        self._woken.clear()

    def wake(self) -> None:
        """End the wait that is under way, or the next one."""
        self._woken.set()
