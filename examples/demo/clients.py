"""Strict clients: they keep their connections alive, say what they expect, and never send anything twice.

A client library that quietly repeats a request on a fresh connection would hide the very loss that this load is there
to find, so these speak HTTP/1.1 themselves. What counts as a failure:

* a connection that is refused or reset, or that ends while an answer is awaited;
* an answer that is incomplete, late, not the expected one, or comes from somebody else than the application.

A connection that the server closes while nothing is under way on it is simply opened again for the next request.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping

import frames
from attrs import define, field, frozen
from tally import Tally

ANSWER_TIMEOUT_S = 15.0
BEHIND_MAX_S = 2.0
AFTER_FAILURE_S = 0.1
MESSAGE_INTERVAL_S = 0.1
MESSAGE_TIMEOUT_S = 5.0


class RequestFailed(Exception):
    """A request did not get the answer that it should get."""

    def __init__(self, kind: str, detail: str, *, version: str = "", status: int = 0) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail, self.version, self.status = kind, detail, version, status


@frozen
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def version(self) -> str:
        """Which version of the application answered; empty if it wasn't the application."""
        return self.headers.get("x-version", "")

    def failure(self, kind: str, detail: str = "") -> RequestFailed:
        """Return the error that says what is wrong with this answer."""
        told = detail or f"{self.body[:120]!r} from {self.headers.get('x-instance', 'somebody else')}"
        return RequestFailed(kind, told, version=self.version, status=self.status)


@define
class Wire:
    """One connection to the server, opened when it is needed."""

    host: str
    port: int
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    async def exchange(self, method: str, path: str, *, body: bytes = b"", headers: str = "") -> Answer:
        """Send one request, once, and return its whole answer.

        Raises:
            RequestFailed: The connection or the answer failed.
        """
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await self._open()
                length = f"Content-Length: {len(body)}\r\n" if body else ""
                head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{length}{headers}\r\n"
                writer.write(head.encode() + body)
                answer = await _read_answer(reader)
        except TimeoutError:
            self.close()
            raise RequestFailed("time-out", f"no answer within {ANSWER_TIMEOUT_S:g} s") from None
        except OSError as error:
            self.close()
            raise RequestFailed("reset", f"{type(error).__name__}: {error}") from None
        except RequestFailed:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the open connection, to go on with it in another protocol."""
        if self._streams is None:
            raise RequestFailed("closed", "the server closed the connection together with its answer")
        return self._streams

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            try:
                self._streams = await asyncio.open_connection(self.host, self.port)
            except OSError as error:
                raise RequestFailed("connect", f"{type(error).__name__}: {error}") from None
        return self._streams


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        kind = "incomplete" if error.partial else "closed"
        raise RequestFailed(kind, f"the connection ended after {len(error.partial)} bytes of an answer") from None
    first, *lines = head.split("\r\n")[:-2]
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdecimal():
        raise RequestFailed("not HTTP", repr(first[:80]))
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status, length = int(words[1]), headers.get("content-length", "")
    if status == 101:
        return Answer(status, headers)
    if not length.isdecimal():
        raise Answer(status, headers).failure("no length", f"status {status}")
    try:
        return Answer(status, headers, await reader.readexactly(int(length)))
    except asyncio.IncompleteReadError as error:
        detail = f"{len(error.partial)} of {length} bytes"
        raise Answer(status, headers).failure("incomplete", detail) from None


@frozen
class Errand:
    """One request and what its answer should be.

    Attributes:
        method: The method.
        path: The path.
        status: The status that is expected.
        content: What the body is expected to hold, at least.
        body: What is sent.
        order: The id of the order that it places, if it places one.
        short: Its time counts among the latencies.
    """

    method: str
    path: str
    status: int = 200
    content: Mapping[str, object] = field(factory=dict)
    body: bytes = b""
    order: str = ""
    short: bool = True

    def check(self, answer: Answer) -> None:
        """Raise `RequestFailed` if the answer is not the expected one."""
        if answer.status != self.status:
            raise answer.failure(f"status {answer.status}")
        try:
            content = json.loads(answer.body)
        except ValueError:
            content = {}
        if not answer.version or not isinstance(content, dict) or content.get("version") != answer.version:
            raise answer.failure("stranger")
        if any(content.get(name) != value for name, value in self.content.items()):
            raise answer.failure("mismatch")


def read() -> Errand:
    """A short read."""
    return Errand("GET", "/")


def order(name: str) -> Errand:
    """An order with an id that nobody else uses."""
    return Errand("POST", "/orders", 201, {"id": name}, json.dumps({"id": name}).encode(), order=name)


def slow(seconds: float) -> Errand:
    """A request that takes its time."""
    return Errand("GET", f"/slow?seconds={seconds:g}", content={"seconds": seconds}, short=False)


@define
class Client:
    """One keep-alive client: one request after the other, each when it is due.

    A request that is held up does not make the following ones wait unseen: they are sent as soon as possible, and
    their time counts from when they were due.
    """

    name: str
    wire: Wire
    tally: Tally
    interval_s: float
    next_errand: Callable[[], Errand]

    async def run(self, stopping: asyncio.Event, delay_s: float = 0.0) -> None:
        """Send requests until the load is to stop; the last answer is still awaited."""
        due = time.monotonic() + delay_s
        while not await _told_within(stopping, due - time.monotonic()):
            failed = not await self._do(self.next_errand(), due)
            if failed:
                await _told_within(stopping, AFTER_FAILURE_S)
            due = max(due + self.interval_s, time.monotonic() - BEHIND_MAX_S)
        self.wire.close()

    async def _do(self, errand: Errand, due: float) -> bool:
        try:
            answer = await self.wire.exchange(errand.method, errand.path, body=errand.body)
            errand.check(answer)
        except RequestFailed as failure:
            detail = f"{errand.method} {errand.path} by {self.name}: {failure.detail}"
            self.tally.failed(failure.kind, detail, failure.version, failure.status)
            return False
        self.tally.answered(answer.version, time.monotonic() - due if errand.short else None)
        if errand.order:
            self.tally.orders.append(errand.order)
        return True


@define
class WebsocketClient:
    """One client with a websocket: it numbers its messages and wants each of them back, in order.

    A goodbye (1001) names the last message that was handled. The client opens another websocket at once and goes on
    with the first message that was not. Any other end of a websocket is a drop, and so is a message that doesn't come
    back.
    """

    name: str
    wire: Wire
    tally: Tally
    _number: int = field(default=1, init=False)
    _awaited: bool = field(default=False, init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        """Converse until the load is to stop."""
        while not stopping.is_set():
            parser = frames.FrameParser()
            try:
                await self._connect()
            except RequestFailed as failure:
                detail = f"websocket handshake of {self.name}: {failure.detail}"
                self.tally.failed(failure.kind, detail, failure.version, failure.status)
                await _told_within(stopping, AFTER_FAILURE_S)
                continue
            try:
                await self._converse(parser, stopping)
            except RequestFailed as failure:
                self.tally.dropped_websocket(f"websocket {failure.kind}", f"{self.name}: {failure.detail}")
                self._number += self._awaited  # it is counted as lost, and not asked for again
                await _told_within(stopping, AFTER_FAILURE_S)
            self._awaited = False
            self.wire.close()

    async def _connect(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        answer = await self.wire.exchange("GET", "/websocket", headers=f"{upgrade}Sec-WebSocket-Key: {key}\r\n")
        if answer.status != 101 or answer.headers.get("sec-websocket-accept") != frames.accept_key(key):
            self.wire.close()
            raise answer.failure(f"status {answer.status}")
        self.tally.answered(answer.version)

    async def _converse(self, parser: frames.FrameParser, stopping: asyncio.Event) -> None:
        """Send and await messages until either side says goodbye.

        Raises:
            RequestFailed: The websocket was dropped, or a message on it was lost.
        """
        due = time.monotonic()
        while self._awaited or not stopping.is_set():
            if time.monotonic() >= due and not self._awaited:
                self._write(frames.Frame(frames.TEXT, str(self._number).encode()))
                self._awaited, due = True, time.monotonic() + MESSAGE_INTERVAL_S
            limit_s = due - time.monotonic() + (MESSAGE_TIMEOUT_S if self._awaited else 0)
            frame = await self._receive(parser, limit_s)
            if frame is None and self._awaited:
                raise RequestFailed("lost a message", f"number {self._number} was not echoed")
            if frame is not None and frame.opcode == frames.CLOSE:
                self._take_goodbye(frame)
                return
            if frame is not None:
                self._take(frame)
        self._write(frames.close(1000))

    async def _receive(self, parser: frames.FrameParser, limit_s: float) -> frames.Frame | None:
        """Return the next frame, or None if there is none within `limit_s` seconds."""
        reader, _ = self.wire.streams()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                try:
                    while (frame := parser.next()) is None:
                        data = await reader.read(65536)
                        if not data:
                            raise RequestFailed("dropped", "the connection ended without a close frame")
                        parser.feed(data)
                except (ConnectionError, frames.FrameError) as error:
                    raise RequestFailed("dropped", f"{type(error).__name__}: {error}") from None
                return frame
        return None

    def _take(self, frame: frames.Frame) -> None:
        if frame.opcode == frames.PING:
            self._write(frames.Frame(frames.PONG, frame.payload))
        elif frame.opcode == frames.TEXT:
            if not self._awaited or frame.payload != str(self._number).encode():
                awaited = self._number if self._awaited else "nothing"
                raise RequestFailed("lost a message", f"{frame.payload[:40]!r} came where {awaited} was awaited")
            self._awaited = False
            self._number += 1
            self.tally.messages += 1

    def _take_goodbye(self, frame: frames.Frame) -> None:
        if frame.close_code != frames.GOING_AWAY:
            raise RequestFailed("dropped", f"closed with {frame.close_code} {frame.close_reason}")
        if self._awaited and frame.close_reason == f"last={self._number}":
            raise RequestFailed("lost a message", f"number {self._number} was handled and not echoed")
        self._write(frames.close(frames.GOING_AWAY))
        self.tally.goodbyes += 1

    def _write(self, frame: frames.Frame) -> None:
        self.wire.streams()[1].write(frames.encode(frame, masked=True))


async def _told_within(stopping: asyncio.Event, wait_s: float) -> bool:
    """Wait that long, or until the load is to stop; say whether it is."""
    if wait_s > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stopping.wait()
    return stopping.is_set()
