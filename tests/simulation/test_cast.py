"""Two who act in one virtual time take turns, always the same ones."""

from __future__ import annotations

import threading

import pytest

from zdd.adapters.memory import MemoryClock
from zdd.simulation.cast import Cast


def play():
    clock = MemoryClock(0.0)
    cast, said = Cast(clock), []

    def act(name, pause_s):
        def work(actor):
            for _ in range(3):
                said.append((actor.now(), name))
                actor.sleep(pause_s)

        return work

    cast.enter(act("a", 2.0))
    cast.enter(act("b", 3.0), after_s=1.0)
    cast.run()
    return said


def test_they_act_in_the_order_of_time():
    assert play() == [(0.0, "a"), (1.0, "b"), (2.0, "a"), (4.0, "a"), (4.0, "b"), (7.0, "b")]


def test_one_who_waits_is_woken_and_one_who_sleeps_is_not():
    clock = MemoryClock(0.0)
    cast, said = Cast(clock), []

    def waits(actor):
        actor.wait(100.0)
        said.append(("waited", clock.now()))

    def sleeps(actor):
        actor.sleep(50.0)
        said.append(("slept", clock.now()))

    first, second = cast.enter(waits), cast.enter(sleeps)
    clock.call_after(5.0, lambda: (first.wake(), second.wake())[0])
    cast.run()
    assert said == [("waited", 5.0), ("slept", 50.0)]


def test_an_error_of_one_comes_out_and_no_thread_is_left():
    before = threading.active_count()
    cast = Cast(MemoryClock(0.0))

    def fails(actor):
        raise ValueError("as it was told")

    cast.enter(lambda actor: actor.sleep(1e6))
    cast.enter(fails)
    with pytest.raises(ValueError, match="as it was told"):
        cast.run()
    assert threading.active_count() == before
