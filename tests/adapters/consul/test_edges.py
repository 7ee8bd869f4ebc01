"""HAProxy and Traefik, both fed by a real Consul: what they say of themselves, and real requests through them."""

from __future__ import annotations

import http.client
import http.server
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery, default_name
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.errors import ConfigurationError, TemporaryError
from zdd.model.address import Address
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration
from zdd.testing import EDGE_RULES, Conditions, EdgeBench, Rule, check_edge

TWO_PORTS = (Exposure("http"), Exposure("admin", path="/admin"))
SERVICE = Service("edged", exposures=TWO_PORTS)
PATHS = {"edged-admin": "/admin", "edged": "/"}


class Backend:
    """Two real HTTP servers, of which requests for ``/held`` are answered when they may be."""

    def __init__(self, name: str) -> None:
        self.may_answer = threading.Event()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/held":
                    backend.may_answer.wait(30.0)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in TWO_PORTS]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        addresses = {
            exposure.port: Address("127.0.0.1", server.server_address[1])
            for exposure, server in zip(TWO_PORTS, self._servers, strict=True)
        }
        self.registration = Registration(name, "edged", "r", "1.0", addresses, 0)

    def close(self) -> None:
        self.may_answer.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    made = [Backend("edged.1"), Backend("edged.2")]
    yield made
    for backend in made:
        backend.close()


@contextmanager
def held_request(entrance: Address, backends: list[Backend]) -> Iterator[None]:
    for backend in backends:
        backend.may_answer.clear()
    client = http.client.HTTPConnection(entrance.host, entrance.port, timeout=30.0)
    client.request("GET", "/held")
    try:
        yield
        for backend in backends:
            backend.may_answer.set()
        assert client.getresponse().status == 204
    finally:
        client.close()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def traefik_rule(service: Service, exposure: Exposure) -> tuple[str, ...]:
    return (f"traefik.http.routers.{default_name(service, exposure)}.rule=PathPrefix(`{exposure.path}`)",)


def names(rules: Iterable[Rule[Any]]) -> set[str]:
    return {rule.name for rule in rules}


@pytest.fixture
def make_bench(
    connection: ConsulConnection, prefixes: Callable[[], str], backends: list[Backend]
) -> Callable[..., EdgeBench]:
    def make(edge: Any, entrance: Address, pid: int) -> EdgeBench:
        deadline = time.monotonic() + 20.0
        while edge.view(SERVICE, []).weights:  # what the rule before has left is still on its way out
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return EdgeBench(
            edge=edge,
            discovery=ConsulDiscovery(connection, prefix=prefixes(), tags_for=traefik_rule),
            registrations=[backend.registration for backend in backends],
            open_request=lambda: held_request(entrance, backends),
            cut_off=lambda: stopped(pid),
        )

    return make


@pytest.mark.timeout(120)
def test_the_haproxy_edge_keeps_every_rule(
    agent: Any, start_haproxy: Callable[..., Any], make_bench: Callable[..., EdgeBench]
) -> None:
    haproxy = start_haproxy(agent, PATHS)
    entrance = Address("127.0.0.1", haproxy.port)
    edge = HaproxyEdge(haproxy.socket, {"http": entrance, "admin": entrance}, old_process_s=0)
    checked = check_edge(
        lambda: make_bench(edge, entrance, haproxy.process.pid), Conditions(service=SERVICE, steady_s=0.3)
    )
    left_out = {
        "it holds requests back and lets them go",
        "an edge that can't weigh says 1",
        "an edge that can't count tells no counts",
    }
    assert set(checked) == names(EDGE_RULES) - left_out


@pytest.mark.timeout(120)
def test_the_traefik_edge_keeps_every_rule(
    agent: Any, start_traefik: Callable[..., Any], make_bench: Callable[..., EdgeBench]
) -> None:
    api, entrance, process = start_traefik(agent)
    edge = CatalogTraefikEdge(api, {"http": entrance, "admin": entrance})
    checked = check_edge(lambda: make_bench(edge, entrance, process.pid), Conditions(service=SERVICE, steady_s=0.3))
    left_out = {
        "it holds requests back and lets them go",
        "it divides traffic by weight",
        "an edge that can't count tells no counts",
    }
    assert set(checked) == names(EDGE_RULES) - left_out


def test_after_a_reload_nobody_knows_what_the_process_before_is_doing(
    agent: Any, start_haproxy: Callable[..., Any], make_bench: Callable[..., EdgeBench]
) -> None:
    haproxy = start_haproxy(agent, PATHS)
    view = HaproxyEdge(haproxy.socket, {}, old_process_s=600).view(SERVICE, [])
    assert "one before it may still be at work" in view.note


def test_a_service_without_a_backend_is_told(agent: Any, start_haproxy: Callable[..., Any]) -> None:
    haproxy = start_haproxy(agent, PATHS)
    view = HaproxyEdge(haproxy.socket, {}, old_process_s=0).view(Service("nowhere"), [])
    assert (view.weights, view.note) == ({}, "it has no backend nowhere")


@pytest.mark.parametrize(
    "reply", [b"", b"\n", b"No such command.\n\n", b"Pid: 1\n\n", b"Pid: 1\n\n# pxname,svname,addr\na,b\n\n"]
)
def test_what_is_no_haproxy_is_told(tmp_path: Path, reply: bytes) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(TemporaryError, match="doesn't answer as HAProxy does"):
            HaproxyEdge(path, {}).view(SERVICE, [])
        thread.join()
    with pytest.raises(TemporaryError, match="doesn't answer: "):
        HaproxyEdge(path, {}).view(SERVICE, [])
    with pytest.raises(ConfigurationError, match="use a path that begins with /"):
        HaproxyEdge("admin.sock", {})
