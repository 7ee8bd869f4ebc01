"""The clients must be able to fail: each fault that a server can show is counted, once, and nothing is repeated."""

import asyncio
import json
import socket
import struct

import clients
import frames
import pytest
from tally import Tally

DEADLINE_S = 20.0


def answer(content, *, status=200, version="1.0", length=None, extra=""):
    body = json.dumps(content).encode()
    named = f"X-Version: {version}\r\nX-Instance: web-1\r\n" if version else ""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} Whatever\r\n{named}Content-Length: {size}\r\n{extra}\r\n".encode() + body


GOOD = answer({"version": "1.0"})


async def read_head(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def reset(writer):
    """Close so that the client gets a reset and no orderly end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def against(handle, make_run):
    """Run a client against a server whose connections are handled by `handle`; return the result."""

    async def play():
        tally, stopping, handlers = Tally(bad_versions={"5.0"}), asyncio.Event(), set()

        async def serve(reader, writer):
            handlers.add(asyncio.current_task())
            try:
                await handle(reader, writer)
            except ConnectionError:
                pass
            finally:
                handlers.discard(asyncio.current_task())
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        wire = clients.Wire("127.0.0.1", server.sockets[0].getsockname()[1])
        async with asyncio.timeout(DEADLINE_S):
            await make_run(wire, tally, stopping, server)
        wire.close()
        server.close()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        return tally.result()

    return asyncio.run(play())


def requests(number, errand=clients.read):
    """A client that sends so many requests, without a pause."""

    async def run(wire, tally, stopping, server):
        asked = []

        def next_errand():
            asked.append(1)
            if len(asked) == number:
                stopping.set()
            return errand()

        await clients.Client("reader 1", wire, tally, 0.0, next_errand).run(stopping)

    return run


def always(data):
    """A server that answers every request with this."""

    async def handle(reader, writer):
        while await read_head(reader):
            writer.write(data)
            await writer.drain()

    return handle


def test_good_answers_are_no_failures_and_use_one_connection():
    connections = []

    async def handle(reader, writer):
        connections.append(writer)
        await always(GOOD)(reader, writer)

    result = against(handle, requests(5))
    assert (result.requests, result.failed, len(connections)) == (5, 0, 1)
    assert result.latency_ms["max"] > 0


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\n", "incomplete"),
        (answer({"version": "1.0"}, length=500), "incomplete"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-Version: 1.0\r\n\r\n", "no length"),
    ],
)
def test_an_answer_that_is_not_whole_is_one_failure(data, kind):
    received = []

    async def handle(reader, writer):
        received.append(await read_head(reader))
        writer.write(data)

    result = against(handle, requests(1))
    assert (result.requests, result.failed, result.failure_kinds) == (1, 1, {kind: 1})
    assert len(received) == 1, "nothing is sent twice"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (answer({"version": "1.0"}, status=500), "status 500"),
        (answer("Bad Gateway", status=502, version=""), "status 502"),
        (answer("404 page not found", status=404, version=""), "status 404"),
        (answer({"version": "1.0"}, version=""), "stranger"),
        (answer({"version": "2.0"}), "stranger"),
        (answer("hello"), "stranger"),
    ],
)
def test_an_answer_that_is_not_the_expected_one_is_one_failure(data, kind):
    result = against(always(data), requests(1))
    assert (result.requests, result.failed, result.failure_kinds) == (1, 1, {kind: 1})


def test_an_error_of_the_bad_release_is_counted_apart_and_the_same_from_the_edge_is_a_failure():
    bad = answer({"version": "5.0"}, status=500, version="5.0")
    edge = answer("Internal Server Error", status=500, version="")

    async def handle(reader, writer):
        for data in (bad, edge, bad):
            await read_head(reader)
            writer.write(data)

    result = against(handle, requests(3))
    assert (result.requests, result.failed, result.bad_release_responses) == (3, 1, 2)


def test_a_reset_is_one_failure_and_is_not_repeated():
    received = []

    async def handle(reader, writer):
        received.append(await read_head(reader))
        reset(writer)

    result = against(handle, requests(3))
    assert (result.requests, result.failed, result.failure_kinds) == (3, 3, {"reset": 3})
    assert len(received) == 3


def test_a_connection_that_is_closed_under_a_request_is_a_failure_even_after_good_ones():
    async def handle(reader, writer):
        await read_head(reader)
        writer.write(GOOD)
        await read_head(reader)

    result = against(handle, requests(4))
    assert (result.requests, result.failed, result.failure_kinds) == (4, 2, {"closed": 2})


def test_a_connection_that_is_closed_while_nothing_is_under_way_is_opened_again():
    async def handle(reader, writer):
        await read_head(reader)
        writer.write(GOOD)

    async def run(wire, tally, stopping, server):
        for _ in range(3):
            await clients.Client("reader 1", wire, tally, 0.0, clients.read)._do(clients.read(), 0.0)
            reader, _ = wire.streams()
            while not reader.at_eof():
                await asyncio.sleep(0.01)

    result = against(handle, run)
    assert (result.requests, result.failed) == (3, 0)


def test_an_announced_end_of_a_connection_is_no_failure():
    async def handle(reader, writer):
        await read_head(reader)
        writer.write(answer({"version": "1.0"}, extra="Connection: close\r\n"))

    result = against(handle, requests(3))
    assert (result.requests, result.failed) == (3, 0)


def test_a_refused_connection_is_a_failure():
    async def run(wire, tally, stopping, server):
        server.close()
        await server.wait_closed()
        await requests(2)(wire, tally, stopping, server)

    result = against(always(GOOD), run)
    assert (result.requests, result.failure_kinds) == (2, {"connect": 2})


def test_a_late_answer_is_a_failure(monkeypatch):
    monkeypatch.setattr(clients, "ANSWER_TIMEOUT_S", 0.1)

    async def handle(reader, writer):
        await read_head(reader)
        await asyncio.sleep(DEADLINE_S)

    result = against(handle, requests(1))
    assert result.failure_kinds == {"time-out": 1}


def test_an_order_counts_as_acknowledged_only_with_its_own_id_in_the_answer():
    def handle_with(ids):
        async def handle(reader, writer):
            for name in ids:
                await read_head(reader)
                await reader.readexactly(len(clients.order("a-1").body))
                writer.write(answer({"version": "1.0", "id": name}, status=201))

        return handle

    result = against(
        handle_with(["a-1", "a-1"]), requests(2, iter([clients.order("a-1"), clients.order("a-2")]).__next__)
    )
    assert (result.requests, result.failed, result.failure_kinds) == (2, 1, {"mismatch": 1})
    assert result.orders == ("a-1",)


def test_a_stalled_answer_shows_in_the_times_of_the_requests_that_it_held_up():
    async def handle(reader, writer):
        await read_head(reader)
        await asyncio.sleep(0.5)
        writer.write(GOOD)
        await always(GOOD)(reader, writer)

    async def run(wire, tally, stopping, server):
        running = asyncio.ensure_future(clients.Client("reader 1", wire, tally, 0.1, clients.read).run(stopping))
        while tally.snapshot().requests < 5:
            await asyncio.sleep(0.01)
        stopping.set()
        await running

    result = against(handle, run)
    assert result.latency_ms["max"] >= 500
    assert result.latency_ms["p50"] >= 200, "the ones that were due meanwhile waited too"


class Socket:
    """The server's side of a websocket."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.parser = reader, writer, frames.FrameParser()

    async def accept(self):
        head = (await read_head(self.reader)).decode().split("\r\n")
        key = next(line.split(": ")[1] for line in head if line.startswith("Sec-WebSocket-Key"))
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nX-Version: 1.0\r\n"
        accept = f"Sec-WebSocket-Accept: {frames.accept_key(key)}\r\n"
        self.writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{upgrade}{accept}\r\n".encode())

    async def receive(self):
        while (frame := self.parser.next()) is None:
            data = await self.reader.read(4096)
            if not data:
                return frames.Frame(frames.CLOSE)
            self.parser.feed(data)
        return frame

    def send(self, frame):
        self.writer.write(frames.encode(frame, masked=False))

    async def echo(self, number):
        for _ in range(number):
            self.send(await self.receive())


def websocket(handle, *, until):
    """Run a websocket client against `handle(socket, number of the connection)` until `until(result)` holds."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        talk = Socket(reader, writer)
        await talk.accept()
        await handle(talk, len(connections))

    async def run(wire, tally, stopping, server):
        running = asyncio.ensure_future(clients.WebsocketClient("websocket 1", wire, tally).run(stopping))
        while not until(tally.result()):
            assert not running.done()
            await asyncio.sleep(0.01)
        stopping.set()
        await running

    return against(serve, run)


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    monkeypatch.setattr(clients, "MESSAGE_INTERVAL_S", 0.01)
    monkeypatch.setattr(clients, "MESSAGE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(clients, "AFTER_FAILURE_S", 0.01)


def test_messages_are_numbered_and_echoed():
    received = []

    async def handle(talk, connection):
        while (frame := await talk.receive()).opcode == frames.TEXT:
            received.append(int(frame.payload))
            talk.send(frame)

    result = websocket(handle, until=lambda result: result.websocket_messages >= 20)
    assert received == list(range(1, len(received) + 1))
    assert (result.failed, result.dropped_websockets, result.goodbyes) == (0, 0, 0)


def test_a_goodbye_is_no_drop_and_the_client_goes_on_where_it_was():
    received = []

    async def handle(talk, connection):
        for _ in range(3):
            received.append((await talk.receive()).payload)
            talk.send(frames.Frame(frames.TEXT, received[-1]))
        talk.send(frames.close(1001, f"last={received[-1].decode()}"))
        while (await talk.receive()).opcode != frames.CLOSE:
            pass

    result = websocket(handle, until=lambda result: result.goodbyes >= 4)
    assert [int(number) for number in received] == list(range(1, len(received) + 1))
    assert (result.failed, result.dropped_websockets) == (0, 0)


def test_a_message_that_crosses_the_goodbye_is_sent_again_because_the_goodbye_says_that_it_was_not_handled():
    handled = []

    async def handle(talk, connection):
        first = await talk.receive()
        if connection == 1:
            talk.send(frames.close(1001, "last="))
            await talk.receive()
            return
        while first.opcode == frames.TEXT:
            handled.append(int(first.payload))
            talk.send(first)
            first = await talk.receive()

    result = websocket(handle, until=lambda result: result.websocket_messages >= 3)
    assert handled[:3] == [1, 2, 3]
    assert (result.goodbyes, result.dropped_websockets) == (1, 0)


async def _end_without_goodbye(talk):
    talk.writer.close()


async def _reset(talk):
    reset(talk.writer)


async def _close_normally(talk):
    talk.send(frames.close(1000))


async def _close_with_an_error(talk):
    talk.send(frames.close(1011, "oops"))


async def _swallow(talk):
    await talk.receive()
    await talk.receive()


async def _skip_one(talk):
    frame = await talk.receive()
    talk.send(frames.Frame(frames.TEXT, str(int(frame.payload) + 1).encode()))
    await talk.receive()


async def _echo_twice(talk):
    frame = await talk.receive()
    talk.send(frame)
    talk.send(frame)
    await talk.receive()
    await talk.receive()


async def _handle_without_echo(talk):
    frame = await talk.receive()
    talk.send(frames.close(1001, f"last={frame.payload.decode()}"))
    await talk.receive()


async def _nonsense(talk):
    talk.writer.write(b"\x01\x00")
    await talk.receive()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (_end_without_goodbye, "websocket dropped"),
        (_reset, "websocket dropped"),
        (_close_normally, "websocket dropped"),
        (_close_with_an_error, "websocket dropped"),
        (_nonsense, "websocket dropped"),
        (_swallow, "websocket lost a message"),
        (_skip_one, "websocket lost a message"),
        (_echo_twice, "websocket lost a message"),
        (_handle_without_echo, "websocket lost a message"),
    ],
)
def test_any_other_end_is_one_drop_and_the_client_comes_back(fault, kind):
    async def handle(talk, connection):
        await talk.echo(2)
        if connection == 1:
            await fault(talk)
        else:
            await talk.echo(1_000_000)

    result = websocket(handle, until=lambda result: result.dropped_websockets and result.websocket_messages >= 6)
    assert (result.failed, result.dropped_websockets, result.goodbyes) == (0, 1, 0)
    assert result.failure_kinds == {kind: 1}


def test_a_handshake_that_is_refused_is_a_failed_request():
    result = against(
        always(answer("Service Unavailable", status=503, version="")),
        _one_handshake,
    )
    assert result.failed >= 1
    assert result.failure_kinds == {"status 503": result.failed}
    assert result.dropped_websockets == 0


async def _one_handshake(wire, tally, stopping, server):
    running = asyncio.ensure_future(clients.WebsocketClient("websocket 1", wire, tally).run(stopping))
    while not tally.snapshot().failed:
        await asyncio.sleep(0.01)
    stopping.set()
    await running
