"""The rules of `zdd.interfaces.Clock`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from zdd.interfaces import Clock
from zdd.testing.rules import Make, Rule, demand, opened, try_rules

LONG_S = 20.0
SHORT_S = 0.2
SLACK_S = 1.0


@define(eq=False)
class _Trial:
    clock: Clock
    real: bool

    def waited_s(self, duration_s: float) -> float:
        """Wait, and return how long it took by the clock's own time."""
        before_s = self.clock.now()
        self.clock.wait(before_s + duration_s)
        return self.clock.now() - before_s


def _never_back(trial: _Trial) -> None:
    times = [trial.clock.now() for _ in range(1000)]
    trial.clock.wait(times[-1] - 100.0)
    trial.clock.wait(trial.clock.now() + SHORT_S)
    times.append(trial.clock.now())
    demand(times == sorted(times), "its time went back")


def _returns_at_that_time(trial: _Trial) -> None:
    waited_s = trial.waited_s(SHORT_S)
    demand(SHORT_S - 0.001 <= waited_s <= SHORT_S + SLACK_S, f"a wait of {SHORT_S} s took {waited_s} s")


def _past(trial: _Trial) -> None:
    waited_s = trial.waited_s(-LONG_S)
    demand(waited_s <= SLACK_S, f"a wait for a time that has passed took {waited_s} s")


def _woken_before(trial: _Trial) -> None:
    trial.clock.wake()
    trial.clock.wake()
    waited_s = trial.waited_s(LONG_S)
    demand(waited_s <= SLACK_S, f"a wait of {LONG_S} s after a wake took {waited_s} s")


def _wake_ends_one_wait(trial: _Trial) -> None:
    trial.clock.wake()
    trial.waited_s(LONG_S)
    waited_s = trial.waited_s(SHORT_S)
    demand(waited_s >= SHORT_S - 0.001, f"the wait after the one that was woken took {waited_s} s of {SHORT_S} s")


def _woken_from_a_thread(trial: _Trial) -> None:
    timer = threading.Timer(SHORT_S, trial.clock.wake)
    timer.start()
    waited_s = trial.waited_s(LONG_S)
    timer.join()
    demand(
        waited_s <= SHORT_S + SLACK_S, f"a wait of {LONG_S} s that a thread ended after {SHORT_S} s took {waited_s} s"
    )


def _since_the_epoch(trial: _Trial) -> None:
    off_s = abs(trial.clock.now() - time.time())
    demand(off_s <= SLACK_S, f"it is {off_s} s away from the system's time since the epoch")


def _is_real(trial: _Trial) -> bool:
    return trial.real


CLOCK_RULES: tuple[Rule[_Trial], ...] = (
    Rule("time never goes back", _never_back),
    Rule("a wait returns at its time", _returns_at_that_time),
    Rule("a wait for a time that has passed returns at once", _past),
    Rule("a wait after a wake returns at once", _woken_before),
    Rule("a wake ends one wait", _wake_ends_one_wait),
    Rule("a wake from a thread ends the wait", _woken_from_a_thread, _is_real),
    Rule("it counts seconds since the epoch", _since_the_epoch, _is_real),
)


def check_clock(make: Make[Clock], *, real: bool = True) -> tuple[str, ...]:
    """Try the rules of a clock, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh clock on which nothing is scheduled.
        real: False for a clock of virtual time, whose waits take none.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as clock:
            yield _Trial(clock, real)

    return try_rules("the clock", CLOCK_RULES, trials)
