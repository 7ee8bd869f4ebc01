"""Little servers on loopback, each of which answers in one way, good or bad; and gates that see what they are told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import frozen

from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict


class Server:
    """Accepts connections, and hands each to `answer` in a thread of its own."""

    def __init__(self, answer: Callable[[socket.socket, threading.Event], None]) -> None:
        self._answer = answer
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> Address:
        return Address(*self._listener.getsockname())

    @property
    def target(self) -> Target:
        return Target("web", "1.0", "r1", "web-1", {"http": self.address})

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                self.requests.append(connection.recv(65536))
                self._answer(connection, self.ended)
            except OSError:
                pass  # the gate has gone, as it may

    def stop(self) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start a server that answers with the given bytes, or as the given function does."""
    servers: list[Server] = []

    def start(answer: bytes | Callable[[socket.socket, threading.Event], None]) -> Server:
        def send(connection: socket.socket, _ended: threading.Event) -> None:
            connection.sendall(answer)  # type: ignore[arg-type]

        servers.append(Server(send if isinstance(answer, bytes) else answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def closed_address() -> Iterator[Address]:
    """An address at which nobody listens, and nobody else can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield Address(*holder.getsockname())


@pytest.fixture
def full_address() -> Iterator[Address]:
    """An address whose host does not take up connections: the queue of its listener is full."""
    with full_listener() as address:
        yield address


@contextmanager
def full_listener() -> Iterator[Address]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting: list[Any] = []
        try:
            for _ in range(8):
                client = socket.socket()
                waiting.append(client)
                client.settimeout(0.2)
                try:
                    client.connect(listener.getsockname())
                except TimeoutError:
                    break
            else:
                pytest.fail("the queue of the listener did not fill up")
            yield Address(*listener.getsockname())
        finally:
            for client in waiting:
                client.close()


@frozen
class Scripted:
    """A gate that sees what it is told to, in order, and judges by the last look."""

    name: str
    script: list[Result]
    interval_s: float = 1.0
    deadline_s: float | None = None

    def ports(self) -> frozenset[str]:
        return frozenset({self.name})

    def sample(self, target: Target) -> Sample:
        result = self.script.pop(0)
        return Sample(result, f"saw {result.value}", {"seen": 1.0})

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        if not samples:
            return Verdict(Result.INCONCLUSIVE, "new")
        return Verdict(samples[-1].result, samples[-1].reason, samples[-1].figures)

    def __str__(self) -> str:
        return self.name


@pytest.fixture
def scripted() -> Callable[..., Any]:
    """Make a gate that sees these results, one at each look."""

    def make(name: str, *results: Result) -> Scripted:
        return Scripted(name, list(results))

    return make


@pytest.fixture
def run() -> Callable[[Any, int], tuple[list[Sample], Verdict]]:
    """Let a gate look so many times, and return the looks and what it concludes from them."""

    def look(gate: Any, looks: int) -> tuple[list[Sample], Verdict]:
        samples = [gate.sample(Target("web", "1.0", "r1", "web-1")) for _ in range(looks)]
        return samples, gate.judge(samples)

    return look
