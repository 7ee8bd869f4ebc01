"""A real Traefik a test, small real HTTP servers behind it, and clients that never retry."""

import asyncio
import http.client
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.errors import TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.005)


class Application:
    """An HTTP server that answers with its name. It keeps connections open, and when it stops it cuts them at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.name = name
        self.answered = 0
        self.headers: list[str] = []
        self._loop = loop
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), loop
        ).result()
        self.address = Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    def registration(self, weight: int = 100) -> Registration:
        return Registration(self.name, "web", "r-1", "1.0", {"http": self.address}, weight)

    def stop(self) -> None:
        def cut() -> None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()

        self._loop.call_soon_threadsafe(cut)
        _await(lambda: not self._writers, f"{self.name} stopped")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.headers.append(head)
        path = head.split()[1]
        if "upgrade: echo" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while line := await reader.readline():
                writer.write(line)
            return
        length = next((int(line.split()[1]) for line in head.splitlines() if line.lower().startswith("content-le")), 0)
        body = await reader.readexactly(length)
        if "/sleep/" in path:
            await asyncio.sleep(float(path.rpartition("/")[2]))
        answer = f"{self.name} {len(body)}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        await writer.drain()
        self.answered += 1


class Clients:
    """Strict clients: each keeps its connection, never retries, and writes down everything that isn't a 200."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self.lost: list[str] = []
        self.answers: Counter[str] = Counter()
        self.slowest_s = 0.0

    def start(self, *, gets: int = 4, posts: int = 2, slow: int = 3, slow_s: float = 1.2) -> None:
        for count, method, path, body in (
            (gets, "GET", "/", b""),
            (posts, "POST", "/", b"x" * 20_000),
            (slow, "GET", f"/sleep/{slow_s}", b""),
        ):
            for _ in range(count):
                self._threads.append(threading.Thread(target=self._run, args=(method, path, body)))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    @property
    def total(self) -> int:
        return sum(self.answers.values()) + len(self.lost)

    def _run(self, method: str, path: str, body: bytes) -> None:
        client = http.client.HTTPConnection(self._address.host, self._address.port, timeout=30)
        while not self._end.is_set():
            began = time.monotonic()
            try:
                client.request(method, path, body)
                response = client.getresponse()
                text = response.read().decode()
                if response.status == 200 and text.endswith(f" {len(body)}"):
                    self.answers[text.split()[0]] += 1
                else:
                    self.lost.append(f"{method} {path}: {response.status} {text}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{method} {path}: {error!r}")
                client.close()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            time.sleep(0.002)
        client.close()


class Echo:
    """A connection that was upgraded, as a websocket is: it says one line at a time and wants it back."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=10)
        self._socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        self._file = self._socket.makefile("rb")
        assert b" 101 " in self._file.readline()
        while self._file.readline() != b"\r\n":
            pass

    def says(self, text: str) -> bool:
        self._socket.sendall(text.encode() + b"\n")
        return self._file.readline() == text.encode() + b"\n"

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class World:
    """Traefik with its discovery and its edge, for one service."""

    def __init__(self, proxy: TraefikProxy, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy = proxy
        self.discovery = TraefikDiscovery(proxy)
        self.edge = TraefikEdge(proxy)
        self.service = Service("web", replicas=2)
        self.fence = Fence(1, "tester")
        self.seen_after_s: list[float] = []
        self._loop = loop
        self._numbers = itertools.count(1)
        self.applications: list[Application] = []

    def application(self) -> Application:
        application = Application(self._loop, f"web-{next(self._numbers)}")
        self.applications.append(application)
        return application

    def apply(self, *registrations: Registration, held: bool = False) -> None:
        self.discovery.apply(self.service, Route(registrations, held), self.fence)

    def view(self, *addresses: Address) -> EdgeView:
        return self.edge.view(self.service, addresses)

    def route(self, *registrations: Registration, held: bool = False) -> None:
        """Apply, and return when the edge shows it."""
        began = time.monotonic()
        self.apply(*registrations, held=held)
        wanted = {} if held else {r.addresses["http"]: r.weight for r in registrations if r.weight}
        _await(lambda: (self.view().weights, self.view().held) == (wanted, held), f"the edge shows {wanted} {held=}")
        self.seen_after_s.append(time.monotonic() - began)

    def await_routed(self, *applications: Application) -> None:
        wanted = {application.address for application in applications}
        _await(lambda: set(self.view().weights) == wanted, f"the edge shows {wanted}")

    def await_idle(self, application: Application) -> list[int]:
        """Return every count that was seen until nothing was in flight in two looks."""
        counts: list[int] = []

        def idle() -> bool:
            counts.append(self.view(application.address).in_flight[application.address])
            return counts[-2:] == [0, 0]

        _await(idle, f"nothing is in flight at {application.name}")
        return counts

    def get(self, path: str = "/", host: str = "x") -> tuple[int, str]:
        client = http.client.HTTPConnection(self.proxy.address.host, self.proxy.address.port, timeout=10)
        try:
            client.request("GET", path, headers={"Host": host})
            response = client.getresponse()
            return response.status, response.read().decode().partition(" ")[0]
        finally:
            client.close()

    def await_answer(self, path: str, answer: tuple[int, str]) -> None:
        _await(lambda: self.get(path) == answer, f"{path} is answered with {answer}")

    def await_restart(self, before: str) -> None:
        def restarted() -> bool:
            try:
                return self.view().process != before
            except TemporaryError:
                return False

        _await(restarted, "Traefik runs again")


@pytest.fixture
def kit() -> SimpleNamespace:
    return SimpleNamespace(free_port=_free_port, await_condition=_await, Clients=Clients, Echo=Echo, World=World)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop

    async def cancel_all() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(cancel_all(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[TraefikProxy]:
    proxy = TraefikProxy(tmp_path, port=_free_port())
    yield proxy
    proxy.stop()


@pytest.fixture
def world(proxy: TraefikProxy, loop: asyncio.AbstractEventLoop) -> Iterator[World]:
    proxy.ensure_running()
    world = World(proxy, loop)
    yield world
    for application in world.applications:
        application.stop()


@pytest.fixture
def clients(proxy: TraefikProxy) -> Iterator[Clients]:
    clients = Clients(proxy.address)
    yield clients
    clients.end()
