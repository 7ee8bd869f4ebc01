"""What the Engine's events wake somebody up for, and when it is known that nothing was missed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import define, field

from zdd.adapters.swarm import watch as watch_module
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.watch import Watch
from zdd.errors import TemporaryError


def event(kind: str, attributes: object = None) -> dict[str, Any]:
    return {"Type": kind, "Actor": {"Attributes": attributes}}


def test_a_service_that_changes_wakes_who_watches_it_and_every_one_counts(swarm: Any, wait_until: Any) -> None:
    woken = threading.Semaphore(0)
    with contextlib.closing(Engine(swarm.engine)) as engine:
        watch = Watch(engine, ("web",), lambda: woken.release() and None)
        assert watch.changes() is None
        watch.start()
        try:
            assert woken.acquire(timeout=30), "what happened before may have been missed"
            before = watch.changes()
            assert before is not None
            swarm.client("service", "create", "--detach", "--name", "other", "--replicas", "0", swarm.image)
            wait_until(lambda: (watch.changes() or 0) > before, "the other service is heard of")
            assert not woken.acquire(blocking=False)
            swarm.client("service", "create", "--detach", "--name", "web", "--replicas", "0", swarm.image)
            assert woken.acquire(timeout=30)
        finally:
            watch.end()
        assert watch.changes() is None
        assert not watch._thread.is_alive()


@define
class Streams:
    """An Engine whose streams of events end, or can't be had, as a test wants it."""

    streams: list[list[dict[str, Any]] | TemporaryError]
    begun: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    closed: threading.Event = field(factory=threading.Event)

    @contextmanager
    def events(self, filters: object) -> Iterator[Any]:
        one = self.streams.pop(0) if self.streams else None
        if isinstance(one, TemporaryError):
            raise one
        self.begun.release()
        if one is None:
            yield Open(self.closed)
        else:
            yield Ended(one)


class Ended(list[dict[str, Any]]):
    def close(self) -> None:
        pass


@define
class Open:
    """A stream in which nothing comes until it is closed."""

    closed: threading.Event

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.closed.wait(60)
        yield from ()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Watch, Streams, threading.Semaphore]]]:
    monkeypatch.setattr(watch_module, "FIRST_PAUSE_S", 0.01)
    made: list[Watch] = []

    def begin(*streams: Any) -> tuple[Watch, Streams, threading.Semaphore]:
        engine, woken = Streams(list(streams)), threading.Semaphore(0)
        made.append(Watch(engine, ("web",), lambda: woken.release() and None))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1], engine, woken

    yield begin
    for watch in made:
        watch.end()
        assert not watch._thread.is_alive()


def test_it_connects_again_wakes_up_and_counts_what_may_have_been_missed(watching: Any) -> None:
    watch, engine, woken = watching(TemporaryError("nobody is there"), [], [event("service", {"name": "other"})])
    for _ in range(3):
        assert engine.begun.acquire(timeout=30)
        assert woken.acquire(timeout=30)
    assert watch.changes() == 1 + 2, "one service, and two connections that ended"


@pytest.mark.parametrize(
    ("told", "wakes"),
    [
        (event("service", {"name": "web"}), True),
        (event("service", {"name": "web-2"}), True),
        (event("service", {"name": "shop_web"}), False),
        (event("container", {"name": "web.1.x", "com.docker.swarm.service.name": "other"}), False),
        (event("container", {"name": "x", "com.docker.swarm.service.name": "web"}), True),
        (event("node", {"name": "anything"}), True),
        (event("container"), False),
        ({"Type": "container", "Actor": None}, False),
        ({}, False),
    ],
)
def test_what_concerns_it_wakes_it(watching: Any, told: dict[str, Any], wakes: bool) -> None:
    _, engine, woken = watching([told])
    for _ in range(2):
        assert engine.begun.acquire(timeout=30)
    connections = 2
    for _ in range(connections + wakes):
        assert woken.acquire(timeout=30)
    assert not woken.acquire(blocking=False)


def test_ending_it_does_not_wait_for_the_next_event(watching: Any) -> None:
    watch, engine, _ = watching()
    assert engine.begun.acquire(timeout=30)
    began_s = time.monotonic()
    watch.end()
    assert time.monotonic() - began_s < watch_module.LONGEST_PAUSE_S
    assert watch.changes() is None


def test_who_is_woken_may_end_it(watching: Any) -> None:
    ended = threading.Event()
    engine = Streams([])

    def wake() -> None:
        watch.end()
        ended.set()

    watch = Watch(engine, ("web",), wake)  # type: ignore[arg-type]
    watch.start()
    assert ended.wait(30)
    watch._thread.join(30)
    assert not watch._thread.is_alive()
