"""One request, and every way in which it can be answered."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import HttpGate
from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample

Serve = Callable[..., Any]


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_healthy_answer_passes_with_its_figures(serve: Serve) -> None:
    server = serve(answer("200 OK", b"fine"))
    sample = HttpGate("/health").sample(server.target)
    assert sample.result is Result.PASSED
    assert sample.reason == "answered 200 OK"
    assert sample.figures["status"] == 200
    assert 0 < sample.figures["seconds"] < 2


def test_what_is_sent(serve: Serve) -> None:
    server = serve(answer("200 OK"))
    HttpGate("/h?a=1", method="head", headers={"Host": "www.example.org", "user-agent": "x"}).sample(server.target)
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "HEAD /h?a=1 HTTP/1.1"
    assert [line for line in lines if line.lower().startswith("host")] == ["Host: www.example.org"]
    assert [line for line in lines if line.lower().startswith("user-agent")] == ["user-agent: x"]
    assert "Connection: close" in lines


@pytest.mark.parametrize(
    ("status", "gate", "result"),
    [
        ("200 OK", HttpGate(), Result.PASSED),
        ("302 Found", HttpGate(), Result.PASSED),
        ("404 Not Found", HttpGate(), Result.FAILED),
        ("404 Not Found", HttpGate(status=404), Result.PASSED),
        ("200 OK", HttpGate(status=(204, 301)), Result.FAILED),
        ("500 Internal Server Error", HttpGate(status=range(200, 600)), Result.PASSED),
    ],
)
def test_the_status_decides(serve: Serve, status: str, gate: HttpGate, result: Result) -> None:
    assert gate.sample(serve(answer(status)).target).result is result


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve) -> None:
    server = serve(answer("302 Found", b"", "Location: /elsewhere"))
    assert HttpGate().sample(server.target).reason == "answered 302 Found"
    assert len(server.requests) == 1


def test_an_error_is_quoted_in_one_line_of_100_characters(serve: Serve) -> None:
    server = serve(answer("503 Service Unavailable", b"no database\n\x00\x1b[31m yet " + b"x" * 500))
    reason = HttpGate().sample(server.target).reason
    assert reason.startswith("answered 503 Service Unavailable: no database [31m yet xxx")
    assert reason.endswith("x…")
    assert len(reason) == len("answered 503 Service Unavailable: ") + 101


@pytest.mark.parametrize(("text", "result"), [("ready", Result.PASSED), ("done", Result.FAILED)])
def test_the_body_must_contain_the_text(serve: Serve, text: str, result: Result) -> None:
    sample = HttpGate(contains=text).sample(serve(answer("200 OK", b"all is ready")).target)
    assert sample.result is result
    assert result is Result.PASSED or sample.reason == "answered 200 OK, but without 'done': all is ready"


def test_text_that_is_not_ascii_is_found_in_chunks(serve: Serve) -> None:
    body = "fertig, schön".encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert HttpGate(contains="schön").sample(server.target).result is Result.PASSED


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"])
def test_a_body_that_ends_with_the_connection_is_read(serve: Serve, head: bytes) -> None:
    server = serve(head + b"\r\n" + b"x" * 200_000 + b"end")
    assert HttpGate(contains="xend").sample(server.target).reason == "answered 200 OK"


def test_of_a_huge_body_one_mebibyte_is_read(serve: Serve) -> None:
    sent = []

    def endless(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not ended.is_set():
            sent.append(connection.send(b"x" * 65536))

    sample = HttpGate(contains="y", timeout_s=20).sample(serve(endless).target)
    assert sample.result is Result.FAILED
    assert "but without 'y': xxx" in sample.reason
    assert sum(sent) < 64 << 20
    assert HttpGate(timeout_s=20).sample(serve(endless).target).result is Result.PASSED


def test_nobody_listens(closed_address: Address) -> None:
    sample = HttpGate().sample(Target("web", "1", "r", "i", {"http": closed_address}))
    assert sample == Sample(Result.FAILED, f"{closed_address}: connection refused")


def test_a_name_that_nobody_knows() -> None:
    sample = HttpGate().sample(Target("web", "1", "r", "i", {"http": Address("nowhere.invalid", 80)}))
    assert sample.result is Result.FAILED
    assert sample.reason.startswith("nowhere.invalid:80: ")


def test_an_address_that_is_not_known_yet_is_inconclusive() -> None:
    sample = HttpGate(port="admin").sample(Target("web", "1", "r", "i"))
    assert sample == Sample(Result.INCONCLUSIVE, "the address of port admin is not known")


def hang(_connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(10)


def reset(connection: socket.socket, _ended: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(_connection: socket.socket, _ended: threading.Event) -> None:
    pass


def trickle(head: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def send(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(head)
        while not ended.wait(0.05):
            connection.sendall(b"x")

    return send


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (hang, "no answer within 0.4 s"),
        (reset, "connection reset"),
        (close, "closed the connection without an answer"),
        (trickle(b""), "no answer within 0.4 s"),
        (trickle(b"HTTP/1.1 200 OK\r\nX-Slow: "), "no answer within 0.4 s"),
        (trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"), "body did not end within 0.4 s"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answered, but not in HTTP: BadStatusLine"),
        (b"\x00\xff" * 50000 + b"\n", "answered, but not in HTTP: LineTooLong"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "answered, but not in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "200 OK, but the connection ended before the body did"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "ended before the body did"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, "closed the connection without an answer"),
    ],
    ids=[
        "hangs",
        "resets",
        "closes",
        "trickles a status line",
        "trickles a header",
        "trickles a body",
        "speaks SSH",
        "garbage",
        "too many headers",
        "truncated",
        "bad chunk",
        "only 100",
    ],
)
def test_no_proper_answer_is_a_failed_look_within_its_time(serve: Serve, server: Any, said: str) -> None:
    begun = time.monotonic()
    sample = HttpGate(timeout_s=0.4).sample(serve(server).target)
    assert time.monotonic() - begun < 10
    assert sample.result is Result.FAILED
    assert said in sample.reason


def test_a_host_that_takes_up_no_connection(full_address: Address) -> None:
    begun = time.monotonic()
    sample = HttpGate(timeout_s=0.4).sample(Target("web", "1", "r", "i", {"http": full_address}))
    assert time.monotonic() - begun < 10
    assert sample == Sample(Result.FAILED, f"{full_address}: no answer within 0.4 s")


def test_the_last_look_decides() -> None:
    good, bad = Sample(Result.PASSED, "good", {"a": 1}), Sample(Result.FAILED, "bad")
    assert HttpGate().judge([]).result is Result.INCONCLUSIVE
    assert HttpGate().judge([bad, good]).result is Result.PASSED
    verdict = HttpGate().judge([good, good, bad])
    assert (verdict.result, verdict.reason) == (Result.FAILED, "bad")


def test_it_says_what_it_does() -> None:
    gate = HttpGate("/health", "admin")
    assert str(gate) == "GET /health on port admin"
    assert gate.ports() == {"admin"}
    assert gate.deadline_s is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "health"}, "path 'health' of an HTTP gate: begin it with /"),
        ({"path": "/a b"}, "path '/a b'"),
        ({"path": "/a\r\nX: y"}, "path "),
        ({"path": "/schön"}, "%XX"),
        ({"path": None}, "path None"),
        ({"port": "HTTP"}, "port name 'HTTP'"),
        ({"status": ()}, "status of an HTTP gate is empty"),
        ({"status": 99}, "status of an HTTP gate is 99"),
        ({"status": [200, "x"]}, "status of an HTTP gate is 'x'"),
        ({"status": True}, "status of an HTTP gate is True"),
        ({"status": "200"}, "status of an HTTP gate is '200'"),
        ({"contains": ""}, "contains of an HTTP gate"),
        ({"contains": b"x"}, "contains of an HTTP gate"),
        ({"method": "G T"}, "method 'G T'"),
        ({"method": "CONNECT"}, "method 'CONNECT'"),
        ({"headers": {"A B": "c"}}, "header 'A B'"),
        ({"headers": {"A": "c\r\nD: e"}}, "header A of an HTTP gate"),
        ({"timeout_s": 0}, "timeout_s of gate GET / on port http is 0"),
        ({"interval_s": 0}, "interval_s of gate GET / on port http is 0"),
        ({"interval_s": "1"}, "interval_s of gate GET / on port http is '1'"),
        ({"deadline_s": -1}, "deadline_s of gate GET / on port http is -1"),
    ],
)
def test_a_bad_value_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        HttpGate(**values)
