from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.blocking import BlockingQuery
from zdd.adapters.consul.connection import ConsulConnection
from zdd.errors import PermanentError, TemporaryError

KEY = "/v1/kv/watched/key"


@contextmanager
def followed(query: BlockingQuery) -> Iterator[Queue[Any]]:
    """Give a queue of the bodies that come."""
    found: Queue[Any] = Queue()
    stopped = threading.Event()

    def follow() -> None:
        for answer in query.changes(stopped):
            found.put(answer.json(list)[0]["Value"] if answer.status == 200 else None)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield found
    finally:
        stopped.set()
        thread.join(60.0)
        assert not thread.is_alive()


def put(agent: Any, value: str) -> None:
    agent.ask("PUT", KEY, value.encode())


def test_it_answers_at_once_and_then_when_something_changes(agent: Any, connection: ConsulConnection) -> None:
    agent.ask("DELETE", KEY)
    query = BlockingQuery(connection, KEY, wait_s=30.0)
    assert query.next().status == 404
    threading.Timer(0.3, put, (agent, "one")).start()
    began_s = time.monotonic()
    assert query.next().status == 200
    assert 0.2 < time.monotonic() - began_s < 20.0
    quick = BlockingQuery(connection, KEY, wait_s=0.2)
    first = quick.next()
    assert quick.next().body == first.body  # the wait is over, and nothing has changed


def test_it_goes_on_when_the_agent_stalls_dies_and_comes_back_without_its_data(own_agent: Any) -> None:
    connection = ConsulConnection(address=own_agent.address, connect_timeout_s=0.5, timeout_s=1.0)
    for number in range(5):
        put(own_agent, f"value {number}")
    with followed(BlockingQuery(connection, KEY, wait_s=1.0)) as found:
        assert found.get(timeout=60.0) is not None
        own_agent.pause()
        goes_on = threading.Timer(1.5, own_agent.go_on)  # it stalls for longer than it is asked to wait
        goes_on.start()
        goes_on.join()
        assert found.empty()
        put(own_agent, "after the pause")
        assert found.get(timeout=60.0) == "YWZ0ZXIgdGhlIHBhdXNl"
        own_agent.kill()
        own_agent.start()
        put(own_agent, "after the crash")
        assert found.get(timeout=60.0) == "YWZ0ZXIgdGhlIGNyYXNo"
        own_agent.kill()
        own_agent.forget_everything()
        own_agent.start()
        assert found.get(timeout=60.0) is None
        put(own_agent, "anew")  # with a smaller index than before
        assert found.get(timeout=60.0) == "YW5ldw=="


def test_an_index_that_goes_back_is_not_waited_with(agent: Any, connection: ConsulConnection) -> None:
    put(agent, "here")
    query = BlockingQuery(connection, KEY, wait_s=3.0)
    query.next()
    query._index = 10**9  # as if other servers had counted further
    query.next()  # when the wait is over
    query.wait_s = 60.0
    query.next()  # at once: it would take longer than an answer may


def test_what_is_not_reached_is_temporary_and_what_is_refused_ends_it(
    guarded_agent: Any, connection: ConsulConnection
) -> None:
    nobody = evolve(connection, address="http://127.0.0.1:1")
    with pytest.raises(TemporaryError):
        BlockingQuery(nobody, KEY).next()
    guarded = evolve(connection, address=guarded_agent.address, token="no-such-token")  # noqa: S106 - of nobody
    with pytest.raises(PermanentError):
        next(BlockingQuery(guarded, KEY).changes(threading.Event()))
