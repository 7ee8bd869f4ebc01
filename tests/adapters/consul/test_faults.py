"""A proxy in front of a real agent, through which one answer is malformed, late, stale, cut or refused."""

from __future__ import annotations

import http.server
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import define, field

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.errors import AdapterError
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import Registration

TIMEOUT_S = 1.0
"""How long an answer is waited for where one is late; a busy machine must not make the others late."""
ANN = Fence(1, "ann")
REQUESTS = {
    "health": "GET /v1/health/service/",
    "key": "GET /v1/kv/",
    "transaction": "PUT /v1/txn",
    "register": "PUT /v1/agent/service/register",
    "check": "PUT /v1/agent/check/",
}
FAULTS = {
    "malformed": tuple(REQUESTS),
    "refused": tuple(REQUESTS),
    "late": ("health", "register"),
    "stale": ("health", "key"),
    "cut": ("health", "key"),
    "no leader": ("key", "transaction"),
}
CASES = [(kind, fault) for fault, kinds in FAULTS.items() for kind in kinds]
Make = Callable[..., Registration]


@define(eq=False)
class Proxy:
    """Passes everything on to an agent; answers every request that matches as the fault says."""

    target: str
    request: str = ""
    fault: str = ""
    met: int = 0
    address: str = ""
    first: dict[str, bytes] = field(factory=dict)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        hit = bool(self.fault) and f"{method} {path}".startswith(self.request)
        self.met += hit
        if hit and self.fault == "refused":
            return 403, b"Permission denied"
        if hit and self.fault == "no leader":
            return 500, b"No cluster leader"
        asked = urllib.request.Request(self.target + path, body if method == "PUT" else None, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=5.0) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        if hit and self.fault == "late":
            time.sleep(2 * TIMEOUT_S)
        if hit and self.fault == "malformed":
            return 200, b"<html>Sign in to the network</html>"
        if hit and self.fault == "stale":
            return status, self.first.get(path, text)
        if not self.fault:
            self.first.setdefault(path, text)
        return status, text


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            met = proxy.met
            status, text = proxy.answer(self.command, self.path, body)
            cut = proxy.fault == "cut" and proxy.met > met
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[: len(text) // 2] if cut else text)
            self.close_connection = True

        do_PUT = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            pass  # who asked has gone, because the answer was late

    with Server(("127.0.0.1", 0), Handler) as server:
        proxy = Proxy(target, address=f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def passing(agent: Any, service: Service) -> set[str]:
    listed = agent.listed(service.name).values()
    return {
        item["Service"]["Meta"]["zdd-instance"]
        for item in listed
        if all(check["Status"] == "passing" for check in item["Checks"])
    }


@pytest.mark.parametrize(("request_kind", "fault"), CASES)
def test_one_kind_of_answer_is_wrong(
    request_kind: str, fault: str, agent: Any, prefix: str, service: Service, make_registration: Make
) -> None:
    before = Route((make_registration(1, 300), make_registration(2, 300), make_registration(3, 0)))
    wanted = Route((*before.registrations[:2], make_registration(3, 300), make_registration(4, 300)))
    with proxied(agent.address) as proxy:
        timeout_s = TIMEOUT_S if fault == "late" else 30.0
        connection = ConsulConnection(address=proxy.address, timeout_s=timeout_s, settles_within_s=1.0)
        discovery = ConsulDiscovery(connection, prefix=prefix)
        discovery.apply(service, before, ANN)
        discovery.registrations(service)
        proxy.request, proxy.fault = REQUESTS[request_kind], fault
        error = None
        try:
            discovery.apply(service, wanted, Fence(2, "bob"))
        except AdapterError as raised:
            error = raised
        assert proxy.met
        # What was in traffic and should be, still is.
        assert {"web.1", "web.2"} <= passing(agent, service)
        proxy.fault = ""
        if error is None:
            assert fault in ("stale", "cut") or request_kind == "check"
        else:
            assert re.search(r"http://127\.0\.0\.1|Consul|changes|register", str(error)), error
        discovery.apply(service, wanted, Fence(2, "bob"))
        assert passing(agent, service) == {"web.1", "web.2", "web.3", "web.4"}
