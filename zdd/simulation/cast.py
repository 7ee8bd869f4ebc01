"""Several deployers in one virtual time: one runs at a time, and who runs next depends on nothing but the scenario.

A deployer is ordinary code that blocks, so each that shares its time with another has a thread of its own. Of all of
them only the one that has been handed the turn runs; it hands it back when it waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define, field

from zdd.adapters.memory import MemoryClock


class Ended(BaseException):
    """The simulation ends here; whatever still waits is let go."""


def _baton() -> threading.Lock:
    """Return what one waits for with `acquire`, until another one hands it over with `release`."""
    baton = threading.Lock()
    baton.acquire()
    return baton


@define(eq=False)
class Actor:
    """Somebody who does something in virtual time. It is a clock too: the clock of the deployer that it runs.

    Attributes:
        cast: All of them; None: alone in its world, in the caller's thread.
    """

    clock: MemoryClock
    cast: Cast | None = None
    until_s: float = 0.0
    woken: bool = False
    paused: bool = False
    done: bool = False
    error: BaseException | None = None
    turn: threading.Lock = field(factory=_baton)

    def now(self) -> float:
        """Return the virtual time in seconds."""
        return self.clock.now()

    def wait(self, until_s: float) -> None:
        """Return at that time, or earlier if something happens."""
        if self.cast is None:
            self.clock.wait(until_s)
        elif self.woken:
            self.woken = False
        else:
            self.cast.hand_back(self, until_s)
            self.woken = False

    def wake(self) -> None:
        """End the next wait at once."""
        if self.cast is None:
            self.clock.wake()
        else:
            self.woken = True

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds, whatever happens."""
        until_s = self.clock.now() + seconds
        if self.cast is None:
            self.clock.run_until(until_s)
            return
        self.paused = True
        self.cast.hand_back(self, until_s)
        self.paused = False


@define(eq=False)
class Cast:
    """Everybody who acts in one virtual time.

    Attributes:
        clock: The time.
        actors: In the order in which they came.
    """

    clock: MemoryClock
    actors: list[Actor] = field(factory=list)
    _threads: list[threading.Thread] = field(factory=list)
    _returned: threading.Lock = field(factory=_baton)
    _ending: bool = False

    def enter(self, work: Callable[[Actor], None], after_s: float = 0.0) -> Actor:
        """Let somebody begin so many seconds from now."""
        actor = Actor(self.clock, self, until_s=self.clock.now() + after_s, paused=True)
        thread = threading.Thread(target=self._act, args=(actor, work), daemon=True)
        self.actors.append(actor)
        self._threads.append(thread)
        thread.start()
        return actor

    def run(self) -> None:
        """Give turns until everybody has come to an end. What one of them raised comes out here."""
        try:
            while True:
                waiting = [actor for actor in self.actors if not actor.done]
                if not waiting:
                    return
                self._give(waiting)
        finally:
            self._end()

    def hand_back(self, actor: Actor, until_s: float) -> None:
        """Let the others go on until that time."""
        if self._ending:
            raise Ended
        actor.until_s = until_s
        self._returned.release()
        actor.turn.acquire()
        if self._ending:
            raise Ended

    def _give(self, waiting: list[Actor]) -> None:
        now_s = self.clock.now()
        for actor in waiting:
            if actor.until_s <= now_s or (actor.woken and not actor.paused):
                actor.turn.release()
                self._returned.acquire()
                if actor.error is not None:
                    raise actor.error
                return
        self.clock.wait(min(actor.until_s for actor in waiting))
        for actor in waiting:
            actor.woken = True

    def _act(self, actor: Actor, work: Callable[[Actor], None]) -> None:
        actor.turn.acquire()
        actor.paused = False
        try:
            if not self._ending:
                work(actor)
        except Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again by whoever called `run`
            actor.error = error
        actor.done = True
        if not self._ending:
            self._returned.release()

    def _end(self) -> None:
        self._ending = True
        for actor, thread in zip(self.actors, self._threads, strict=True):
            if not actor.done:
                actor.turn.release()
            thread.join()
