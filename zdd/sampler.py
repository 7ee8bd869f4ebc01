"""Runs gates and actions beside the driver, so that a slow one stalls neither repair nor abort."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from zdd.gates.looks import look
from zdd.interfaces import Clock
from zdd.model.action import ActionContext
from zdd.reconciler.decision import Ask, Perform
from zdd.reconciler.progress import Fact, Performed, Sampled

THREADS_MAX = 64
"""How many gates and actions may be under way at once. One that never returns keeps its place, and nothing else."""


class Sampler(Protocol):
    """Runs gates and actions, and hands back what they said."""

    def ask(self, ask: Ask) -> None:
        """Begin to look, unless this gate is looking at this target already."""

    def perform(self, perform: Perform, context: ActionContext) -> None:
        """Begin the action, unless it is under way."""

    def collect(self) -> list[Fact]:
        """Return what has come to its end since the last call, in the order in which it did."""

    def close(self) -> None:
        """Stop caring. What is under way ends by its own time-out; nobody hears of it."""


def look_for(ask: Ask, asked_s: float) -> Sampled:
    """Let a gate look once. What it raises is a failed look, with the exception as its reason."""
    return Sampled(ask.key, ask.gate, ask.target, look(ask.gate, ask.target), asked_s)


def run(perform: Perform, context: ActionContext) -> Performed:
    """Run an action. What it raises is its failure."""
    try:
        note = perform.action.run(context)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's action may raise anything
        return Performed(perform.number, False, f"action {perform.action.name} failed: {type(error).__name__}: {error}")
    return Performed(perform.number, True, note)


class ThreadSampler:
    """Runs each gate and action in a thread of its own, and wakes the driver when it has ended.

    The threads are daemons: a function of a user's that hangs does not keep the script from ending.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: set[tuple[str, str]] = set()
        self._unheard: set[tuple[str, str]] = set()  # ended, but nobody knows yet: not to be begun again
        self._facts: list[Fact] = []
        self._closed = False
        self._action_deadline_s: float | None = None
        self._action: Perform | None = None

    def ask(self, ask: Ask) -> None:
        """Begin to look, unless this gate is looking at this target already."""
        asked_s = self._clock.now()
        self._start((ask.key, ask.target.key), lambda: look_for(ask, asked_s))

    def perform(self, perform: Perform, context: ActionContext) -> None:
        """Begin the action, unless it is under way."""
        if self._start(("action", str(perform.number)), lambda: run(perform, context)):
            self._action = perform
            self._action_deadline_s = self._clock.now() + perform.action.deadline_s

    def _start(self, key: tuple[str, str], work: Callable[[], Fact]) -> bool:
        with self._lock:
            if key in self._under_way or key in self._unheard or len(self._under_way) >= THREADS_MAX:
                return False  # it is asked for again as long as it is due
            self._under_way.add(key)
        threading.Thread(target=self._finish, args=(key, work), name="zdd-gate", daemon=True).start()
        return True

    def _finish(self, key: tuple[str, str], work: Callable[[], Fact]) -> None:
        fact = work()
        with self._lock:
            self._under_way.discard(key)
            self._unheard.add(key)
            self._facts.append(fact)
        if not self._closed:
            self._clock.wake()

    def collect(self) -> list[Fact]:
        """Return what has come to its end since the last call; an action that is late has failed."""
        with self._lock:
            facts, self._facts = self._facts, []
            self._unheard.clear()
            action, deadline_s = self._action, self._action_deadline_s
        if any(isinstance(fact, Performed) for fact in facts):
            if action is None:  # its deadline has passed, and was told
                facts = [fact for fact in facts if not isinstance(fact, Performed)]
            self._action = None
        elif action is not None and deadline_s is not None and self._clock.now() >= deadline_s:
            self._action = None
            reason = f"action {action.action.name} did not end within {action.action.deadline_s:g} s"
            facts.append(Performed(action.number, False, reason))
        return facts

    def close(self) -> None:
        """Stop caring. What is under way ends by its own time-out; nobody hears of it."""
        self._closed = True


class InlineSampler:
    """Runs each gate and action at once, in the caller's thread: for virtual time, where nothing takes any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._facts: list[Fact] = []

    def ask(self, ask: Ask) -> None:
        """Look at once."""
        self._facts.append(look_for(ask, self._clock.now()))
        self._clock.wake()

    def perform(self, perform: Perform, context: ActionContext) -> None:
        """Run the action at once."""
        self._facts.append(run(perform, context))
        self._clock.wake()

    def collect(self) -> list[Fact]:
        """Return what has come to its end since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def close(self) -> None:
        """There is nothing to stop."""
