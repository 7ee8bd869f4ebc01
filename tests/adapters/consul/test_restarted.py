"""A Consul that was started again: for a moment it knows no service, and the edges go on with what it said before."""

from __future__ import annotations

import http.server
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.model.address import Address

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from strict_clients import Load, Request

RESTARTS = 4
LOG_ENTRIES = 400
"""Each of 64 keys: until a server has read its log again, it knows nothing of what comes after them."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def instance() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def register(agent: Any, port: int) -> None:
    keys = [{"KV": {"Verb": "set", "Key": f"fill/{number}", "Value": "eA=="}} for number in range(64)]
    for _ in range(LOG_ENTRIES):
        agent.ask("PUT", "/v1/txn", keys)
    tags = ["traefik.http.routers.app.rule=PathPrefix(`/`)"]
    check = {"CheckID": "app:ttl", "TTL": "876000h", "Status": "passing"}
    agent.ask("PUT", "/v1/agent/service/register", {"Name": "app", "Port": port, "Tags": tags, "Check": check})
    agent.ask("PUT", "/v1/agent/check/pass/app:ttl")


@pytest.mark.timeout(400)
def test_the_edges_go_on_with_what_it_said_before(
    own_agent: Any,
    instance: int,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., tuple[Address, Address, Any]],
) -> None:
    register(own_agent, instance)
    entrances = [Address("127.0.0.1", start_haproxy(own_agent, {"app": "/"}).port), start_traefik(own_agent)[1]]
    for entrance in entrances:
        await_answers(entrance)
    haproxy, traefik = (Load(entrance, {Request("/"): 2}) for entrance in entrances)
    with haproxy.running(), traefik.running():
        for _ in range(RESTARTS):
            own_agent.kill()
            own_agent.start()
            time.sleep(0.3)  # the edges ask at least twice
    for load in (haproxy, traefik):
        print(f"{sum(load.answers.values())} answered, {len(load.lost)} lost: {load.lost[:3]}")
        assert load.answers
    assert (haproxy.lost, traefik.lost) == ([], [])


def await_answers(entrance: Address, deadline_s: float = 30.0) -> None:
    end_s = time.monotonic() + deadline_s
    while True:
        with Load(entrance, {Request("/"): 1}).running() as load:
            time.sleep(0.1)
        if load.answers and not load.lost:
            return
        assert time.monotonic() < end_s, load.lost[:3]
