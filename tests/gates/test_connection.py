"""One deadline over everything that is done with a connection, and trouble said in plain words."""

from __future__ import annotations

import errno
import io
import socket
import time
from typing import Any

import pytest

from zdd.gates.connection import BoundedSocket, connect, describe_failure
from zdd.model.address import Address


def test_a_connection_to_itself_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """On loopback the kernel may choose the very port that is asked for as the asker's own."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = Address(*holder.getsockname())

    class SamePort(socket.socket):
        def connect(self, place: Any) -> None:
            self.bind(place)
            super().connect(place)

    monkeypatch.setattr(socket, "socket", SamePort)
    with pytest.raises(ConnectionRefusedError, match="nobody listens"):
        connect(address, time.monotonic() + 30)


def test_a_time_that_is_over_before_it_begins_connects_to_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(TimeoutError, match="the time is over"):
            connect(Address(*server.getsockname()), time.monotonic() - 1)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_server_that_sends_a_byte_from_time_to_time_does_not_stretch_the_time() -> None:
    ours, theirs = socket.socketpair()
    until_s = time.monotonic() + 0.3

    def read_as_it_comes(answer: io.BufferedReader) -> None:
        while time.monotonic() < until_s + 10:
            theirs.sendall(b"a")
            assert answer.read(1) == b"a"
            time.sleep(0.02)

    with ours, theirs, BoundedSocket(ours, until_s).makefile("rb") as answer:
        with pytest.raises(TimeoutError):
            read_as_it_comes(answer)
        with pytest.raises(TimeoutError):
            BoundedSocket(ours, until_s).sendall(b"more")


def test_http_client_closes_it_before_the_answer_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounded = BoundedSocket(ours, time.monotonic() + 30)
        bounded.close()
        bounded.sendall(b"still open")
        assert theirs.recv(100) == b"still open"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer within 2.5 s"),
        (ConnectionRefusedError(), "connection refused"),
        (ConnectionResetError(), "connection reset"),
        (BrokenPipeError(), "connection reset"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "No route to host"),
        (OSError("something else"), "something else"),
    ],
)
def test_what_went_wrong_is_said_in_words(error: OSError, words: str) -> None:
    assert describe_failure(error, 2.5) == words
