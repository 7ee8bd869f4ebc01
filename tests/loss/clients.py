"""Strict clients: each keeps its connection and never sends a request twice. ``clients.py HOST PORT LOAD LONGEST_S``.

Every line on standard input is answered with one line of JSON: what happened so far. When the input ends, the clients
finish what they have begun, and the last line follows.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

ANSWER_TIMEOUT_S = 30.0
AFTER_LOSS_S = 0.1
LAST_ANSWERS_S = 3.0
MESSAGE_INTERVAL_S = 0.2

# Kind, how many of them, how long the request takes, the pause after it; the longest ones as long as is asked for.
CLIENTS = (("GET", 14, 0.005, 0.1), ("POST", 4, 0.005, 0.1), ("GET", 45, 1.0, 0.02), ("POST", 10, 1.0, 0.02))
LONGEST = 3
WEBSOCKETS = 2
# So few that an instance often has no request in hand, and no idle connection either, while it still gets requests.
LIGHT_CLIENTS = (("GET", 4, 0.1, 1.0), ("POST", 2, 0.1, 1.0))


class Lost(Exception):
    """What a client did not get."""


def check(status: int, wanted: int, content: bytes) -> None:
    """Raise `Lost` if it was not answered as wanted."""
    if status != wanted:
        raise Lost(f"{status} {content[:60]!r}")


@dataclass
class Tally:
    """What the clients saw."""

    answered: int = 0
    lost: list[tuple[float, str]] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    posts: list[str] = field(default_factory=list)
    unknown_posts: list[str] = field(default_factory=list)

    def facts(self, *, whole: bool) -> str:
        facts: dict[str, object] = {"answered": self.answered, "lost": len(self.lost), "versions": self.versions}
        if whole:
            facts |= {"losses": self.lost, "cut": self.cut, "posts": self.posts, "unknown_posts": self.unknown_posts}
        return json.dumps(facts)


@dataclass
class Client:
    """One client and its connection."""

    name: str
    host: str
    port: int
    tally: Tally
    stopping: asyncio.Event
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.streams is not None and self.streams[0].at_eof():
            self.close()
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        return self.streams

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None

    async def exchange(self, method: str, path: str, headers: str = "", body: bytes = b"") -> tuple[int, bytes]:
        """Send one request, once, and return status and body."""
        reader, writer = await self.open()
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: loss\r\n{length}{headers}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        content = b"" if status == 101 else await reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return status, content

    async def request(self, method: str, seconds: float, number: int) -> None:
        mark = f"{self.name}-{number}"
        body = b"x" * 3000 if method == "POST" else b""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                status, content = await self.exchange(method, f"/work?id={mark}&seconds={seconds}", "", body)
            check(status, 200, content)
        except (OSError, Lost, ValueError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.tally.lost.append((time.time(), f"{method} of {seconds:g} s: {error!r}"))
            self.tally.unknown_posts += [mark] if method == "POST" else []
            self.close()
            await asyncio.sleep(AFTER_LOSS_S)
            return
        self.tally.answered += 1
        self.tally.versions[content.decode()] += 1
        self.tally.posts += [mark] if method == "POST" else []

    async def run(self, method: str, seconds: float, pause_s: float, delay_s: float) -> None:
        await self.rest(delay_s)
        number = 0
        while not self.stopping.is_set():
            number += 1
            await self.request(method, seconds, number)
            await self.rest(pause_s)
        self.close()

    async def rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    async def converse(self) -> None:
        """Keep a websocket open, and open it again when it was cut."""
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        while not self.stopping.is_set():
            key = base64.b64encode(os.urandom(16)).decode()
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    status, content = await self.exchange("GET", "/websocket", f"{upgrade}Sec-WebSocket-Key: {key}\r\n")
                check(status, 101, content)
            except (OSError, Lost, ValueError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.tally.lost.append((time.time(), f"websocket: {error!r}"))
                self.close()
                await asyncio.sleep(AFTER_LOSS_S)
                continue
            self.tally.answered += 1
            try:
                await self.messages()
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.tally.cut.append(time.time())
            self.close()

    async def messages(self) -> None:
        assert self.streams is not None
        reader, writer = self.streams
        while not self.stopping.is_set():
            writer.write(b"\x81\x85\0\0\0\0hello")
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await reader.readexactly(7)
            await self.rest(MESSAGE_INTERVAL_S)
        writer.write(b"\x88\x80\0\0\0\0")


async def main(host: str, port: int, load: str, longest_s: float) -> None:
    tally, stopping = Tally(), asyncio.Event()
    mark = base64.b32encode(os.urandom(5)).decode()
    running = []
    clients = LIGHT_CLIENTS if load == "light" else (*CLIENTS, ("GET", LONGEST, longest_s, 0.1))
    for kind, (method, number, seconds, pause_s) in enumerate(clients):
        for one in range(number):
            client = Client(f"{mark}-{kind}-{one}", host, port, tally, stopping)
            delay_s = (one + 0.5) / number * (seconds + pause_s)
            running.append(asyncio.create_task(client.run(method, seconds, pause_s, delay_s)))
    talkers = [
        Client(f"{mark}-w-{one}", host, port, tally, stopping) for one in range(0 if load == "light" else WEBSOCKETS)
    ]
    running += [asyncio.create_task(talker.converse()) for talker in talkers]
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while await questions.readline():
        print(tally.facts(whole=False), flush=True)
    stopping.set()
    # Whoever is in the middle of a long request then is not waited for, and it counts neither way.
    _, unfinished = await asyncio.wait(running, timeout=LAST_ANSWERS_S)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
    print(tally.facts(whole=True), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
