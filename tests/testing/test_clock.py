from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import MemoryClock
from zdd.clock import SystemClock
from zdd.testing import CLOCK_RULES, ConformanceError, check_clock


def test_the_clock_of_virtual_time_keeps_every_rule_but_those_of_real_time() -> None:
    assert len(check_clock(MemoryClock, real=False)) == len(CLOCK_RULES) - 2


def test_the_real_clock_keeps_every_rule() -> None:
    assert check_clock(SystemClock) == tuple(rule.name for rule in CLOCK_RULES)


class GoesBack(MemoryClock):
    def wait(self, until_s: float) -> None:
        self._now_s = until_s


class ReturnsEarly(MemoryClock):
    def wait(self, until_s: float) -> None:
        super().wait(until_s - 0.1)


class WaitsAtLeastTwoSeconds(MemoryClock):
    def wait(self, until_s: float) -> None:
        super().wait(max(until_s, self.now() + 2.0))


class CanNotBeWoken(MemoryClock):
    def wake(self) -> None:
        pass


class StaysAwake(MemoryClock):
    def wait(self, until_s: float) -> None:
        if not self._woken:
            super().wait(until_s)


class MissesThreads(SystemClock):
    """Hears only a wake that was there before it waits."""

    def wait(self, until_s: float) -> None:
        if not self._woken.is_set():
            until_s = min(until_s, self.now() + 2.0)
            while self.now() < until_s:
                pass
        self._woken.clear()


BROKEN: list[tuple[str, Any, bool]] = [
    ("time never goes back", GoesBack, False),
    ("a wait returns at its time", ReturnsEarly, False),
    ("a wait for a time that has passed returns at once", WaitsAtLeastTwoSeconds, False),
    ("a wait after a wake returns at once", CanNotBeWoken, False),
    ("a wake ends one wait", StaysAwake, False),
    ("a wake from a thread ends the wait", MissesThreads, True),
    ("it counts seconds since the epoch", MemoryClock, True),
]


@pytest.mark.parametrize(("rule", "kind", "real"), BROKEN)
def test_a_clock_that_breaks_a_rule_is_caught_by_it(rule: str, kind: Any, real: bool) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_clock(kind, real=real)
    assert rule in caught.value.broken


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == {rule.name for rule in CLOCK_RULES}
