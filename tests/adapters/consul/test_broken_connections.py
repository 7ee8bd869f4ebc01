"""Connections that end at the wrong moment, in front of a real Consul: no event is lost, and none is written twice."""

from __future__ import annotations

import http.client
import http.server
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.journal import ConsulJournal
from zdd.events import StagePassed
from zdd.interfaces import Fence

EVENTS = tuple(StagePassed(at_s=1.0, service="web", deployment="d", stage=number, title="t") for number in range(8))


@contextmanager
def relayed(agent: Any, fault: str) -> Iterator[tuple[ConsulConnection, list[str]]]:
    """Keeps connections open as an agent does, but the fault happens to some requests, of which it tells."""
    hit: list[str] = []
    chance = random.Random(1)  # noqa: S311 - the same requests each time

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            faulty = chance.random() < 0.2
            if faulty:
                hit.append(self.command)
                self.close_connection = True
            if faulty and fault == "not passed on":
                return
            upstream = http.client.HTTPConnection("127.0.0.1", agent.http_port, timeout=30.0)
            upstream.request(self.command, self.path, body)
            with upstream.getresponse() as answer:
                status, text = answer.status, answer.read()
            upstream.close()
            if faulty and fault == "not answered":
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        connection = ConsulConnection(address=f"http://127.0.0.1:{server.server_address[1]}", timeout_s=30.0)
        try:
            yield connection, hit
        finally:
            connection._client().session.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("fault", ["not passed on", "not answered", "closed after the answer"])
def test_every_event_is_there_once(fault: str, agent: Any, connection: ConsulConnection, prefix: str) -> None:
    with relayed(agent, fault) as (broken, hit):
        journal = ConsulJournal(broken, prefix=prefix)
        for event in EVENTS:
            journal.append("web", event, Fence(1, "ann@host:1"))
    assert {"GET", "PUT"} <= set(hit), "the fault met no write or no question"
    assert ConsulJournal(connection, prefix=prefix).read("web") == EVENTS
