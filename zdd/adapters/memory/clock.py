"""A clock of virtual time: waiting costs nothing, and what happens meanwhile happens in a fixed order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from zdd.model.names import check_number

START_S = 1_000_000.0


class MemoryClock:
    """Virtual time in seconds, and the events that are to come in it.

    A `wait` runs whatever is due at the next instant at which something is due, and returns then, so that the waiting
    driver looks again; with nothing due before `until_s` it jumps there. Between two waits no time passes.
    """

    def __init__(self, start_s: float = START_S) -> None:
        check_number("start_s of MemoryClock", start_s, least=0, most=1e11)
        self._now_s = start_s
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._woken = False

    def now(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def call_at(self, at_s: float, callback: Callable[[], None]) -> None:
        """Call it at that time, after everything that was scheduled earlier for the same time.

        A time that has passed means as soon as somebody waits.
        """
        self._number += 1
        heapq.heappush(self._queue, (at_s, self._number, callback))

    def call_after(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call it that many seconds from now."""
        self.call_at(self._now_s + delay_s, callback)

    def wait(self, until_s: float) -> None:
        """Return at once if woken, else after the events of the next instant that has any, else at `until_s`.

        An exception of an event leaves the clock usable and comes out here.

        Raises:
            RuntimeError: `until_s` is infinite and nothing is scheduled: it would never end.
        """
        if self._woken:
            self._woken = False
            return
        queue = self._queue
        if not queue or queue[0][0] > until_s:
            if math.isinf(until_s):
                raise RuntimeError("nothing is scheduled, so a wait without an end would never end")
            self._now_s = max(self._now_s, until_s)
            return
        self._now_s = max(self._now_s, queue[0][0])
        newest = self._number  # an event that schedules another one for this instant can't keep the wait from returning
        later = []
        while queue and queue[0][0] <= self._now_s:
            event = heapq.heappop(queue)
            if event[1] > newest:
                later.append(event)
            else:
                self._run(event[2], later)
        for event in later:
            heapq.heappush(queue, event)
        self._woken = False

    def _run(self, callback: Callable[[], None], later: list[tuple[float, int, Callable[[], None]]]) -> None:
        try:
            callback()
        except BaseException:
            for event in later:
                heapq.heappush(self._queue, event)
            raise

    def wake(self) -> None:
        """End the next wait at once."""
        self._woken = True

    def run_until(self, until_s: float) -> None:
        """Run everything that is due until then, and be there. For people at a notebook, and for tests."""
        while self._queue and self._queue[0][0] <= until_s:
            self._woken = False
            self.wait(until_s)
        self._now_s = max(self._now_s, until_s)

    @property
    def pending(self) -> int:
        """How many events are still to come."""
        return len(self._queue)
