"""What Traefik is told by tags: which requests are an exposure's. That it heeds them is in tests/examples/stacks."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge, route_tags
from zdd.model.address import Address
from zdd.model.service import Exposure, Service

EXPOSURES = (Exposure("http"), Exposure("api", "/api/", "Shop.example.org"))


@pytest.mark.parametrize(
    ("exposure", "tags"),
    [
        (
            EXPOSURES[0],
            ("traefik.http.routers.web.rule=PathPrefix(`/`)", "traefik.http.routers.web.priority=3"),
        ),
        (
            EXPOSURES[1],
            (
                "traefik.http.routers.web-api.rule=Host(`shop.example.org`) && (Path(`/api`) || PathPrefix(`/api/`))",
                "traefik.http.routers.web-api.priority=1000007",
            ),
        ),
    ],
)
def test_host_and_path_are_the_rule(exposure: Exposure, tags: tuple[str, ...]) -> None:
    assert route_tags(Service("web", exposures=EXPOSURES), exposure) == tags


def test_an_instance_whose_answer_never_ends_keeps_no_look_waiting() -> None:
    ended = threading.Event()

    def drip() -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Nothing: ")
            while not ended.wait(0.1):
                client.sendall(b".")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        late = threading.Timer(20.0, ended.set)
        late.start()
        edge = CatalogTraefikEdge(Address("127.0.0.1", 1), {}, in_flight_path="/in-flight")
        assert edge._ask_count(Address("127.0.0.1", server.getsockname()[1])) is None
        assert not ended.is_set()
        ended.set()
        late.cancel()
        thread.join(60.0)
