"""Each answer has its time as a whole, the first line and the headers too; the next one has all of it again."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from zdd.adapters.consul.bounded_answers import bound_answers

TIMEOUT_S = 0.5
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[Callable[[socket.socket, threading.Event], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Gives the address of a server whose one client is answered as the test says, until the test ends."""
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(ended.set)

        def start(answer: Callable[[socket.socket, threading.Event], None]) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def run() -> None:
                client, _ = listener.accept()
                with client, contextlib.suppress(OSError):  # the other side may have had enough
                    answer(client, ended)

            thread = threading.Thread(target=run)
            thread.start()
            stack.callback(thread.join, 30.0)
            stack.callback(ended.set)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        bound_answers(made)
        yield made


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nX: "], ids=["first line", "header"])
def test_what_drips_is_not_waited_for(serve: Serve, session: requests.Session, begun: bytes) -> None:
    def drip(client: socket.socket, ended: threading.Event) -> None:
        client.recv(65536)
        client.sendall(begun)
        for _ in range(50):  # then it hangs up, which is another error
            if not ended.wait(TIMEOUT_S / 5):  # well within the time-out, each
                client.sendall(b".")

    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get(serve(drip), timeout=TIMEOUT_S)


def test_the_next_answer_on_the_same_connection_has_its_whole_time(serve: Serve, session: requests.Session) -> None:
    def twice(client: socket.socket, ended: threading.Event) -> None:
        for _ in range(3):
            client.recv(65536)
            ended.wait(TIMEOUT_S * 0.6)  # two of them together are longer than the time-out
            client.sendall(WHOLE)

    address = serve(twice)
    assert [session.get(address, timeout=TIMEOUT_S).text for _ in range(3)] == ["ok"] * 3
