"""A holding room as the discovery sees it: a name in a directory, by which any process can tell it what to do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.traefik import room as room_module
from zdd.adapters.traefik.room import HoldingRoom
from zdd.errors import PermanentError, TemporaryError
from zdd.model.address import Address
from zdd.model.traffic import Registration


@pytest.fixture
def rooms(tmp_path: Path, kit: Any) -> Iterator[Path]:
    """The directory of the rooms, of which none is left open."""
    directory = tmp_path / "rooms"
    directory.mkdir()
    yield directory
    opened = [HoldingRoom(path) for path in directory.iterdir()]
    for room in opened:
        room.close()
    kit.await_condition(lambda: not any(room.alive for room in opened), "every room has ended")


def open_room(rooms: Path, *ports: str, service: str = "web", maximum_s: float = 30.0) -> HoldingRoom:
    return HoldingRoom.open(rooms, service, ports or ("http",), maximum_s)


def process_that_has_open(path: Path) -> int:
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # processes come and go
            if handle.readlink() == path:
                return int(handle.parts[2])
    raise AssertionError(f"nobody has {path} open")


def killed(room: HoldingRoom, kit: Any) -> None:
    os.kill(process_that_has_open(room.directory / "lock"), signal.SIGKILL)
    kit.await_condition(lambda: not room.alive, "it has been killed")


def test_it_listens_for_each_port_when_it_is_open(rooms):
    room = open_room(rooms, "http", "admin")
    assert room.alive
    assert sorted(room.addresses()) == ["admin", "http"]
    for address in room.addresses().values():
        socket.create_connection((address.host, address.port), timeout=10).close()


def test_the_next_deployer_finds_it_by_its_directory(rooms, kit):
    room = open_room(rooms)
    found = HoldingRoom(room.directory)
    assert found.alive
    assert found.holds(["http"])
    assert found.addresses() == room.addresses()
    found.close()
    kit.await_condition(lambda: not room.alive, "it has ended")


def test_it_holds_what_it_has_ports_for_until_it_is_told_otherwise(rooms):
    room, other = open_room(rooms, "http", "admin"), open_room(rooms)
    assert room.holds([])
    assert room.holds(["admin"])
    assert not room.holds(["http", "metrics"])
    room.release([])
    assert not room.holds(["http"])
    other.close()
    assert not other.holds(["http"])


def test_renewed_it_holds_for_that_long_from_then(rooms, kit):
    room = open_room(rooms, maximum_s=30.0)
    room.renew(0.1)
    kit.await_condition(lambda: not room.directory.exists(), "it has ended, and removed what it had")


def test_what_has_no_weight_gets_nothing_of_what_was_held(rooms, kit):
    room = open_room(rooms)
    address = room.addresses()["http"]
    with (
        socket.create_server(("127.0.0.1", 0)) as out,
        socket.create_connection((address.host, address.port), timeout=10) as client,
    ):
        out.settimeout(0)
        there = Address("127.0.0.1", out.getsockname()[1])
        room.release([Registration("web.1", "web", "r1", "1", {"http": there}, 0)])
        assert client.recv(1) == b""
        with pytest.raises(BlockingIOError):
            out.accept()


def test_one_that_has_ended_holds_nothing_and_needs_not_be_told_anything(rooms, kit):
    room = open_room(rooms)
    room.close()
    kit.await_condition(lambda: not room.directory.exists(), "it has ended")
    assert not room.alive
    assert not room.holds([])
    room.renew(30.0)
    room.release([])
    room.close()
    assert not room.directory.exists()
    with pytest.raises(TemporaryError, match="has just ended"):
        room.addresses()


def test_what_killed_ones_have_left_goes_with_the_next_of_that_service_alone(rooms, kit):
    mine, neighbour = open_room(rooms), open_room(rooms, service="web-2")
    for room in (mine, neighbour):
        killed(room, kit)
    alive = open_room(rooms)
    other = open_room(rooms)
    assert {path.name for path in rooms.iterdir()} == {room.directory.name for room in (neighbour, alive, other)}


@pytest.mark.parametrize(
    ("program", "kind", "words"),
    [
        ("echo first; echo the last line >&2; exit 3", PermanentError, "can't be opened: the last line"),
        ("exit 3", PermanentError, "can't be opened: it ended with status 3"),
        ("exec sleep 600", TemporaryError, "did not open in time"),
    ],
)
def test_one_that_does_not_open_says_why_and_leaves_no_process(rooms, monkeypatch, tmp_path, program, kind, words):
    interpreter = tmp_path / "python3"
    interpreter.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{program}\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    monkeypatch.setattr(room_module, "_OPEN_TIMEOUT_S", 1.0)
    with pytest.raises(kind, match=f"the room that holds requests of web {words}"):
        open_room(rooms)
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_where_nothing_can_be_made_the_directory_is_named(tmp_path):
    with pytest.raises(TemporaryError, match="gone"):
        open_room(tmp_path / "gone")


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_order_is_never_guessed_and_ends_the_room(rooms, kit, content):
    room = open_room(rooms)
    (room.directory / "order.json").write_text(content)
    for use in (lambda: room.holds(["http"]), lambda: room.renew(1.0), lambda: room.release([]), room.close):
        with pytest.raises(TemporaryError, match=r"order\.json is damaged, so the room ends"):
            use()
    kit.await_condition(lambda: not room.alive, "it has ended")
    assert open_room(rooms).holds(["http"])
    assert not room.directory.exists()
