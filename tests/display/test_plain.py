"""Lines for logs, and their signs of life."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC

import pytest
from attrs import evolve

from zdd.display.plain import PlainLines, heartbeat_line
from zdd.events import DeploymentStarted, Event, InstanceMoved, Moment, Ordered, StageEntered, Waited
from zdd.model.order import Order, OrderKind
from zdd.status import fold


def shown(events: tuple[Event, ...]) -> str:
    stream = io.StringIO()
    lines = PlainLines(stream, zone=UTC)
    for event in events:
        lines(event)
    lines.close()
    return stream.getvalue()


@pytest.mark.parametrize("name", ["success", "rollback", "stuck"])
def test_a_deployment_reads_as_expected(
    name: str, stories: dict[str, tuple[Event, ...]], golden: Callable[[str, str], None]
) -> None:
    golden(f"plain-{name}.txt", shown(stories[name]))


def test_hostile_text_stays_on_its_line(hostile: tuple[Event, ...], golden: Callable[[str, str], None]) -> None:
    text = shown(hostile)
    assert all(line.isprintable() for line in text.splitlines())
    golden("plain-hostile.txt", text)


def test_a_falling_count_is_one_wait_and_not_many(stories: dict[str, tuple[Event, ...]]) -> None:
    def waited(reason: str) -> Waited:
        return Waited(at_s=1_764_000_300, service="web", deployment="d-7f3a", reasons=(reason,), until_s=1_764_000_330)

    events = [
        stories["success"][0],
        *(waited(f"web.a1: {n} in flight") for n in (3, 2, 1)),
        waited("web.a2: 1 in flight"),
    ]
    waits = [line for line in shown(tuple(events)).splitlines() if "waiting for" in line]
    assert [line.partition("waiting for ")[2] for line in waits] == [
        "web.a1: 3 in flight, until 16:05:30",
        "web.a2: 1 in flight, until 16:05:30",
    ]


def test_what_only_stands_behind_the_first_reason_is_no_line_of_its_own(stories: dict[str, tuple[Event, ...]]) -> None:
    waited = Waited(
        at_s=1_764_000_300, service="web", deployment="d-7f3a", reasons=("web.a1 to start",), until_s=1_764_000_330
    )
    more = evolve(waited, reasons=("web.a1 to start", "web.a2 to start"))
    text = shown((stories["success"][0], waited, more, waited))
    assert text.count("waiting for") == 1


def test_what_ran_before_is_listed_only_when_something_happens_to_it(stories: dict[str, tuple[Event, ...]]) -> None:
    def moved(moment: Moment) -> InstanceMoved:
        return InstanceMoved(
            at_s=1_764_000_300,
            service="web",
            deployment="d-7f3a",
            instance="web.a1",
            cell="web",
            version="1.4.2",
            moment=moment,
        )

    found = [moved(moment) for moment in (Moment.LAUNCHED, Moment.READY, Moment.ADMITTED, Moment.SEEN, Moment.PROVEN)]
    drained = [moved(Moment.OUT), moved(Moment.ADMITTED)]
    lines = [line for line in shown((stories["success"][0], *found, *drained)).splitlines() if "web.a1" in line]
    assert [line.partition("(1.4.2) ")[2] for line in lines] == ["told out of traffic", "admitted to traffic"]


def test_many_instances_are_not_listed(stories: dict[str, tuple[Event, ...]]) -> None:
    first, *rest = stories["success"]
    assert isinstance(first, DeploymentStarted)
    service = evolve(first.plan.service, replicas=21)
    text = shown((evolve(first, plan=evolve(first.plan, service=service)), *rest))
    assert "instances are counted, not listed" in text
    assert "web.m1" not in text
    assert "web-3.a3 (1.4.2) cut at the drain deadline" in text


def test_a_sign_of_life_says_what_is_awaited_until_its_deadline_has_passed(
    stories: dict[str, tuple[Event, ...]],
) -> None:
    events = stories["rollback"]
    last_wait = max(place for place, event in enumerate(events) if isinstance(event, Waited))
    status = fold(events[: last_wait + 1])
    until_s = status.waiting_until_s
    assert until_s is not None
    assert heartbeat_line(status, until_s - 5, 30, UTC).endswith(
        "web 1.6.0 going back, stage 1/2 still waiting for web-2.p1: 1 in flight at traefik, until 16:07:12; "
        "3 useful (3 wanted), 6 running, floor 3"
    )
    assert heartbeat_line(status, until_s + 31, 30, UTC) == ""
    assert heartbeat_line(fold(events), until_s, 30, UTC) == ""


class Lines(io.StringIO):
    """Text that can be awaited."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Condition()

    def write(self, text: str) -> int:
        with self.written:
            self.written.notify_all()
            return super().write(text)

    def wait_for(self, words: str, times: int) -> None:
        with self.written:
            assert self.written.wait_for(lambda: self.getvalue().count(words) >= times, timeout=20), self.getvalue()


@pytest.fixture
def waiting(stories: dict[str, tuple[Event, ...]]) -> tuple[Event, ...]:
    wait = Waited(at_s=time.time(), service="web", deployment="d-7f3a", reasons=("a door",), until_s=time.time() + 600)
    return (stories["success"][0], wait)


@pytest.fixture
def lines() -> Iterator[tuple[PlainLines, Lines]]:
    stream = Lines()
    plain = PlainLines(stream, heartbeat_s=0.02)
    yield plain, stream
    plain.close()


def heartbeats() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "zdd-heartbeat"]


def test_it_gives_signs_of_life_while_nothing_changes_and_none_after_the_end(
    waiting: tuple[Event, ...], lines: tuple[PlainLines, Lines], stories: dict[str, tuple[Event, ...]]
) -> None:
    plain, stream = lines
    for event in waiting:
        plain(event)
    stream.wait_for("still waiting for a door", 3)
    (thread,) = heartbeats()
    plain(stories["success"][-1])
    thread.join(20)
    assert not thread.is_alive()
    assert stream.getvalue().splitlines()[-1].partition("1.5.0 ")[2].startswith("succeeded after")


def test_closing_ends_the_signs_of_life(waiting: tuple[Event, ...], lines: tuple[PlainLines, Lines]) -> None:
    plain, stream = lines
    for event in waiting:
        plain(event)
    stream.wait_for("still waiting", 1)
    (thread,) = heartbeats()
    plain.close()
    thread.join(20)
    assert not thread.is_alive()


def test_a_stream_that_fails_is_logged_once_and_never_stops_a_deployment(
    stories: dict[str, tuple[Event, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.StringIO()
    stream.close()
    lines = PlainLines(stream)
    with caplog.at_level(logging.WARNING):
        for event in stories["success"]:
            lines(event)
    assert [record.name for record in caplog.records] == ["zdd.display.plain"]


def test_a_stream_that_knows_only_ascii_gets_ascii(stories: dict[str, tuple[Event, ...]]) -> None:
    raw = io.BytesIO()
    lines = PlainLines(io.TextIOWrapper(raw, encoding="ascii"))
    for event in stories["success"]:
        lines(event)
    assert rb"1.4.2 \u2192 1.5.0" in raw.getvalue()


def test_orders_are_lines_and_a_paused_stage_says_so(stories: dict[str, tuple[Event, ...]]) -> None:
    begin = [event for event in stories["success"] if isinstance(event, DeploymentStarted | StageEntered)][:2]
    about = {"at_s": begin[1].at_s + 1, "service": begin[0].service, "deployment": begin[0].deployment}
    pause, promote = (Order(kind, "d-7f3a", "ana@host:1", 0.0) for kind in (OrderKind.PAUSE, OrderKind.PROMOTE))
    events = [
        *begin,
        Ordered(order=pause, **about),
        Ordered(order=promote, note="it was paused", **about),
        Waited(reasons=("deployer.resume('web')",), until_s=float("inf"), **about),
    ]
    lines = shown(tuple(events)).splitlines()[2:]
    assert [line.partition(", ")[2] for line in lines] == [
        "paused paused by ana@host:1 at 1970-01-01 00:00:00 UTC",
        "paused promote by ana@host:1 has no effect: it was paused",
        "paused waiting for deployer.resume('web'), without a deadline",
    ]
