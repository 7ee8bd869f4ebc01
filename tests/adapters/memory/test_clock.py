from __future__ import annotations

import math

import pytest

from zdd.adapters.memory import MemoryClock


def test_a_wait_with_nothing_scheduled_jumps_to_its_end() -> None:
    clock = MemoryClock(100.0)
    clock.wait(160.0)
    assert clock.now() == 160.0


def test_a_wait_runs_what_is_due_next_and_returns_then() -> None:
    clock = MemoryClock(100.0)
    seen: list[float] = []
    clock.call_at(110.0, lambda: seen.append(clock.now()))
    clock.call_at(120.0, lambda: seen.append(clock.now()))
    clock.wait(160.0)
    assert (seen, clock.now()) == ([110.0], 110.0)
    clock.wait(160.0)
    clock.wait(160.0)
    assert (seen, clock.now()) == ([110.0, 120.0], 160.0)


def test_an_event_after_the_end_of_the_wait_does_not_run() -> None:
    clock = MemoryClock(100.0)
    seen: list[str] = []
    clock.call_after(10.0, lambda: seen.append("late"))
    clock.wait(109.0)
    assert (seen, clock.now(), clock.pending) == ([], 109.0, 1)


def test_events_of_one_instant_run_in_the_order_in_which_they_were_scheduled() -> None:
    clock = MemoryClock()
    seen: list[str] = []
    for name in "abc":
        clock.call_after(5.0, lambda name=name: seen.append(name))
    clock.wait(clock.now() + 10)
    assert seen == ["a", "b", "c"]


def test_an_event_that_schedules_itself_for_the_same_instant_does_not_hang_the_wait() -> None:
    clock = MemoryClock(100.0)
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now())
        clock.call_after(0.0, again)

    clock.call_after(1.0, again)
    clock.wait(200.0)
    assert seen == [101.0]
    clock.wait(200.0)
    assert seen == [101.0, 101.0]


def test_wake_ends_the_next_wait_at_once_and_only_that_one() -> None:
    clock = MemoryClock(100.0)
    clock.wake()
    clock.wait(150.0)
    assert clock.now() == 100.0
    clock.wait(150.0)
    assert clock.now() == 150.0


def test_a_wake_during_a_wait_that_returns_for_its_event_does_not_end_the_next_one() -> None:
    clock = MemoryClock(100.0)
    clock.call_after(1.0, clock.wake)
    clock.wait(150.0)
    clock.wait(150.0)
    assert clock.now() == 150.0


def test_time_does_not_go_back() -> None:
    clock = MemoryClock(100.0)
    clock.wait(50.0)
    assert clock.now() == 100.0
    clock.call_at(20.0, lambda: None)
    clock.wait(150.0)
    assert clock.now() == 100.0


def test_an_exception_of_an_event_comes_out_and_the_other_events_stay() -> None:
    clock = MemoryClock(100.0)
    seen: list[str] = []

    def dies() -> None:
        raise KeyboardInterrupt

    clock.call_after(1.0, dies)
    clock.call_after(1.0, lambda: seen.append("after"))
    with pytest.raises(KeyboardInterrupt):
        clock.wait(150.0)
    clock.wait(150.0)
    assert seen == ["after"]


def test_a_wait_that_could_never_end_is_refused() -> None:
    with pytest.raises(RuntimeError, match="never end"):
        MemoryClock().wait(math.inf)


def test_run_until_runs_everything_on_the_way() -> None:
    clock = MemoryClock(100.0)
    seen: list[float] = []
    for delay_s in (1.0, 2.0, 30.0):
        clock.call_after(delay_s, lambda: seen.append(clock.now()))
    clock.run_until(110.0)
    assert (seen, clock.now()) == ([101.0, 102.0], 110.0)
