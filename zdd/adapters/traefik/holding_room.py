"""Holds connections for a service whose instances may not overlap. A small program of its own.

::

    python -I -S holding_room.py DIRECTORY

It reads ``order.json`` in the directory, listens on one loopback port for each port name in there, writes the numbers
to ``room.json``, and lets its starter go. Then it accepts connections and reads nothing from them, until a new order
says where to: it connects each to a target and passes bytes both ways until either side closes. Nobody has read the
requests in the meantime, so none can be lost half-way, and none is sent twice.

It ends by itself: when nothing has come for ``linger_s`` seconds after the release, when the order says so, or when
nobody has renewed the order to hold within ``maximum_s`` seconds. Then it closes what it holds, because its deployer
must be dead, and the clients had better be told.

It holds a lock on the file ``lock`` for as long as it lives. Only the standard library.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BACKLOG = 4096
CHUNK_BYTES = 65_536
LOOK_S = 0.02
CONNECT_TIMEOUT_S = 1.0
CONNECT_ROUNDS = 5
_ESTABLISHED = 1  # of the states in linux/tcp.h


class Room:
    """The connections, and the order they wait for."""

    def __init__(self, directory: Path) -> None:
        self._order_path = directory / "order.json"
        self._stamp: tuple[int, int] = (0, 0)
        self._order: dict[str, Any] = {}
        self._released = asyncio.Event()
        self._changed_at = 0.0
        self._connections: set[asyncio.Task[None]] = set()
        self._sent: dict[tuple[str, int], int] = {}

    async def run(self, listeners: dict[str, socket.socket]) -> None:
        """Return when there is nothing left to do here."""
        acceptors = [asyncio.create_task(self._accept(port, listener)) for port, listener in listeners.items()]
        while not self._over():
            await asyncio.sleep(LOOK_S)
            self._look()
        for task in (*acceptors, *self._connections):
            task.cancel()
        await asyncio.gather(*acceptors, *self._connections, return_exceptions=True)

    def _look(self) -> None:
        """Read the order if it was renewed."""
        try:
            status = self._order_path.stat()
        except FileNotFoundError:  # somebody has removed the directory: there is nobody to take orders from
            self._order = {"end": True}
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._order = json.loads(self._order_path.read_bytes())
            self._stamp = stamp
            self._changed_at = asyncio.get_running_loop().time()
            if not self._order["held"]:
                self._released.set()

    def _over(self) -> bool:
        if not self._order:
            self._look()
        if self._order.get("end"):
            return True
        now = asyncio.get_running_loop().time()
        if not self._released.is_set():
            return now - self._changed_at > float(self._order["maximum_s"])
        if self._connections:
            self._changed_at = now
        return now - self._changed_at > float(self._order["linger_s"])

    async def _accept(self, port: str, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:  # out of descriptors: those who wait in the kernel's queue are held there
                await asyncio.sleep(LOOK_S)
                continue
            task = asyncio.create_task(self._serve(port, client))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, port: str, client: socket.socket) -> None:
        with client:
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._released.wait()
            if client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED:
                return  # who waited has given up: nobody wants this request carried out any more
            target = await self._connect(port)
            if target is None:
                return
            with target:
                pumps = [asyncio.create_task(_pump(client, target)), asyncio.create_task(_pump(target, client))]
                try:
                    await asyncio.gather(*pumps)
                except OSError:  # one side was cut off: so is the other, by leaving these blocks
                    pass
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _connect(self, port: str) -> socket.socket | None:
        for _ in range(CONNECT_ROUNDS):
            for host, number in self._targets(port):
                target = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
                target.setblocking(False)
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        await asyncio.get_running_loop().sock_connect(target, (host, number))
                except OSError:  # TimeoutError is one too
                    target.close()
                else:
                    return target
            await asyncio.sleep(LOOK_S * 5)
        return None

    def _targets(self, port: str) -> Iterator[tuple[str, int]]:
        """Yield where connections of this port may go, the one that is behind its weight first."""
        targets: list[tuple[str, int, int]] = [tuple(target) for target in self._order["targets"].get(port, ())]
        targets.sort(key=lambda target: (self._sent.get(target[:2], 0) + 1) / target[2])
        for host, number, _ in targets:
            self._sent[host, number] = self._sent.get((host, number), 0) + 1
            yield host, number


async def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes, and then the end of it."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK_BYTES):
        await loop.sock_sendall(sink, data)
    with contextlib.suppress(OSError):  # it has gone already
        sink.shutdown(socket.SHUT_WR)


def listen(directory: Path) -> dict[str, socket.socket]:
    """Listen on a loopback port for each port name of the order, and say which."""
    names = json.loads((directory / "order.json").read_bytes())["ports"]
    listeners = {name: socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) for name in names}
    for listener in listeners.values():
        listener.setblocking(False)
    numbers = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    (directory / "room.json").write_text(json.dumps(numbers), encoding="utf-8")
    return listeners


def main(directory: Path) -> None:
    """Listen, let the starter go, hold, pass on, and clean up."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    listeners = listen(directory)
    if os.fork():
        os._exit(0)  # the starter waits for this
    asyncio.run(Room(directory).run(listeners))
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
