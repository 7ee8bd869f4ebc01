"""Gates and actions beside the driver: asked once at a time, never able to stop it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time

import pytest

from zdd.actions import FunctionAction
from zdd.adapters.memory import MemoryClock
from zdd.clock import SystemClock
from zdd.model.action import ActionContext
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict
from zdd.reconciler.decision import Ask, Perform
from zdd.reconciler.progress import Performed
from zdd.sampler import THREADS_MAX, InlineSampler, ThreadSampler

CONTEXT = ActionContext("web", "web-1", "1.0", "2.0")
WITHIN_S = 10.0


class RawGate:
    """A gate that does nothing about what its function raises."""

    interval_s, deadline_s = 1.0, None

    def __init__(self, function):
        self.sample = function

    def ports(self):
        return frozenset()

    def judge(self, samples):
        return Verdict(Result.INCONCLUSIVE)


def ask(function, instance="web.1", key="r1/0"):
    return Ask(key, RawGate(function), Target("web", "1.0", "r1", instance))


def perform(function, number=0, deadline_s=60.0):
    return Perform(number, FunctionAction(function, "backup", deadline_s))


def passes(target):
    return Sample(Result.PASSED)


def breaks(target):
    raise ValueError("no such table")


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def sampler(clock):
    sampler = ThreadSampler(clock)
    yield sampler
    sampler.close()


@pytest.fixture
def collected(clock, sampler):
    """Wait until so many facts have come; return them."""

    def wait_for(count):
        facts, until_s = [], time.monotonic() + WITHIN_S
        while len(facts) < count:
            assert time.monotonic() < until_s, f"{len(facts)} of {count} within {WITHIN_S} s"
            clock.wait(clock.now() + 0.05)
            facts += sampler.collect()
        return facts

    return wait_for


@pytest.fixture
def opened():
    """An event that what hangs waits for; it is set at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hangs(opened):
    def look(target):
        opened.wait(WITHIN_S)
        return Sample(Result.PASSED)

    return look


def wait_for_threads():
    for thread in threading.enumerate():
        if thread.name == "zdd-gate":
            thread.join(WITHIN_S)
            assert not thread.is_alive()


# -- gates -------------------------------------------------------------------------------------------------------------


def test_a_look_comes_back_with_what_was_asked_and_when(clock, sampler, collected):
    before_s = clock.now()
    sampler.ask(ask(passes))
    [fact] = collected(1)
    assert (fact.key, fact.target.instance, fact.sample) == ("r1/0", "web.1", Sample(Result.PASSED))
    assert before_s <= fact.asked_s <= clock.now()
    assert sampler.collect() == []


def test_a_look_that_has_ended_wakes_the_driver(clock, sampler, hangs, opened):
    sampler.ask(ask(hangs))
    threading.Timer(0.05, opened.set).start()
    began_s = time.monotonic()
    clock.wait(clock.now() + WITHIN_S)
    assert time.monotonic() - began_s < WITHIN_S / 2
    assert len(sampler.collect()) == 1


def test_a_gate_does_not_look_twice_at_once_at_the_same_target(sampler, collected, opened):
    looks = []

    def look(target):
        looks.append(target.instance)
        opened.wait(WITHIN_S)
        return Sample(Result.PASSED)

    for _ in range(3):
        sampler.ask(ask(look))
    sampler.ask(ask(look, instance="web.2"))
    sampler.ask(ask(look, key="r1/1"))
    opened.set()
    assert len(collected(3)) == 3
    assert sorted(looks) == ["web.1", "web.1", "web.2"]


def test_a_gate_that_has_looked_can_look_again(sampler, collected):
    sampler.ask(ask(passes))
    collected(1)
    sampler.ask(ask(passes))
    assert len(collected(1)) == 1


def test_an_exception_of_a_gate_is_a_failed_look(sampler, collected):
    sampler.ask(ask(breaks))
    [fact] = collected(1)
    assert fact.sample == Sample(Result.FAILED, "ValueError: no such table")


def test_a_gate_that_hangs_does_not_keep_the_others_from_looking(sampler, collected, hangs):
    sampler.ask(ask(hangs, instance="web.1"))
    sampler.ask(ask(passes, instance="web.2"))
    [fact] = collected(1)
    assert fact.target.instance == "web.2"


def test_no_more_than_so_many_look_at_once_and_the_rest_can_be_asked_later(sampler, collected, hangs, opened):
    asks = [ask(hangs, instance=f"web.{number}") for number in range(THREADS_MAX + 5)]
    for one in asks:
        sampler.ask(one)
    opened.set()
    seen = {fact.target.instance for fact in collected(THREADS_MAX)}
    assert seen == {f"web.{number}" for number in range(THREADS_MAX)}
    for one in asks[THREADS_MAX:]:
        sampler.ask(one)
    assert len(collected(5)) == 5


# -- actions -----------------------------------------------------------------------------------------------------------


def test_an_action_gets_its_context_and_what_it_returns_is_its_note(sampler, collected):
    sampler.perform(perform(lambda context: f"{context.from_version} saved"), CONTEXT)
    assert collected(1) == [Performed(0, True, "1.0 saved")]


def test_an_action_that_raises_has_failed(sampler, collected):
    sampler.perform(perform(breaks), CONTEXT)
    assert collected(1) == [Performed(0, False, "action backup failed: ValueError: no such table")]


def test_an_action_is_not_begun_twice_at_once(sampler, collected, opened):
    runs = []

    def work(context):
        runs.append(context)
        opened.wait(WITHIN_S)

    for _ in range(3):
        sampler.perform(perform(work), CONTEXT)
    opened.set()
    assert collected(1) == [Performed(0, True, "")]
    assert runs == [CONTEXT]


def test_an_action_that_is_late_has_failed_and_is_not_heard_again(sampler, collected, hangs, opened):
    sampler.perform(perform(hangs, deadline_s=0.1), CONTEXT)
    assert collected(1) == [Performed(0, False, "action backup did not end within 0.1 s")]
    opened.set()
    wait_for_threads()
    assert sampler.collect() == []


def test_an_action_that_ended_in_time_does_not_fail_later(sampler, clock, collected):
    sampler.perform(perform(lambda context: context.service, deadline_s=0.2), CONTEXT)
    assert collected(1) == [Performed(0, True, "web")]
    clock.wait(clock.now() + 0.3)
    assert sampler.collect() == []


# -- the end -----------------------------------------------------------------------------------------------------------


def test_what_ends_after_the_sampler_was_closed_wakes_nobody(clock, sampler, hangs, opened):
    sampler.ask(ask(hangs))
    sampler.close()
    opened.set()
    wait_for_threads()
    began_s = time.monotonic()
    clock.wait(clock.now() + 0.2)
    assert time.monotonic() - began_s >= 0.19


def test_a_gate_that_hangs_does_not_keep_the_process_from_ending():
    code = """
        import threading
        from zdd.clock import SystemClock
        from zdd.gates import FunctionGate
        from zdd.model.gate import Target
        from zdd.reconciler.decision import Ask
        from zdd.sampler import ThreadSampler

        begun = threading.Event()

        def hang(target):
            begun.set()
            threading.Event().wait()

        ThreadSampler(SystemClock()).ask(Ask("r1/0", FunctionGate(hang), Target("web", "1.0", "r1", "web.1")))
        assert begun.wait(10)
        print("the end", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == ("the end\n", "")


# -- in virtual time ---------------------------------------------------------------------------------------------------


def test_in_virtual_time_everything_is_done_at_once_in_the_order_of_asking():
    clock = MemoryClock()
    sampler = InlineSampler(clock)
    sampler.ask(ask(passes))
    sampler.ask(ask(breaks, instance="web.2"))
    sampler.perform(perform(breaks, number=3), CONTEXT)
    first, second, third = sampler.collect()
    assert (first.sample.result, first.asked_s) == (Result.PASSED, clock.now())
    assert second.sample == Sample(Result.FAILED, "ValueError: no such table")
    assert third == Performed(3, False, "action backup failed: ValueError: no such table")
    assert sampler.collect() == []


def test_in_virtual_time_what_was_done_wakes_the_driver():
    clock = MemoryClock()
    began_s = clock.now()
    InlineSampler(clock).ask(ask(passes))
    clock.wait(began_s + 60)
    assert clock.now() == began_s


def test_an_action_that_has_ended_is_not_begun_again_before_anybody_heard_of_it(clock, sampler):
    """It is due until its end was collected: what ends right after the last collection would be done twice."""
    runs = []
    sampler.perform(perform(runs.append), CONTEXT)
    clock.wait(clock.now() + WITHIN_S)  # its end wakes the clock
    sampler.perform(perform(runs.append), CONTEXT)
    facts = sampler.collect()
    assert len(runs) == len(facts) == 1


def leave(_):
    sys.exit(3)


@pytest.mark.parametrize(
    ("function", "reason"),
    [(leave, "SystemExit: 3"), (lambda _: None, "sample() returned None: return a zdd Sample")],
)
def test_a_gate_that_leaves_or_says_nothing_has_failed_its_look(function, reason):
    sampler = ThreadSampler(SystemClock())
    sampler.ask(Ask("admission", RawGate(function), Target("web", "1.0", "r1", "web-1")))
    deadline = time.monotonic() + WITHIN_S
    while not (facts := sampler.collect()):
        assert time.monotonic() < deadline, "nobody hears of the look"
        time.sleep(0.01)
    assert facts[0].sample == Sample(Result.FAILED, reason)


def test_an_action_that_leaves_has_failed():
    sampler = InlineSampler(MemoryClock())
    sampler.perform(Perform(0, FunctionAction(leave)), CONTEXT)
    assert sampler.collect() == [Performed(0, False, "action leave failed: SystemExit: 3")]
