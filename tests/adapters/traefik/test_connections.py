"""What is in flight, as the kernel knows it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.adapters.traefik import connections
from zdd.adapters.traefik.connections import (
    called,
    counts_by_files,
    counts_by_netlink,
    established,
    listener,
    process_at,
)
from zdd.model.address import Address


@pytest.fixture(params=["0.0.0.0", "::", "127.0.0.1"])
def server(request) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if request.param == "::" else socket.AF_INET
    dual = request.param == "::"
    with socket.create_server((request.param, 0), family=family, dualstack_ipv6=dual) as server:
        yield server


def test_only_established_connections_and_only_the_side_that_was_called_count(server) -> None:
    address = Address("127.0.0.1", server.getsockname()[1])
    assert established([address]) == {address: 0}

    with socket.create_connection((address.host, address.port)) as client, server.accept()[0]:
        assert established([address, Address(*client.getsockname())]) == {
            address: 1,
            Address(*client.getsockname()): 1,  # its own side
        }
        client.shutdown(socket.SHUT_WR)
        assert established([address]) == {address: 0}


def test_a_connection_that_the_application_has_not_accepted_yet_counts(server) -> None:
    address = Address("127.0.0.1", server.getsockname()[1])
    with socket.create_connection((address.host, address.port)):
        assert established([address]) == {address: 1}


def test_an_address_with_the_same_port_on_another_host_is_not_confused(server) -> None:
    port = server.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        assert established([Address("127.0.0.2", port)]) == {Address("127.0.0.2", port): 0}
        assert established([Address("localhost", port)]) == {Address("localhost", port): 1}


def test_the_kernel_says_the_same_in_both_ways(server) -> None:
    port = server.getsockname()[1]
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]

    by_netlink = {where: count for where, count in counts_by_netlink().items() if where[0][1] == port}
    by_files = {where: count for where, count in counts_by_files().items() if where[0][1] == port}

    assert by_netlink == by_files
    assert sum(by_netlink.values()) == 20
    for client in clients:
        client.close()


def test_without_netlink_the_files_serve(server, monkeypatch) -> None:
    monkeypatch.setattr(connections, "_SOCK_DIAG", 31)  # a protocol that there isn't
    address = Address("127.0.0.1", server.getsockname()[1])
    with pytest.raises(OSError, match=r".+"):
        counts_by_netlink()

    with socket.create_connection((address.host, address.port)):
        assert established([address]) == {address: 1}


def test_a_kernel_that_shows_nothing_leaves_the_count_unknown(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(connections, "_SOCK_DIAG", 31)
    monkeypatch.setattr(connections, "_TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))

    assert established([Address("127.0.0.1", 80)]) == {}
    assert not connections.can_count()


def test_an_address_of_another_machine_is_unknown() -> None:
    assert established([Address("192.0.2.1", 80), Address("application.example", 80)]) == {}


def test_whoever_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener(port).endswith(f"(process {os.getpid()})")
    assert listener(port) == ""


def test_connections_to_an_address_count_from_the_side_that_calls(server) -> None:
    address = Address("127.0.0.1", server.getsockname()[1])
    assert called([address]) == {address: 0}
    with socket.create_connection((address.host, address.port)):
        assert called([address, Address("127.0.0.2", address.port)]) == {
            address: 1,
            Address("127.0.0.2", address.port): 0,
        }
    assert called([address]) == {address: 0}


def test_one_that_is_being_opened_counts_already() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as late:
        address = Address(*full.getsockname())
        with socket.create_connection(full.getsockname()):
            late.setblocking(False)
            late.connect_ex(full.getsockname())
            assert called([address]) == {address: 2}


def test_what_is_called_may_be_on_another_machine_but_not_have_a_name() -> None:
    assert called([Address("192.0.2.1", 80), Address("application.example", 80)]) == {Address("192.0.2.1", 80): 0}


def test_the_process_at_an_address_of_this_machine_is_named() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert process_at(Address("127.0.0.1", port)) == Path("/proc/self/comm").read_text().strip()
        assert process_at(Address("192.0.2.1", port)) == ""
    assert process_at(Address("127.0.0.1", port)) == ""


def test_who_only_forwards_to_a_container_is_not_named(monkeypatch) -> None:
    monkeypatch.setattr(connections, "listening_process", lambda _port: (1, "docker-proxy"))
    assert process_at(Address("127.0.0.1", 80)) == ""
