from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.lookup import ConsulLookup, DnsLookup, Found
from zdd.errors import ConfigurationError, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import Registration

Make = Callable[..., Registration]


@pytest.fixture
def registered(connection: ConsulConnection, prefix: str, service: Service, make_registration: Make) -> str:
    discovery = ConsulDiscovery(connection, prefix=prefix)
    told = (make_registration(1, 300), make_registration(2, 100, "2.0"), make_registration(3, 0, "2.0"))
    discovery.apply(service, Route(told), Fence(1, "ann"))
    return service.name


def test_by_http_those_that_get_requests_with_all_that_is_known(registered: str, connection: ConsulConnection) -> None:
    lookup = ConsulLookup(connection)
    first, second = lookup.instances(registered)
    assert first == Found(Address("127.0.0.1", 40_001), first.weight, "web.1", "1.0", "r-1.0", "web-1")
    assert first.weight == 3 * second.weight
    assert lookup.instances(registered, version="2.0") == (second,)
    assert lookup.instances(registered, version="3.0") == ()
    assert lookup.instances("nobody") == ()


def test_by_dns_those_that_get_requests(registered: str, agent: Any) -> None:
    lookup = DnsLookup(Address("127.0.0.1", agent.dns_port))
    first, second = lookup.instances(registered)
    assert (first.address, second.address) == (Address("127.0.0.1", 40_001), Address("127.0.0.1", 40_002))
    assert first.weight == 3 * second.weight
    assert lookup.instances("nobody") == ()


def test_one_that_others_registered_and_one_with_a_failing_check(agent: Any, connection: ConsulConnection) -> None:
    own = {"ID": "others-1", "Name": "others", "Address": "127.0.0.2", "Port": 80}
    agent.ask("PUT", "/v1/agent/service/register", own)
    bad = {"ID": "others-2", "Name": "others", "Port": 81, "Check": {"TTL": "1h", "Status": "critical"}}
    agent.ask("PUT", "/v1/agent/service/register", bad)
    expected = (Found(Address("127.0.0.2", 80), 1),)
    assert ConsulLookup(connection).instances("others") == expected
    assert DnsLookup(Address("127.0.0.1", agent.dns_port)).instances("others") == expected
    for name in ("others-1", "others-2"):
        agent.ask("PUT", f"/v1/agent/service/deregister/{name}")


def test_many_instances_in_one_answer(agent: Any) -> None:
    for number in range(120):
        body = {"ID": f"many-{number}", "Name": "many", "Address": f"10.0.0.{number}", "Port": 1000 + number}
        agent.ask("PUT", "/v1/agent/service/register", body)
    assert len(DnsLookup(Address("127.0.0.1", agent.dns_port)).instances("many")) == 120
    for number in range(120):
        agent.ask("PUT", f"/v1/agent/service/deregister/many-{number}")


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "ä", "x" * 64])
def test_what_is_no_name_is_refused(name: str, connection: ConsulConnection) -> None:
    for lookup in (ConsulLookup(connection), DnsLookup(Address("127.0.0.1", 1))):
        with pytest.raises(ConfigurationError, match="service name"):
            lookup.instances(name)


def test_nobody_there_and_not_permitted(connection: ConsulConnection, guarded_agent: Any) -> None:
    with pytest.raises(TemporaryError, match="can't be reached"):
        DnsLookup(Address("127.0.0.1", 1)).instances("web")
    with pytest.raises(TemporaryError, match="can't be reached"):
        ConsulLookup(evolve(connection, address="http://127.0.0.1:1")).instances("web")
    stranger = evolve(connection, address=guarded_agent.address, token="no-such-token")  # noqa: S106 - of nobody
    with pytest.raises(PermanentError):
        ConsulLookup(stranger).instances("web")


HEADER = b"\x81\x80\0\1\0\1\0\0\0\0"
ANSWERS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda asked: asked[:0],
    "half of it": lambda asked: b"\0\x40" + asked[2:10],
    "to another": lambda asked: _sized(b"\0\0" + asked[4:]),
    "no answer": lambda asked: _sized(asked[2:]),
    "failed": lambda asked: _sized(asked[2:4] + b"\x81\x82\0\1\0\0\0\0\0\0" + asked[14:]),
    "cut short": lambda asked: _sized(asked[2:4] + b"\x83\x80\0\1\0\0\0\0\0\0" + asked[14:]),
    "another question": lambda asked: _sized(asked[2:4] + HEADER + asked[14:].replace(b"web", b"wob")),
    "without its record": lambda asked: _sized(asked[2:4] + HEADER + asked[14:]),
    "a name in itself": lambda asked: _sized(
        asked[2:4] + HEADER + asked[14:] + bytes([0xC0, 12 + len(asked[14:])]) + b"\0\x21\0\1\0\0\0\0\0\6\0\0\0\1\0\1"
    ),
    "no address": lambda asked: _sized(
        asked[2:4] + HEADER + asked[14:] + b"\xc0\x0c\0\x21\0\1\0\0\0\0\0\x08\0\1\0\1\0\x50\xc0\x0c"
    ),
}


def _sized(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[Address]:
    """A server that answers one question."""

    def serve() -> None:
        client, _ = server.accept()
        with client:
            client.sendall(answer(client.recv(4096)))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Address("127.0.0.1", server.getsockname()[1])
        thread.join(60.0)


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_is_none_is_never_believed(kind: str) -> None:
    with answering(ANSWERS[kind]) as server, pytest.raises(TemporaryError, match="as Consul does"):
        DnsLookup(server).instances("web")


def test_an_answer_that_comes_drop_by_drop_has_to_be_whole_in_time() -> None:
    ended = threading.Event()

    def drip() -> None:
        client, _ = server.accept()
        with client, contextlib.suppress(OSError):
            client.recv(4096)
            for byte in _sized(bytes(1000)):
                client.sendall(bytes([byte]))
                if ended.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(TemporaryError, match=r"no whole answer within 0\.3 s"):
            DnsLookup(Address("127.0.0.1", server.getsockname()[1]), timeout_s=0.3).instances("web")
        ended.set()
        thread.join(60.0)
