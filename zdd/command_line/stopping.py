"""A signal to stop is an interruption: what is under way is written down, and its lease is given back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

AT_ONCE_AFTER_S = 2.0
"""A signal that comes so long after the first ends the process at once. One that comes earlier belongs to the first:
whoever cancels a job often tells every process of it, and some of them tell each other.
"""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OF_SIGNALS = 128


@define
class Stop:
    """The signal that came first.

    Attributes:
        number: Which one; None: none came.
        at_s: When, by the monotonic clock.
    """

    number: int | None = None
    at_s: float = 0.0

    @property
    def status(self) -> int:
        """The exit status of a process that was stopped by it, as shells have it."""
        return _OF_SIGNALS + (self.number or signal.SIGINT)

    def __str__(self) -> str:
        return "SIGTERM" if self.number == signal.SIGTERM else "Ctrl-C"

    def hear(self, number: int, _frame: object) -> None:
        """Interrupt the main thread, the first time."""
        if self.number is None:
            self.number, self.at_s = number, time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() > self.at_s + AT_ONCE_AFTER_S:
            os._exit(self.status)


@contextmanager
def heeding_signals() -> Iterator[Stop]:
    """Raise `KeyboardInterrupt` at SIGTERM as at Ctrl-C, once. A signal that the shell has ignored stays ignored."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals are the main thread's
        return
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, stop.hear)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
