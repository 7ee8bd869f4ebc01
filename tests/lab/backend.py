"""Something to send requests to, which answers some of them only when it may."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from zdd.model.address import Address
from zdd.model.service import Service
from zdd.model.traffic import Registration

TIMEOUT_S = 30.0


class Backend:
    """An HTTP server for each port of a service, of which requests for ``/held`` are answered when they may be.

    Attributes:
        registration: Where it is, for discovery; out of traffic.
        may_answer: Whether requests for ``/held`` are answered.
        served: How many requests it was sent, of one client, which has one in flight at a time.
    """

    def __init__(self, name: str, service: Service) -> None:
        self.may_answer = threading.Event()
        self.served = 0
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                backend.served += 1
                if self.path == "/held":
                    backend.may_answer.wait(TIMEOUT_S)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in service.exposures]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        addresses = {
            exposure.port: Address("127.0.0.1", server.server_address[1])
            for exposure, server in zip(service.exposures, self._servers, strict=True)
        }
        self.registration = Registration(name, service.name, "r", "1.0", addresses, 0)

    def close(self) -> None:
        """End its servers."""
        self.may_answer.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


@contextmanager
def held_request(entrance: Address, backends: Iterable[Backend]) -> Iterator[None]:
    """Have a request in flight that one of the backends answers in the end."""
    for backend in backends:
        backend.may_answer.clear()
    client = http.client.HTTPConnection(entrance.host, entrance.port, timeout=TIMEOUT_S)
    client.request("GET", "/held")
    try:
        yield
        for backend in backends:
            backend.may_answer.set()
        status = client.getresponse().status
        assert status == 204, f"the held request was answered with {status}"
    finally:
        client.close()
