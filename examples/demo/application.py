"""The service that the demo deploys: a small HTTP application that knows how to stop.

It is an ordinary program: it reads its settings from the environment, listens on a port, and when it gets SIGTERM it
stops accepting, says goodbye to its websockets with 1001, finishes what is in flight, and ends with exit code 0.

    PORT          where to listen, on 127.0.0.1
    VERSION       what it calls itself; else ZDD_VERSION, else "unknown"
    ZDD_INSTANCE  the name of this instance; else its process id
    ORDERS_LOG    the file that gets one line for each order
    BEHAVIOUR     healthy (the default), or one of the faults below

It speaks HTTP/1.1 by the standard library alone. Four of these boot at once on the processors that carry the load and
the proxy: this one is up after 0.1 s, while the import of a web framework takes three times as long.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import itertools
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import frames
from http11 import BadRequest, Request, read_request

HOST = "127.0.0.1"
WORK_S = 0.003
SLOW_MAX_S = 60.0
GOODBYE_MAX_S = 2.0
BAD_EVERY = 4

REASONS = {
    101: "Switching Protocols",
    200: "OK",
    201: "Created",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Behaviour(enum.Enum):
    """How an instance behaves. Everything but the first is a fault that a deployment has to cope with."""

    HEALTHY = "healthy"
    NEVER_HEALTHY = "never_healthy"
    BAD_RELEASE = "bad_release"
    EXIT_AT_ONCE = "exit_at_once"
    IGNORE_TERM = "ignore_term"


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    port: int
    version: str = "unknown"
    instance: str = ""
    behaviour: Behaviour = Behaviour.HEALTHY
    orders_log: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings, or end with a message that names what is wrong."""
        port = environment.get("PORT", "")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise SystemExit(f"PORT is {port!r}: set it to a port number from 1 to 65535")
        behaviour = environment.get("BEHAVIOUR", Behaviour.HEALTHY.value)
        known = [each.value for each in Behaviour]
        if behaviour not in known:
            raise SystemExit(f"BEHAVIOUR is {behaviour!r}: use one of {', '.join(known)}")
        return cls(
            port=int(port),
            version=environment.get("VERSION") or environment.get("ZDD_VERSION") or "unknown",
            instance=environment.get("ZDD_INSTANCE") or str(os.getpid()),
            behaviour=Behaviour(behaviour),
            orders_log=environment.get("ORDERS_LOG", ""),
        )


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    status: int
    content: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Application:
    """One instance: what it answers, and what it has answered so far."""

    settings: Settings
    requests: int = 0
    errors: int = 0
    in_flight: int = 0
    websockets: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _turns: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def identity(self) -> dict[str, object]:
        """What runs here."""
        return {"version": self.settings.version, "instance": self.settings.instance}

    async def answer(self, request: Request) -> Answer:
        """Answer a request, and count it if it is a real one."""
        if request.path in {"/health", "/statistics"}:
            return self._look(request.path)
        self.in_flight += 1
        try:
            answer = await self._work(request)
        finally:
            self.in_flight -= 1
        self.requests += 1
        self.errors += answer.status >= 500
        return answer

    def _look(self, path: str) -> Answer:
        if path == "/statistics":
            figures = ("requests", "errors", "in_flight", "websockets")
            return Answer(200, {**self.identity, **{name: getattr(self, name) for name in figures}})
        well = self.settings.behaviour is not Behaviour.NEVER_HEALTHY and not self.stopping.is_set()
        return Answer(200 if well else 503, {**self.identity, "healthy": well})

    async def _work(self, request: Request) -> Answer:
        if self.settings.behaviour is Behaviour.BAD_RELEASE and next(self._turns) % BAD_EVERY == 0:
            return Answer(500, {**self.identity, "error": "this release is broken"})
        match request.method, request.path:
            case "GET", "/":
                await asyncio.sleep(WORK_S)
                return Answer(200, self.identity)
            case "POST", "/orders":
                return self._take_order(request.body)
            case "GET", "/slow":
                return await self._be_slow(request.query.get("seconds", ["3"])[-1])
            case _, "/" | "/orders" | "/slow":
                return Answer(405, {"error": f"{request.method} is not for {request.path}"})
            case _:
                return Answer(404, {"error": f"there is nothing at {request.path}"})

    def _take_order(self, body: bytes) -> Answer:
        try:
            order = json.loads(body)["id"]
        except (ValueError, KeyError, TypeError):
            order = None
        if not isinstance(order, str) or not order or not order.isprintable() or " " in order:
            return Answer(400, {"error": 'send {"id": "…"}, with an id of your own'})
        if not self.settings.orders_log:
            return Answer(500, {**self.identity, "error": "ORDERS_LOG is not set, so no order can be taken"})
        line = f"{order} {self.settings.instance}\n".encode()
        # One write to a file opened for appending: the lines of several instances don't mix.
        log = os.open(self.settings.orders_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(log, line)
        finally:
            os.close(log)
        return Answer(201, {**self.identity, "id": order})

    async def _be_slow(self, seconds: str) -> Answer:
        try:
            wait_s = float(seconds)
        except ValueError:
            wait_s = -1.0
        if not 0 <= wait_s <= SLOW_MAX_S:
            return Answer(400, {"error": f"seconds is {seconds!r}: use a number from 0 to {SLOW_MAX_S:g}"})
        await asyncio.sleep(wait_s)
        return Answer(200, {**self.identity, "seconds": wait_s})


@dataclass
class Connection:
    """One client's connection: requests one after the other, or a websocket."""

    application: Application
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def serve(self) -> None:
        """Answer until the client has gone, or until the application is to stop and nothing is in flight here."""
        try:
            while (request := await self._next_request()) is not None:
                if request.path == "/websocket":
                    await self._serve_websocket(request)
                    return
                answer = await self.application.answer(request)
                last = not request.keep_alive or self.application.stopping.is_set()
                await self._send(answer, close=last)
                if last:
                    return
        except BadRequest as error:
            await self._send(Answer(error.status, {"error": str(error)}), close=True)
        except ConnectionError:
            return  # the client has gone: there is nobody left to answer
        finally:
            self.writer.close()
            with contextlib.suppress(ConnectionError):
                await self.writer.wait_closed()

    async def _next_request(self) -> Request | None:
        """Wait for a request, but no longer than until the application is to stop."""
        reading = asyncio.ensure_future(read_request(self.reader))
        stopping = asyncio.ensure_future(self.application.stopping.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()
            stopping.cancel()

    async def _send(self, answer: Answer, *, close: bool) -> None:
        body = json.dumps(answer.content).encode() + b"\n"
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close" if close else "keep-alive",
            **answer.headers,
        }
        self.writer.write(self._head(answer.status, headers) + body)
        await self.writer.drain()

    def _head(self, status: int, headers: Mapping[str, str]) -> bytes:
        settings = self.application.settings
        named = {**headers, "X-Version": settings.version, "X-Instance": settings.instance}
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in named.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    async def _serve_websocket(self, request: Request) -> None:
        key = request.headers.get("sec-websocket-key", "")
        if request.headers.get("upgrade", "").lower() != "websocket" or not key:
            raise BadRequest(400, "this is a websocket: send Upgrade: websocket and Sec-WebSocket-Key")
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": frames.accept_key(key)}
        self.writer.write(self._head(101, upgrade))
        self.application.requests += 1
        self.application.websockets += 1
        try:
            await self._converse()
        finally:
            self.application.websockets -= 1

    async def _converse(self) -> None:
        """Echo every message until one of the two sides says goodbye.

        The goodbye names the last message that was echoed. One that crosses it on the way is never silently lost: its
        sender knows that it was not handled.
        """
        parser = frames.FrameParser()
        stopping = asyncio.ensure_future(self.application.stopping.wait())
        reading = asyncio.ensure_future(self.reader.read(65536))
        last = ""
        try:
            while not stopping.done():
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    break
                data = reading.result()
                if not data:
                    return
                parser.feed(data)
                while frame := parser.next():
                    self._react(frame)
                    last = frame.payload.decode(errors="replace") if frame.opcode == frames.TEXT else last
                    if frame.opcode == frames.CLOSE:
                        return
                reading = asyncio.ensure_future(self.reader.read(65536))
            self._write_frame(frames.close(frames.GOING_AWAY, f"last={last}"[:120]))
            await self._await_goodbye(reading, parser)
        except frames.FrameError as error:
            self._write_frame(frames.close(frames.PROTOCOL_ERROR, str(error)[:120]))
        finally:
            reading.cancel()
            stopping.cancel()

    def _react(self, frame: frames.Frame) -> None:
        if frame.opcode == frames.PING:
            self._write_frame(frames.Frame(frames.PONG, frame.payload))
        elif frame.opcode in {frames.TEXT, frames.CLOSE}:
            self._write_frame(frame)

    def _write_frame(self, frame: frames.Frame) -> None:
        self.writer.write(frames.encode(frame, masked=False))

    async def _await_goodbye(self, reading: asyncio.Future[bytes], parser: frames.FrameParser) -> None:
        """Wait for the client's own close frame; what it still sends is not handled, as the goodbye has told it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_MAX_S):
                while data := await reading:
                    parser.feed(data)
                    while frame := parser.next():
                        if frame.opcode == frames.CLOSE:
                            return
                    reading = asyncio.ensure_future(self.reader.read(65536))


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight."""
    application = Application(settings)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(Connection(application, reader, writer).serve())
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, HOST, settings.port, backlog=512)
    loop = asyncio.get_running_loop()
    ignored = settings.behaviour is Behaviour.IGNORE_TERM
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, (lambda: None) if ignored else application.stopping.set)
    _say(f"{settings.version} {settings.instance} listens on {HOST}:{settings.port}, {settings.behaviour.value}")
    await application.stopping.wait()
    server.close()
    if connections:
        await asyncio.wait(connections)
    _say(f"{settings.version} {settings.instance} stopped after {application.requests} requests")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the application as the environment says."""
    settings = Settings.read(os.environ)
    if settings.behaviour is Behaviour.EXIT_AT_ONCE:
        raise SystemExit("this release ends at once, as it was told to")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
