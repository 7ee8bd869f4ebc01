"""The application that `make loss` deploys. It needs nothing but Python.

Every request names itself with an id. It is written down in a file of the instance's own when it begins, and again when
it has been answered: the kind, the id, when it began and when it ended, in seconds since the epoch.

    GET  /health
    GET  /work?id=…&seconds=…    answered after so many seconds
    POST /work?id=…&seconds=…    the same, with a body
    GET  /websocket              sends back every message
    GET  /in-flight              how many requests and websockets it has in hand

ON_TERM says what it does when it is told to stop: `finish` what it has begun, `exit` at once, or `ignore` it. That it
was told is written down as well.
"""

import asyncio
import base64
import hashlib
import os
import signal
import socket
import sys
import time
import urllib.parse

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Application:
    def __init__(self) -> None:
        directory = os.environ["LOG_DIRECTORY"]
        name = os.environ.get("INSTANCE") or socket.gethostname()
        self.log = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.version = os.environ.get("ZDD_VERSION", os.environ.get("VERSION", "?")).encode()
        self.busy = 0
        self.idle: set[asyncio.StreamWriter] = set()
        self.stopping = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not self.stopping.is_set():
                self.idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self.idle.discard(writer)
                self.busy += 1
                try:
                    await self.answer(head.decode("latin-1"), reader, writer)
                finally:
                    self.busy -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the other side has gone
        finally:
            self.idle.discard(writer)
            writer.close()

    async def answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.time()
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
        path, _, query = target.partition("?")
        if path == "/websocket":
            await self.converse(headers["sec-websocket-key"], reader, writer)
        elif path == "/work":
            asked = dict(urllib.parse.parse_qsl(query))
            os.write(self.log, f"{method} {asked['id']} {began:.6f}\n".encode())
            await asyncio.sleep(float(asked["seconds"]))
            os.write(self.log, f"{method} {asked['id']} {began:.6f} {time.time():.6f}\n".encode())
            await self.send(writer, self.version)
        elif path == "/in-flight":
            await self.send(writer, b"%d" % (self.busy - 1))  # this question is none
        else:
            await self.send(writer, b"well")

    async def send(self, writer: asyncio.StreamWriter, body: bytes) -> None:
        last = b"Connection: close\r\n" if self.stopping.is_set() else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), last, body))
        await writer.drain()

    async def converse(self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send back every short masked message, unmasked."""
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())  # noqa: S324 - RFC 6455 has it so
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(upgrade + b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept)
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            while True:
                reading = asyncio.ensure_future(reader.readexactly(6))
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    return
                start = reading.result()
                data = await reader.readexactly(start[1] & 0x7F)
                if start[0] & 0x0F == 8:
                    return
                echoed = bytes(byte ^ start[2 + place % 4] for place, byte in enumerate(data))
                writer.write(bytes([0x81, len(echoed)]) + echoed)
                await writer.drain()
        finally:
            stopping.cancel()

    def term(self, what: str) -> None:
        os.write(self.log, f"TERM {time.time():.6f}\n".encode())
        if what == "exit":
            os._exit(0)
        if what == "finish":
            self.stopping.set()

    async def run(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.term, os.environ["ON_TERM"])
        server = await asyncio.start_server(self.serve, "0.0.0.0", 8080, backlog=512)
        await self.stopping.wait()
        server.close()
        for writer in list(self.idle):
            writer.close()
        while self.busy:
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(Application().run())
    sys.exit(0)
