"""HAProxy and Traefik, both fed by a real Consul: what they say of themselves, and real requests through them."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery, default_name
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge, weight_tags
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.errors import ConfigurationError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.finding import Demand, Severity
from zdd.model.service import Exposure, Service
from zdd.testing import EDGE_RULES, Conditions, EdgeBench, Rule, check_edge

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from backend import Backend, held_request
from suspended import suspended

TWO_PORTS = (Exposure("http"), Exposure("admin", path="/admin"))
SERVICE = Service("edged", exposures=TWO_PORTS)
DEMAND = Demand(4, 4)
PATHS = {"edged-admin": "/admin", "edged": "/"}


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    made = [Backend("edged.1", SERVICE), Backend("edged.2", SERVICE)]
    yield made
    for backend in made:
        backend.close()


def traefik_rule(service: Service, exposure: Exposure) -> tuple[str, ...]:
    return (f"traefik.http.routers.{default_name(service, exposure)}.rule=PathPrefix(`{exposure.path}`)",)


def names(rules: Iterable[Rule[Any]]) -> set[str]:
    return {rule.name for rule in rules}


@pytest.fixture
def make_bench(
    connection: ConsulConnection, prefixes: Callable[[], str], backends: list[Backend]
) -> Callable[..., EdgeBench]:
    def make(edge: Any, entrance: Address, pid: int) -> EdgeBench:
        deadline = time.monotonic() + 60
        while edge.view(SERVICE, []).weights:  # what the rule before has left is still on its way out
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return EdgeBench(
            edge=edge,
            discovery=ConsulDiscovery(
                connection, prefix=prefixes(), tags_for=traefik_rule, weight_tags_for=weight_tags
            ),
            registrations=[backend.registration for backend in backends],
            open_request=lambda: held_request(entrance, backends),
            cut_off=lambda: suspended(pid),
        )

    return make


@pytest.mark.timeout(400)
def test_the_haproxy_edge_keeps_every_rule(
    agent: Any, start_haproxy: Callable[..., Any], make_bench: Callable[..., EdgeBench]
) -> None:
    haproxy = start_haproxy(agent, PATHS, {"hold nx 5s": "hold nx 100ms"})  # each rule waits until it has forgotten
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


@pytest.mark.timeout(400)
def test_the_traefik_edge_keeps_every_rule(
    agent: Any, start_traefik: Callable[..., Any], make_bench: Callable[..., EdgeBench]
) -> None:
    api, entrance, process = start_traefik(agent)
    edge = CatalogTraefikEdge(api, {"http": entrance, "admin": entrance}, weighs=True)
    checked = check_edge(lambda: make_bench(edge, entrance, process.pid), Conditions(service=SERVICE, steady_s=0.3))
    left_out = {
        "it holds requests back and lets them go",
        "an edge that can't weigh says 1",
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
    with pytest.raises(ConfigurationError, match="use a path that begins with /, or an Address"):
        HaproxyEdge("admin.sock", {})


def test_haproxy_tells_the_same_at_an_address_as_at_a_path(
    agent: Any, start_haproxy: Callable[..., Any], lab: ModuleType
) -> None:
    (port,) = lab.free_ports(1)
    both = f"expose-fd listeners\n  stats socket ipv4@127.0.0.1:{port} level operator"
    haproxy = start_haproxy(agent, PATHS, {"expose-fd listeners": both})
    place = Address("127.0.0.1", port)
    at_path, at_address = HaproxyEdge(haproxy.socket, {}, old_process_s=0), HaproxyEdge(place, {}, old_process_s=0)
    assert at_address.name == f"haproxy at {place}"
    assert at_address.view(SERVICE, []).process == at_path.view(SERVICE, []).process
    assert at_address.view(SERVICE, []).note == ""
    haproxy.stop()
    with pytest.raises(TemporaryError, match=f"haproxy at {place} doesn't answer: "):
        at_address.view(SERVICE, [])


def shares_of(entrance: Address, backends: list[Backend], requests: int) -> list[float]:
    """Send requests, and return the part that each backend has served."""
    before = [backend.served for backend in backends]
    client = http.client.HTTPConnection(entrance.host, entrance.port, timeout=10.0)
    for _ in range(requests):
        client.request("GET", "/")
        response = client.getresponse()
        assert (response.status, response.read()) == (204, b"")
    client.close()
    return [(backend.served - was) / requests for backend, was in zip(backends, before, strict=True)]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", ["haproxy", "traefik"])
def test_each_step_of_a_canary_gets_its_share_of_real_requests(
    kind: str,
    agent: Any,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
    connection: ConsulConnection,
    prefix: str,
    backends: list[Backend],
) -> None:
    service = Service(f"canary-{kind}")
    if kind == "haproxy":
        haproxy = start_haproxy(agent, {service.name: "/"})
        entrance = Address("127.0.0.1", haproxy.port)
        edge: Any = HaproxyEdge(haproxy.socket, {"http": entrance}, old_process_s=0)
    else:
        api, entrance, _ = start_traefik(agent)
        edge = CatalogTraefikEdge(api, {"http": entrance}, weighs=True)
    discovery = ConsulDiscovery(connection, prefix=prefix, tags_for=traefik_rule, weight_tags_for=weight_tags)
    fence = Fence(1, "test")
    discovery.claim(service, fence)
    places = [backend.registration.addresses["http"] for backend in backends]
    for percent in (5, 25, 50):
        weights = (1_000_000 - percent * 10_000, percent * 10_000)
        registrations = tuple(
            evolve(backend.registration, weight=weight) for backend, weight in zip(backends, weights, strict=True)
        )
        discovery.apply(service, Route(registrations), fence)
        deadline = time.monotonic() + 60
        while True:
            shown = edge.view(service, []).weights
            part = shown.get(places[1], 0) / max(1, sum(shown.values()))
            if abs(part - percent / 100) < 0.005:
                break
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)
        measured = shares_of(entrance, backends, 400)[1]
        print(f"{kind}: {percent} % meant, {100 * part:.1f} % shown, {100 * measured:.1f} % of 400 requests")
        assert abs(measured - percent / 100) < 0.01
    discovery.apply(service, Route(()), fence)


def test_what_of_haproxys_settings_is_wrong_or_slow_is_said(
    connection: ConsulConnection, agent: Any, start_haproxy: Callable[..., Any]
) -> None:
    names = {"crowded": "/"}
    good = start_haproxy(agent, names)
    slow = start_haproxy(agent, names, {"timeout resolve 100ms": "timeout resolve 2s", "slot 24": "slot 2"})
    service = Service("crowded", replicas=3)
    for number in range(4):
        body = {"ID": f"crowded{number}", "Name": "crowded", "Address": "127.0.0.1", "Port": 40_000 + number}
        agent.ask("PUT", "/v1/agent/service/register", body)

    def found(haproxy: Any) -> str:
        return "\n".join(map(str, HaproxyEdge(haproxy.socket, {}).inspect(service, {}, DEMAND)))

    assert "it runs for too short a time" in found(start_haproxy(agent, names))
    deadline = time.monotonic() + 30.0  # answers that come late are asked for again at first
    while "s, so every step takes that long; set timeout resolve to 100ms" not in found(slow):
        assert time.monotonic() < deadline, found(slow)
        time.sleep(0.1)
    assert found(good) == ""
    assert "backend crowded has 2 slots, and 4 instances may exist at once" in found(slow)
    assert HaproxyEdge(good.socket, {}).examine() == ()
    (problem,) = HaproxyEdge(good.socket, {}).inspect(Service("nowhere"), {}, DEMAND)
    assert (problem.problem, problem.severity) == (
        "it has no backend nowhere, so no request arrives through it",
        Severity.ERROR,
    )
    for number in range(4):
        agent.ask("PUT", f"/v1/agent/service/deregister/crowded{number}")


def test_what_of_traefiks_settings_is_wrong_or_unknown_is_said(agent: Any, start_traefik: Callable[..., Any]) -> None:
    api, entrance, _ = start_traefik(agent)
    service = Service("unheard")
    (unknown,) = CatalogTraefikEdge(api, {"http": entrance}).inspect(service, {}, DEMAND)
    assert unknown.problem == "how fast it follows Consul can't be read from it; without watch it asks every 15 s"
    assert CatalogTraefikEdge(api, {}).examine() == ()
    assert CatalogTraefikEdge(api, {}, name_for=lambda *_: "consul").inspect(service, {}, DEMAND) == ()


def test_an_edge_that_knows_another_provider_is_refused_and_one_out_of_sight_can_not_be_counted() -> None:
    pages = {
        "/api/version": {"startDate": "today"},
        "/api/overview": {"providers": ["Swarm"]},
        "/api/http/services/web@consulcatalog": None,
    }
    with answering(pages) as api:
        edge = CatalogTraefikEdge(api, {})
        wrong, uncounted = edge.inspect(Service("web", drain_deadline_s=7), {}, DEMAND)
        assert (wrong.severity, wrong.problem) == (
            Severity.ERROR,
            "it does not read Consul's catalog; its providers are Swarm",
        )
        assert uncounted.problem == "nobody can count what is in flight behind it, so each drain may take 7 s"
        assert edge.view(Service("web"), [Address("192.0.2.1", 80)]).in_flight == {}


def test_an_instances_own_word_counts_when_nothing_is_sent_there_any_more() -> None:
    pages = {
        "/api/version": {"startDate": "today"},
        "/api/http/services/web@consulcatalog": None,
        "/in-flight": 3,
        "/nonsense": "many",
    }
    with answering(pages) as place:
        edge = CatalogTraefikEdge(place, {}, in_flight_path="/in-flight")
        nobody = Address("127.0.0.1", 1)
        assert edge.view(Service("web"), [place, nobody]).in_flight == {place: 3}
        deaf = CatalogTraefikEdge(place, {}, in_flight_path="/nonsense")
        assert deaf.view(Service("web"), [place]).in_flight == {}
    with pytest.raises(ConfigurationError, match="use a path that begins with /"):
        CatalogTraefikEdge(place, {}, in_flight_path="in-flight")


def test_a_traefik_that_does_not_know_itself_yet_is_not_believed() -> None:
    with answering({}) as api, pytest.raises(TemporaryError, match="not ready, or no Traefik"):
        CatalogTraefikEdge(api, {}).view(Service("web"), [])


@contextmanager
def answering(pages: dict[str, Any]) -> Iterator[Address]:
    """Serve JSON at these paths, and 404 everywhere else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            body = json.dumps(content).encode() if content is not None else b""
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Address("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()
