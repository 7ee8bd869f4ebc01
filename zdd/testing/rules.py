"""What the kit is made of: rules with names, and what is known about the world in which they are tried."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from zdd.clock import SystemClock
from zdd.errors import TemporaryError, ZddError
from zdd.interfaces import Clock
from zdd.model.address import Address
from zdd.model.cell import Instance
from zdd.model.release import Specification
from zdd.model.service import Service

T = TypeVar("T")
Trial = TypeVar("Trial")

Make = Callable[[], T | AbstractContextManager[T]]
"""Gives a fresh adapter with nothing in it, or a context manager that gives one and cleans up after it."""

Again = Callable[[T], T | AbstractContextManager[T]]
"""Gives another adapter that looks at the same world as this one: what a second deployer would make."""


class ConformanceError(AssertionError):
    """An adapter breaks rules of its interface.

    Attributes:
        broken: The names of the broken rules.
    """

    def __init__(self, subject: str, broken: Sequence[tuple[str, str]], checked: int) -> None:
        lines = [f"{subject} breaks {len(broken)} of {checked} rules:"]
        lines += [f"  {name}: {why}" for name, why in broken]
        super().__init__("\n".join(lines))
        self.broken = tuple(name for name, _ in broken)


class BrokenRule(AssertionError):
    """One rule is broken. The message says what was seen."""


@frozen
class Rule(Generic[Trial]):
    """A sentence that holds for every adapter, and a function that raises `BrokenRule` where it does not.

    Attributes:
        name: The sentence.
        check: Tries it on a fresh adapter.
        needs: Says whether enough is known to try it; a rule that can't be tried is left out.
    """

    name: str
    check: Callable[[Trial], None]
    needs: Callable[[Trial], Any] = field(default=lambda _: True)


@frozen(kw_only=True)
class Conditions:
    """What the kit can't know of a world.

    Attributes:
        service: The service to use. Nothing of it, and of a service ``<name>-2``, may exist.
        workload: What an instance of it runs that gets ready.
        never_ready: A workload that starts and never gets ready.
        slow_to_stop: A workload that gets ready, and that takes more than `steady_s` to stop once it was told to.
        refused: A workload that ``check`` must refuse.
        answers: Says whether something listens at an address. `accepts_connections` is one.
        kill: Ends an instance without telling the orchestrator.
        written: Returns, as something that can be compared, what an orchestrator has written down of the two services
            where others see it. It stays the same for as long as nobody writes, whatever becomes of the instances.
        clock: How to wait: by default really.
        deadline_s: Seconds within which every effect must be seen.
        poll_s: Seconds between two looks.
        steady_s: Seconds for which something is watched that must not happen.
    """

    service: Service
    workload: Specification = field(factory=dict)
    never_ready: Specification | None = None
    slow_to_stop: Specification | None = None
    refused: Specification | None = None
    answers: Callable[[Address], bool] | None = None
    kill: Callable[[Instance], None] | None = None
    written: Callable[[], object] | None = None
    clock: Clock = field(factory=SystemClock)
    deadline_s: float = 30.0
    poll_s: float = 0.05
    steady_s: float = 0.5

    def until(self, what: str, look: Callable[[], T]) -> T:
        """Look until the answer is true in Python's sense, and return it.

        Raises:
            BrokenRule: It never was within the deadline.
        """
        end_s = self.clock.now() + self.deadline_s
        while True:
            answer, seen = _look(look)
            if answer:
                return answer
            if self.clock.now() >= end_s:
                raise BrokenRule(f"within {self.deadline_s:g} s it did not happen that {what}{seen}")
            self.clock.wait(min(end_s, self.clock.now() + self.poll_s))

    def steadily(self, what: str, look: Callable[[], object]) -> None:
        """Look for `steady_s` whether the answer stays true.

        Raises:
            BrokenRule: It did not.
        """
        end_s = self.clock.now() + self.steady_s
        while True:
            demand(look(), f"it did not last that {what}")
            if self.clock.now() >= end_s:
                return
            self.clock.wait(min(end_s, self.clock.now() + self.poll_s))


def _look(look: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return look(), ""
    except TemporaryError as error:
        return None, f" (last: {error})"


def demand(holds: object, why: str) -> None:
    """Raise `BrokenRule` unless it holds."""
    if not holds:
        raise BrokenRule(why)


def demand_error(kind: type[ZddError], what: str, act: Callable[[], object]) -> ZddError:
    """Return the error that it raises, which must be of this kind."""
    try:
        act()
    except kind as error:
        return error
    except Exception as error:
        raise BrokenRule(f"{what} raised {_named(error)} in place of {kind.__name__}") from error
    raise BrokenRule(f"{what} was accepted: it has to raise {kind.__name__}")


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def opened(made: T | AbstractContextManager[T]) -> Iterator[T]:
    """Enter what was made, if it is a context manager."""
    if isinstance(made, AbstractContextManager):
        with made as adapter:
            yield adapter
    else:
        yield made


def try_rules(
    subject: str, rules: Sequence[Rule[Trial]], trials: Callable[[], AbstractContextManager[Trial]]
) -> tuple[str, ...]:
    """Try every rule on a trial of its own, and return the names of those that were tried.

    Raises:
        ConformanceError: Some are broken. It names them all.
    """
    checked: list[str] = []
    broken: list[tuple[str, str]] = []
    cause: Exception | None = None
    for rule in rules:
        tried = True
        try:
            with trials() as trial:
                tried = rule.needs(trial)
                if tried:
                    rule.check(trial)
        except BrokenRule as error:
            broken.append((rule.name, str(error)))
            cause = cause or error
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises is what is being judged
            broken.append((rule.name, f"it raised {_named(error)}"))
            cause = cause or error
        if tried or (broken and broken[-1][0] == rule.name):  # what can't even be cleaned up after is broken, too
            checked.append(rule.name)
    if broken:
        raise ConformanceError(subject, broken, len(checked)) from cause
    return tuple(checked)


def accepts_connections(address: Address) -> bool:
    """Say whether something accepts a TCP connection at an address within a second."""
    try:
        socket.create_connection((address.host, address.port), timeout=1.0).close()
    except OSError:
        return False
    return True
