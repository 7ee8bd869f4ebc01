"""Requests that arrive while no instance may run wait, and none of them fails."""

import contextlib
import fcntl
import http.client
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from zdd.adapters.traefik.discovery import maximum_hold_s
from zdd.adapters.traefik.room import HoldingRoom
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.service import Overlap, Service
from zdd.model.traffic import Registration


def _room(world) -> HoldingRoom:
    (directory,) = world.proxy.rooms_directory.iterdir()
    return HoldingRoom(directory)


def _registrations(port: str, *addresses: Address) -> list[Registration]:
    return [Registration(f"i-{n}", "c", "r", "1", {port: address}, 1) for n, address in enumerate(addresses)]


def test_a_singleton_is_replaced_under_load_and_no_request_fails(world, clients, kit) -> None:
    world.service = Service("web", overlap=Overlap.FORBIDDEN)
    old = world.application()
    world.route(old.registration())
    clients.start()
    kit.await_condition(lambda: clients.total > 50, "clients are served")
    for _ in range(5):
        world.route(old.registration(), held=True)
        assert world.discovery.registrations(world.service)[1]
        world.route(old.registration(0), held=True)
        world.await_idle(old)
        answered = sum(clients.answers.values())
        old.stop()
        time.sleep(0.3)  # the gap: nothing runs, and clients go on sending
        assert sum(clients.answers.values()) == answered
        new = world.application()
        world.apply(new.registration(), held=True)
        world.route(new.registration())
        kit.await_condition(lambda name=new.name: clients.answers[name] > 20, "the new one answers")
        assert not world.discovery.registrations(world.service)[1]
        old = new
    clients.end()

    assert clients.lost == []
    assert clients.slowest_s > 0.3
    print(f"\n0 of {clients.total} lost in 5 replacements; the slowest answer took {clients.slowest_s:.2f} s")


def test_what_was_held_is_in_flight_at_the_new_instance_once_released(world, kit) -> None:
    old, new = world.application(), world.application()
    world.route(old.registration())
    world.route(held=True)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(world.get("/sleep/1.5")))
    thread.start()
    port = json.loads((_room(world).directory / "room.json").read_text())["http"]
    held_at = Address("127.0.0.1", port)
    kit.await_condition(lambda: world.view(held_at).in_flight == {held_at: 1}, "it waits in the room")
    world.route(new.registration())

    kit.await_condition(lambda: world.view(new.address).in_flight == {new.address: 1}, "it is counted")
    thread.join()
    assert answers == [(200, new.name)]
    world.await_idle(new)


def test_a_large_upload_that_was_held_arrives_whole(world, kit) -> None:
    one = world.application()
    world.route(held=True)
    body = os.urandom(1000) * 8000
    client = http.client.HTTPConnection(world.proxy.address.host, world.proxy.address.port, timeout=20)
    thread = threading.Thread(target=client.request, args=("POST", "/", body))
    thread.start()
    port = json.loads((_room(world).directory / "room.json").read_text())["http"]
    held_at = Address("127.0.0.1", port)
    kit.await_condition(lambda: world.view(held_at).in_flight == {held_at: 1}, "it waits in the room")
    world.route(one.registration())

    thread.join()
    assert client.getresponse().read() == f"{one.name} {len(body)}".encode()
    client.close()


def test_an_upgraded_connection_stays_with_its_instance_while_others_are_held(world, kit) -> None:
    one = world.application()
    world.route(one.registration())
    echo = kit.Echo(world.proxy.address)
    world.route(one.registration(0), held=True)

    assert echo.says("still here")
    kit.await_condition(lambda: world.view(one.address).in_flight == {one.address: 1}, "only this one is left")
    echo.close()
    world.await_idle(one)


def test_an_upgrade_that_was_held_goes_on_through_the_room(world, kit, monkeypatch) -> None:
    monkeypatch.setattr("zdd.adapters.traefik.room.LINGER_S", 0.5)
    one = world.application()
    world.route(held=True)
    room = _room(world)
    with ThreadPoolExecutor(1) as thread:
        upgraded = thread.submit(kit.Echo, world.proxy.address)
        held_at = Address("127.0.0.1", json.loads((room.directory / "room.json").read_text())["http"])
        kit.await_condition(lambda: world.view(held_at).in_flight == {held_at: 1}, "it waits in the room")
        world.route(one.registration())
        echo = upgraded.result()

    time.sleep(1.0)  # longer than an empty room stays open: this one isn't empty
    assert echo.says("through the room")
    assert room.alive
    echo.close()
    kit.await_condition(lambda: not room.alive, "the room has ended")


def test_the_room_ends_by_itself_when_it_is_released_and_empty(world, kit, monkeypatch) -> None:
    monkeypatch.setattr("zdd.adapters.traefik.room.LINGER_S", 0.5)
    one = world.application()
    world.route(one.registration(), held=True)
    room = _room(world)
    assert room.alive

    world.route(one.registration())

    kit.await_condition(lambda: not room.alive, "the room has ended")
    kit.await_condition(lambda: not room.directory.exists(), "its directory has gone")


def test_a_repeated_hold_keeps_the_room_and_what_waits_in_it(world) -> None:
    one = world.application()
    world.route(one.registration(), held=True)
    room = _room(world).directory
    world.route(one.registration(0), held=True)

    assert _room(world).directory == room


def test_a_hold_soon_after_a_release_gets_a_room_of_its_own(world) -> None:
    one = world.application()
    world.route(one.registration(), held=True)
    world.route(one.registration())
    world.route(one.registration(), held=True)

    assert len(list(world.proxy.rooms_directory.iterdir())) == 2
    assert world.view().held


def _held_by_a_room_that_died(world, kit) -> Any:
    one = world.application()
    world.route(one.registration(), held=True)
    room = _room(world)
    room.close()
    kit.await_condition(lambda: not room.alive, "it has ended")
    return one


def test_a_room_that_died_ends_the_hold_and_requests_go_where_they_would_without_it(world, kit) -> None:
    one = _held_by_a_room_that_died(world, kit)
    assert world.get()[0] == 502

    assert world.discovery.registrations(world.service) == ((one.registration(),), False)

    world.await_routed(one)
    assert world.get() == (200, one.name)


def test_after_a_room_has_died_another_can_be_opened(world, kit) -> None:
    one = _held_by_a_room_that_died(world, kit)

    world.route(one.registration(), held=True)

    assert _room(world).alive
    assert world.discovery.registrations(world.service)[1]


def test_nobody_hangs_for_ever_if_the_deployer_has_died(tmp_path, kit) -> None:
    room = HoldingRoom.open(tmp_path, "web", ["http"], maximum_s=0.5)
    address = room.addresses()["http"]
    with socket.create_connection((address.host, address.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    kit.await_condition(lambda: not room.alive, "it has ended")


def test_a_hold_lasts_as_long_as_a_failed_replacement_and_the_way_back() -> None:
    service = Service("web", drain_deadline_s=10, stop_grace_s=5, start_deadline_s=60)

    assert maximum_hold_s(service) == 10 + 2 * 5 + 2 * 60 + 30


def test_a_request_whose_client_gave_up_is_not_carried_out(tmp_path, world, kit) -> None:
    one = world.application()
    room = HoldingRoom.open(tmp_path, "web", ["http"], maximum_s=30)
    address = room.addresses()["http"]
    for path in ("/given-up", "/waited-for"):
        client = socket.create_connection((address.host, address.port), timeout=10)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if path == "/given-up":
            client.close()
    room.release([one.registration()])

    with client:
        assert client.recv(12) == b"HTTP/1.1 200"
    room.close()
    kit.await_condition(lambda: not room.alive, "it has ended")
    assert [head.split()[1] for head in one.headers] == ["/waited-for"]


def test_released_connections_are_divided_over_the_targets(tmp_path, world, kit) -> None:
    one, two = world.application(), world.application()
    room = HoldingRoom.open(tmp_path, "web", ["http"], maximum_s=30)
    address = room.addresses()["http"]
    held = [socket.create_connection((address.host, address.port), timeout=10) for _ in range(10)]
    room.release(_registrations("http", one.address, two.address))
    for client in held:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        client.close()
    room.close()

    kit.await_condition(lambda: not room.alive, "it has ended")
    assert (one.answered, two.answered) == (5, 5)


def test_a_room_whose_targets_are_all_gone_closes_what_it_held(tmp_path, kit) -> None:
    room = HoldingRoom.open(tmp_path, "web", ["http"], maximum_s=30)
    address = room.addresses()["http"]
    with socket.create_connection((address.host, address.port), timeout=10) as client:
        room.release(_registrations("http", Address("127.0.0.1", kit.free_port())))
        assert client.recv(1) == b""
    room.close()
    kit.await_condition(lambda: not room.alive, "it has ended")


def test_a_look_does_not_wait_for_ever_for_somebody_who_was_suspended_in_the_middle_of_a_write(world, kit) -> None:
    one = _held_by_a_room_that_died(world, kit)

    with ThreadPoolExecutor(1) as looks, (world.proxy.directory / "fences" / "web").open("rb") as suspended:
        fcntl.flock(suspended, fcntl.LOCK_EX)
        with pytest.raises(TemporaryError, match="fences/web is locked by somebody else"):
            looks.submit(world.discovery.registrations, world.service).result(30)

    assert world.discovery.registrations(world.service) == ((one.registration(),), False)
