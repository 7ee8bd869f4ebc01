"""The journal in a real Consul: whole events or none, and damage that shows."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import random
import signal
import string
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.journal import ConsulJournal
from zdd.errors import JournalError, LeaseLost, OutcomeUnknown, TemporaryError
from zdd.events import Event, StagePassed
from zdd.interfaces import Fence

ANN = Fence(1, "ann@host:1")


def event(number: int, title: str = "t") -> Event:
    return StagePassed(at_s=1000.0 + number, service="web", deployment="d", stage=number, title=title)


@pytest.fixture
def journal(connection: ConsulConnection, prefix: str) -> ConsulJournal:
    return ConsulJournal(connection, prefix=prefix)


def test_an_event_is_a_key_that_people_can_read(agent: Any, journal: ConsulJournal, prefix: str) -> None:
    journal.append("web", event(1), ANN)
    (entry,) = agent.ask("GET", f"/v1/kv/{prefix}/events/web/?recurse")
    assert entry["Key"] == f"{prefix}/events/web/000000000001"
    row = json.loads(base64.b64decode(entry["Value"]))
    assert (row["service"], row["number"], row["kind"], row["deployment"]) == ("web", 1, "stage passed", "d")


def test_a_large_event_is_packed_and_one_that_is_too_large_is_refused(
    agent: Any, journal: ConsulJournal, prefix: str
) -> None:
    large = event(1, "long " * 400_000)
    journal.append("web", large, ANN)
    (entry,) = agent.ask("GET", f"/v1/kv/{prefix}/events/web/?recurse")
    assert len(base64.b64decode(entry["Value"])) < 50_000
    noise = "".join(random.Random(1).choices(string.printable, k=600_000))  # noqa: S311 - what can't be packed
    with pytest.raises(JournalError, match=r"an event of web has .* and Consul takes 360000 at once"):
        journal.append("web", event(2, noise), ANN)
    journal.append("web", event(3), ANN)
    assert journal.read("web") == (large, event(3))


def test_more_than_a_thousand_events_are_read_in_order(agent: Any, journal: ConsulJournal) -> None:
    events = tuple(event(number) for number in range(1005))
    for one in events:
        journal.append("web", one, ANN)
    assert journal.read("web") == events


def test_two_writers_at_once_lose_nothing(agent: Any, prefix: str) -> None:
    def write(first: int) -> None:
        journal = ConsulJournal(ConsulConnection(address=agent.address), prefix=prefix)
        for number in range(first, first + 30):
            journal.append("web", event(number), ANN)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stages = [one.stage for one in ConsulJournal(ConsulConnection(address=agent.address), prefix=prefix).read("web")]  # type: ignore[attr-defined]
    assert sorted(stages) == [first + number for first in (0, 100, 200) for number in range(30)]
    for first in (0, 100, 200):
        own = [stage for stage in stages if first <= stage < first + 100]
        assert own == sorted(own), "the events of one writer are out of order"


def _write_for_ever(address: str, prefix: str) -> None:
    journal = ConsulJournal(ConsulConnection(address=address), prefix=prefix)
    for number in range(1_000_000):
        journal.append("web", event(number), ANN)


def test_a_writer_that_is_killed_leaves_no_half_of_an_event(agent: Any, journal: ConsulJournal, prefix: str) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(agent.address, prefix))
    writer.start()
    deadline = time.monotonic() + 60
    while len(journal.read("web")) < 20:
        assert time.monotonic() < deadline
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join(60.0)
    # What it had sent before it died may be written until the next one has begun to write, and no longer.
    journal.append("web", event(1_000_000), Fence(2, "the next one"))
    events = journal.read("web")
    assert events == (*(event(number) for number in range(len(events) - 1)), event(1_000_000))
    assert len(events) > 20


def test_it_waits_for_an_agent_that_is_started_again(own_agent: Any, own_connection: ConsulConnection) -> None:
    journal = ConsulJournal(own_connection)
    journal.append("web", event(1), ANN)
    own_agent.kill()
    starter = threading.Timer(0.5, own_agent.start)
    starter.start()
    journal.append("web", event(2), ANN)
    starter.join()
    assert journal.read("web") == (event(1), event(2))
    own_agent.kill()
    began_s = time.monotonic()
    with pytest.raises(JournalError, match=r"an event of web can't be written: .* can't be reached"):
        journal.append("web", event(3), ANN)
    assert 6.0 < time.monotonic() - began_s < 60.0
    with pytest.raises(TemporaryError):
        journal.read("web")


@pytest.mark.parametrize("done", [True, False])
def test_a_write_without_an_answer_is_looked_for_before_it_is_repeated(
    connection: ConsulConnection, prefix: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = ConsulJournal(connection, prefix=prefix)
    store = journal._store
    commit, lost = store.commit, []

    def lose_the_answer(operations: Any) -> bool:
        if lost:
            return commit(operations)
        lost.append(commit(operations) if done else False)
        raise OutcomeUnknown("the answer was lost", settles_within_s=0.0)

    monkeypatch.setattr(store, "commit", lose_the_answer)
    journal.append("web", event(1), ANN)
    journal.append("web", event(1), ANN)
    assert journal.read("web") == (event(1), event(1))
    assert lost == [done]


def _change(agent: Any, path: str, change: Callable[[bytes], bytes]) -> None:
    value = base64.b64decode(agent.ask("GET", path)[0]["Value"])
    agent.ask("PUT", path, change(value))


DAMAGES: dict[str, Callable[[Any, str], object]] = {
    "a changed event": lambda agent, at: _change(
        agent, f"{at}/events/web/000000000002", lambda v: v.replace(b"1002", b"1003")
    ),
    "half an event": lambda agent, at: _change(agent, f"{at}/events/web/000000000002", lambda v: v[:50]),
    "an empty event": lambda agent, at: agent.ask("PUT", f"{at}/events/web/000000000002", b""),
    "no JSON at all": lambda agent, at: agent.ask("PUT", f"{at}/events/web/000000000002", b"\xff\x00"),
    "deep JSON": lambda agent, at: agent.ask("PUT", f"{at}/events/web/000000000002", b'{"a":' * 5000),
    "a removed event": lambda agent, at: agent.ask("DELETE", f"{at}/events/web/000000000002"),
    "a removed last event": lambda agent, at: agent.ask("DELETE", f"{at}/events/web/000000000003"),
    "one more": lambda agent, at: agent.ask(
        "PUT",
        f"{at}/events/web/000000000004",
        base64.b64decode(agent.ask("GET", f"{at}/events/web/000000000003")[0]["Value"]),
    ),
    "a head of another": lambda agent, at: _change(
        agent, f"{at}/heads/web/journal", lambda v: v.replace(b'"events": 3', b'"events": 2')
    ),
    "no head": lambda agent, at: agent.ask("DELETE", f"{at}/heads/web/journal"),
    "a broken head": lambda agent, at: agent.ask("PUT", f"{at}/heads/web/journal", b"[]"),
}


def test_an_event_that_the_end_of_the_chain_does_not_know_ends_a_write(
    agent: Any, journal: ConsulJournal, prefix: str
) -> None:
    journal.append("web", event(1), ANN)
    agent.ask("PUT", f"/v1/kv/{prefix}/events/web/000000000002", b"left behind by half a restore")
    with pytest.raises(
        JournalError, match="events/web/000000000002 is damaged: it is there, and by its end web has 1 e"
    ):
        journal.append("web", event(2), ANN)


def test_a_write_that_is_refused_again_and_again_ends(
    connection: ConsulConnection, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zdd.adapters.consul.journal.PATIENCE_S", 0.2)
    journal = ConsulJournal(connection, prefix=prefix)
    monkeypatch.setattr(journal._store, "commit", lambda _operations: False)
    with pytest.raises(JournalError, match="an event of web can't be written: others write to it all the time"):
        journal.append("web", event(1), ANN)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_told_and_never_read_over(agent: Any, journal: ConsulJournal, prefix: str, name: str) -> None:
    for number in (1, 2, 3):
        journal.append("web", event(number), ANN)
    DAMAGES[name](agent, f"/v1/kv/{prefix}")
    with pytest.raises(JournalError, match=f"{prefix}/(events|heads)/web/"):
        journal.read("web")


def test_an_event_of_a_newer_zdd_asks_for_it(
    agent: Any, journal: ConsulJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("zdd.codec.FORMAT", 99)
        journal.append("web", event(1), ANN)
    with pytest.raises(JournalError, match="has format 99, and this zdd knows formats up to 1: install a newer zdd"):
        journal.read("web")


def test_an_old_fence_is_told_who_has_taken_over(journal: ConsulJournal) -> None:
    journal.append("web", event(1), Fence(7, "bob@host:2"))
    with pytest.raises(LeaseLost, match=r"a newer deployer has taken over web: bob@host:2 \(token 7, ours is 1\)"):
        journal.append("web", event(2), ANN)
