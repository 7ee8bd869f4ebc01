"""The real clock: the time of the day, which never goes back, and waits that can be ended."""

from __future__ import annotations

import threading
import time

import pytest

from zdd.clock import SystemClock


def test_it_tells_the_seconds_since_the_epoch():
    before_s = time.time()
    now_s = SystemClock().now()
    assert before_s - 0.1 <= now_s <= time.time() + 0.1


def test_it_does_not_go_back_when_the_time_of_the_day_does(monkeypatch):
    clock = SystemClock()
    before_s = clock.now()
    monkeypatch.setattr(time, "time", lambda: before_s - 3_600)
    assert before_s <= clock.now() < before_s + 60


def test_a_wait_ends_at_its_time():
    clock = SystemClock()
    until_s = clock.now() + 0.1
    clock.wait(until_s)
    assert until_s <= clock.now() < until_s + 5


@pytest.mark.parametrize("late_s", [0.0, 1.0, 1_000_000_000_000.0])
def test_a_time_that_has_passed_is_not_waited_for(late_s):
    clock = SystemClock()
    began_s = time.monotonic()
    clock.wait(clock.now() - late_s)
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize("until_s", [float("inf"), 1e300], ids=["for ever", "almost"])
def test_a_wait_without_an_end_is_ended_from_another_thread(until_s):
    clock = SystemClock()
    threading.Timer(0.05, clock.wake).start()
    began_s = time.monotonic()
    clock.wait(until_s)
    assert time.monotonic() - began_s < 5


def test_being_woken_before_the_wait_ends_that_one_wait_at_once():
    clock = SystemClock()
    clock.wake()
    clock.wake()
    began_s = time.monotonic()
    clock.wait(float("inf"))
    assert time.monotonic() - began_s < 5
    until_s = clock.now() + 0.1
    clock.wait(until_s)
    assert clock.now() >= until_s
