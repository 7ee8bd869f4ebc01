"""A relay before a real HAProxy and a real Traefik, through which answers are malformed, late, cut, old or refused."""

from __future__ import annotations

import http.server
import re
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.finding import Demand
from zdd.model.service import Service

SERVICE = Service("faulty")
LATE_S = 2.3
"""Longer than either adapter waits."""
PAGE = b"<html>Sign in to the network</html>"

Spoil = Callable[[bytes], bytes]


def late(answer: bytes) -> bytes:
    time.sleep(LATE_S)
    return answer


HAPROXY: dict[str, Spoil] = {
    "a page of somebody else": lambda _: PAGE,
    "nothing": lambda _: b"",
    "refused": lambda _: b"Permission denied\n\n",
    "late": late,
    "cut in the middle of a line": lambda answer: answer[:-20],
    "cut after a line": lambda answer: b"\n".join(answer.split(b"\n")[:-4]) + b"\n",
    "without the servers": lambda answer: answer.split(b"\n\n")[0] + b"\n\n",
    "an uptime that is no number": lambda answer: re.sub(rb"Uptime_sec: \d+", b"Uptime_sec: soon", answer),
    "a weight that is no number": lambda answer: re.sub(
        rb"(?m)^(faulty,slot1,.*?),no check,1,", rb"\1,no check,x,", answer
    ),
    "bytes that are no text": lambda answer: answer.replace(b"faulty", b"\xff\xfe"),
}
TRAEFIK: dict[str, tuple[int, Spoil]] = {
    "a page of somebody else": (200, lambda _: PAGE),
    "nothing": (200, lambda _: b""),
    "refused": (403, lambda _: b"{}"),
    "broken": (500, lambda answer: answer),
    "late": (200, late),
    "cut": (200, lambda answer: answer[:-5]),
    "a list": (200, lambda _: b"[]"),
    "no servers": (200, lambda _: b'{"status": "enabled", "usedBy": ["a@b"], "loadBalancer": null}'),
    "a server without an address": (200, lambda _: with_server(b"{}")),
    "a server without a port": (200, lambda _: with_server(b'{"url": "http://10.0.0.1"}')),
    "a server with a weight that is no number": (
        200,
        lambda _: with_server(b'{"url": "http://10.0.0.1:80", "weight": "x"}'),
    ),
}


def with_server(server: bytes) -> bytes:
    return b'{"status": "enabled", "usedBy": ["a@b"], "loadBalancer": {"servers": [%s]}}' % server


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[Address]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Address("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@define
class Old:
    """Gives the first answer again while it is to."""

    again: bool = False
    first: bytes = b""

    def __call__(self, answer: bytes) -> bytes:
        self.first = self.first or answer
        return self.first if self.again else answer


class Quiet(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        pass  # who asked has gone, because the answer was late


def haproxy_relay(path: Path, spoil: Spoil) -> Quiet:
    """Pass a question on to HAProxy's socket, and its answer back."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(self.request.recv(4096))
                self.request.sendall(spoil(client.makefile("rb").read()))

    return Quiet(("127.0.0.1", 0), Handler)


def traefik_relay(api: Address, page: str, status: int, spoil: Spoil, dates: Spoil = lambda date: date) -> Quiet:
    """Pass a question on to Traefik's API, and spoil the answers to those for one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                with urllib.request.urlopen(f"http://{api}{self.path}", timeout=5.0) as response:
                    code, whole, date = response.status, response.read(), response.headers["Date"]
            except urllib.error.HTTPError as error:
                code, whole, date = error.code, error.read(), error.headers["Date"]
            body = whole
            if self.path.startswith(page):
                date = dates(date.encode()).decode()
                code, body = status, spoil(whole)
            self.send_response_only(code)
            self.send_header("Date", date)
            self.send_header("Content-Length", str(max(len(body), len(whole) if body == whole[:-5] else 0)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = body != whole

        def log_message(self, *arguments: object) -> None:
            pass

    return Quiet(("127.0.0.1", 0), Handler)


@define
class Registered:
    """A service with one instance, which both edges know."""

    haproxy: Any
    api: Address


@pytest.fixture(scope="module")
def registered(
    agent: Any, start_haproxy: Callable[..., Any], start_traefik: Callable[..., Any]
) -> Iterator[Registered]:
    haproxy = start_haproxy(agent, {SERVICE.name: "/"})
    api, _, _ = start_traefik(agent)
    tags = ["traefik.http.routers.faulty.rule=PathPrefix(`/`)"]
    body = {"ID": "faulty1", "Name": SERVICE.name, "Address": "127.0.0.1", "Port": 40_100, "Tags": tags}
    agent.ask("PUT", "/v1/agent/service/register", body)
    deadline = time.monotonic() + 60
    edges = (HaproxyEdge(haproxy.socket, {}), CatalogTraefikEdge(api, {}))
    while not all(edge.view(SERVICE, ()).weights for edge in edges):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield Registered(haproxy, api)
    agent.ask("PUT", "/v1/agent/service/deregister/faulty1")


@pytest.mark.parametrize("fault", HAPROXY)
def test_what_haproxy_does_not_answer_wholly_is_not_believed(fault: str, registered: Registered) -> None:
    with serving(haproxy_relay(registered.haproxy.socket, HAPROXY[fault])) as place:
        edge = HaproxyEdge(place, {}, old_process_s=0)
        with pytest.raises(TemporaryError, match=f"haproxy at {place} doesn't answer"):
            edge.view(SERVICE, ())
        with pytest.raises(TemporaryError, match=f"haproxy at {place} doesn't answer"):
            edge.inspect(SERVICE, {}, Demand(1, 1))


@pytest.mark.parametrize("fault", TRAEFIK)
def test_what_traefik_does_not_answer_wholly_is_not_believed(fault: str, registered: Registered) -> None:
    status, spoil = TRAEFIK[fault]
    relay = traefik_relay(registered.api, f"/api/http/services/{SERVICE.name}@", status, spoil)
    with serving(relay) as place, pytest.raises(TemporaryError, match=f"traefik with its API at {place} "):
        CatalogTraefikEdge(place, {}).view(SERVICE, ())


@pytest.mark.parametrize("fault", ["a page of somebody else", "nothing", "refused", "late", "a list"])
def test_a_traefik_that_does_not_say_since_when_it_runs_is_not_believed(fault: str, registered: Registered) -> None:
    status, spoil = TRAEFIK[fault]
    with serving(traefik_relay(registered.api, "/api/version", status, spoil)) as place:
        with pytest.raises(TemporaryError, match=f"traefik with its API at {place} "):
            CatalogTraefikEdge(place, {}).view(SERVICE, ())
        with pytest.raises(TemporaryError, match=f"traefik with its API at {place} "):
            CatalogTraefikEdge(place, {}).inspect(SERVICE, {}, Demand(1, 1))


def test_an_old_answer_of_haproxy_is_not_believed(registered: Registered) -> None:
    old = Old()
    with serving(haproxy_relay(registered.haproxy.socket, old)) as place:
        edge = HaproxyEdge(place, {}, old_process_s=0)
        shown = edge.view(SERVICE, ()).weights
        assert edge.view(SERVICE, ()).weights == shown
        old.again = True
        with pytest.raises(TemporaryError, match=f"haproxy at {place} answers as it did before"):
            edge.view(SERVICE, ())
        with pytest.raises(TemporaryError, match=f"haproxy at {place} answers as it did before"):
            edge.inspect(SERVICE, {}, Demand(1, 1))
        old.again = False
        assert edge.view(SERVICE, ()).weights == shown


def look_until(edge: CatalogTraefikEdge, deadline: float) -> None:
    while time.monotonic() < deadline:
        assert edge.view(SERVICE, ()).weights
        time.sleep(0.05)


def test_an_old_answer_of_traefik_is_not_believed(registered: Registered) -> None:
    old, dates = Old(), Old()
    relay = traefik_relay(registered.api, f"/api/http/services/{SERVICE.name}@", 200, old, dates)
    with serving(relay) as place:
        edge = CatalogTraefikEdge(place, {})
        shown = edge.view(SERVICE, ()).weights
        old.again = dates.again = True
        deadline = time.monotonic() + 10.0
        with pytest.raises(TemporaryError, match=r"answers as it did [23]\.\d s ago"):
            look_until(edge, deadline)  # Traefik tells the time in whole seconds
        with pytest.raises(TemporaryError, match="gives old answers again"):
            edge.inspect(SERVICE, {}, Demand(1, 1))
        old.again = dates.again = False
        assert edge.view(SERVICE, ()).weights == shown


class Trickling(Quiet):
    """Answers one byte a quarter of a second, for ever."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            while not self.server.ended.wait(0.25):  # type: ignore[attr-defined]
                self.request.sendall(b"H")

    def __init__(self) -> None:
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), self.Handler)


@pytest.mark.parametrize("make", [lambda place: HaproxyEdge(place, {}), lambda place: CatalogTraefikEdge(place, {})])
def test_an_answer_without_an_end_costs_a_look_no_more_than_none(make: Callable[[Address], Any]) -> None:
    with Trickling() as server, serving(server) as place:
        began_s = time.monotonic()
        with pytest.raises(TemporaryError, match="doesn't answer: "):
            make(place).view(SERVICE, ())
        assert time.monotonic() - began_s < 20.0
        server.ended.set()


def test_through_the_relays_whole_answers_are_believed(registered: Registered) -> None:
    instance = Address("127.0.0.1", 40_100)
    with serving(haproxy_relay(registered.haproxy.socket, lambda answer: answer)) as place:
        assert set(HaproxyEdge(place, {}, old_process_s=0).view(SERVICE, ()).weights) == {instance}
    with serving(traefik_relay(registered.api, "/nowhere", 200, lambda answer: answer)) as place:
        assert set(CatalogTraefikEdge(place, {}).view(SERVICE, ()).weights) == {instance}
