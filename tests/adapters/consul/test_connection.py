"""What a Consul agent, or what is in its place, can answer; and what becomes of it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.connection import ConsulConnection
from zdd.errors import AdapterError, ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError

SECRET = "0badc0de-1111-4222-8333-444455556666"  # noqa: S105 - of nothing

Say = Callable[[socket.socket, bytes], None]
Server = Callable[[Say], ConsulConnection]


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def server() -> Iterator[Server]:
    """Gives a connection to a server on which every request is answered as the test says."""
    ended = threading.Event()
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, say: Say) -> None:
        while not ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(5.0)
                say(client, client.recv(65536))

    def make(say: Say) -> ConsulConnection:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(30.0)
        listeners.append(listener)
        threads.append(threading.Thread(target=serve, args=(listener, say)))
        threads[-1].start()
        port = listener.getsockname()[1]
        return ConsulConnection(
            address=f"http://127.0.0.1:{port}", token=SECRET, connect_timeout_s=5.0, timeout_s=1.0, settles_within_s=7.0
        )

    yield make
    ended.set()
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(60.0)


def says(reply: bytes) -> Say:
    return lambda client, _: client.sendall(reply)


def hangs(client: socket.socket, _: bytes) -> None:
    client.settimeout(30.0)
    with contextlib.suppress(OSError):
        client.recv(1)


def resets(client: socket.socket, _: bytes) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def drip(client: socket.socket, piece: bytes) -> None:
    """Send a byte from time to time, each well within the time-out for reading, and never an end."""
    for _ in range(100):
        client.sendall(piece)
        time.sleep(0.2)


def trickles(client: socket.socket, _: bytes) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    drip(client, b" ")


def trickles_headers(client: socket.socket, _: bytes) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Nothing: ")
    drip(client, b".")


def cuts_short(client: socket.socket, _: bytes) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")


@pytest.mark.parametrize("say", [hangs, resets, trickles, trickles_headers, cuts_short], ids=lambda say: say.__name__)
def test_no_whole_answer_in_time_is_temporary_to_a_question_and_unknown_to_a_write(server: Server, say: Say) -> None:
    connection = server(say)
    began_s = time.monotonic()
    with pytest.raises(TemporaryError, match=r"GET /v1/kv/x at http://127\.0\.0\.1:\d+ was not answered"):
        connection.ask("/v1/kv/x")
    with pytest.raises(OutcomeUnknown, match="PUT /v1/kv/x") as caught:
        connection.tell("/v1/kv/x")
    assert caught.value.settles_within_s == 7.0
    assert "Pool" not in str(caught.value)
    assert time.monotonic() - began_s < 20.0  # two answers that have no end took longer


def test_nobody_there_is_temporary_to_a_write_too_because_it_was_never_sent(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    connection = ConsulConnection(address=f"http://127.0.0.1:{port}")
    for act in (connection.ask, connection.tell):
        with pytest.raises(TemporaryError, match=r"can't be reached \(Connection refused\)"):
            act("/v1/kv/x")


@pytest.mark.parametrize(
    ("status", "text", "question", "write"),
    [
        ("500 X", "No cluster leader", TemporaryError, TemporaryError),
        ("500 X", "leadership lost while committing log", TemporaryError, OutcomeUnknown),
        ("503 X", "try later", TemporaryError, OutcomeUnknown),
        ("429 X", "too many", TemporaryError, TemporaryError),
        ("400 X", "bad request", PermanentError, PermanentError),
        ("413 X", "too large", PermanentError, PermanentError),
        ("403 X", "Permission denied", PermanentError, PermanentError),
        ("401 X", "ACL disabled", PermanentError, PermanentError),
        ("204 X", "", TemporaryError, OutcomeUnknown),
    ],
)
def test_what_is_refused_has_a_kind(
    server: Server, status: str, text: str, question: type[Exception], write: type[Exception]
) -> None:
    connection = server(says(answer(status, text.encode())))
    for act, kind in ((connection.ask, question), (connection.tell, write)):
        with pytest.raises(kind) as caught:
            act("/v1/kv/x")
        assert type(caught.value) is kind
        assert text in str(caught.value)


def test_a_missing_right_is_named(server: Server) -> None:
    connection = server(says(answer("403 Forbidden", b"Permission denied")))
    with pytest.raises(PermanentError, match=r'not permitted\. The token needs: service "web" { policy = "write" }'):
        connection.tell("/v1/x", right='service "web" { policy = "write" }')


def test_what_is_not_there_is_no_error(server: Server) -> None:
    assert server(says(answer("404 Not Found", b""))).ask("/v1/kv/x").status == 404
    unknown = server(says(answer("500 X", b'Unknown check "x"')))
    assert unknown.tell("/v1/agent/check/pass/x", expected=(200, 404)).status == 404


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_of_another_kind_is_told(server: Server, body: bytes) -> None:
    with pytest.raises(TemporaryError, match="was not answered as Consul does"):
        server(says(answer("200 OK", body))).ask("/v1/kv/x").json(list)


def test_no_redirect_is_followed_because_the_token_is_nobody_elses(server: Server) -> None:
    asked: list[bytes] = []

    def elsewhere(client: socket.socket, request: bytes) -> None:
        asked.append(request)
        client.sendall(answer("200 OK", b"[]"))

    other = server(elsewhere)
    connection = server(says(answer("307 Temporary Redirect", b"", f"Location: {other.address}/v1/kv/x")))
    with pytest.raises(PermanentError, match="redirect"):
        connection.ask("/v1/kv/x")
    assert not asked


def test_the_environment_overrides_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []

    def note(client: socket.socket, request: bytes) -> None:
        requests.append(request)
        client.sendall(answer("200 OK", b"[]"))

    connection = server(note)
    nobody = "http://127.0.0.1:1"
    variables = ("CONSUL_HTTP_ADDR", "http_proxy", "HTTP_PROXY", "ALL_PROXY")
    for variable in variables:
        monkeypatch.setenv(variable, nobody)
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "another")
    monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
    monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", "false")
    connection.ask("/v1/kv/x")
    assert f"X-Consul-Token: {SECRET}".encode() in requests[0]


def test_the_token_is_in_no_text(server: Server) -> None:
    repeating = [server(says(answer(status, b"no " + SECRET.encode()))) for status in ("403 X", "500 X", "200 OK")]
    for connection in (*repeating, server(hangs), ConsulConnection(address="http://127.0.0.1:1", token=SECRET)):
        assert SECRET not in repr(connection)
        for act in (lambda c: c.ask("/v1/kv/x").json(list), lambda c: c.tell("/v1/kv/x").json(list)):
            with pytest.raises(AdapterError) as caught:
                act(connection)
            assert SECRET not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigurationError) as broken:
        ConsulConnection(token=SECRET + "\n")
    assert SECRET not in str(broken.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": "127.0.0.1:8500"}, "use http://host:port"),
        ({"address": "unix:///run/consul.sock"}, "use http://host:port"),
        ({"address": "http://127.0.0.1:0"}, "use http://host:port"),
        ({"address": "http://127.0.0.1:8500/consul"}, "use http://host:port"),
        ({"address": "http://ann:secret@127.0.0.1:8500"}, "has a user name or a password"),
        ({"address": 8500}, "Consul address is a int: use text"),
        ({"token": 7}, "the token for http://127.0.0.1:8500 is a int: use text"),
        ({"ca_file": 7}, "a file for http://127.0.0.1:8500 is 7: use a path"),
        ({"certificate": "client.pem"}, r"certificate is 'client.pem': use a list, for example \(file, key\)"),
        ({"timeout_s": 0}, "timeout_s of http://127.0.0.1:8500 is 0"),
        ({"ca_file": Path("/there/is/no.pem")}, "/there/is/no.pem for http://127.0.0.1:8500 is not there"),
    ],
)
def test_what_can_not_work_is_refused_beforehand(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        ConsulConnection(**arguments)
    assert "secret" not in str(caught.value)


def test_a_token_that_the_environment_does_not_have_is_none() -> None:
    assert ConsulConnection(token=None).token == ""  # type: ignore[arg-type]


def test_threads_and_forks_have_connections_of_their_own(connection: ConsulConnection) -> None:
    assert connection.ask("/v1/status/leader").json(str)
    child = os.fork()
    if not child:
        try:
            os._exit(0 if all(connection.ask("/v1/status/leader").json(str) for _ in range(20)) else 1)
        finally:
            os._exit(2)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(connection.ask("/v1/status/leader").json(str))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tls_agent(consul_program: Path, tmp_path_factory: pytest.TempPathFactory, lab: Any) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("tls")
    commands = ["tls ca create", "tls cert create -server", "tls ca create -domain other"]
    for command in commands:
        subprocess.run([consul_program, *command.split()], cwd=directory, check=True, capture_output=True)
    files = {
        name: str(directory / f"dc1-server-consul-0{rest}")
        for name, rest in (("cert_file", ".pem"), ("key_file", "-key.pem"))
    }
    running = lab.ConsulAgent(consul_program, directory / "agent", settings=files)
    running.start()
    yield running
    running.stop()


def test_a_certificate_is_always_verified(tls_agent: Any) -> None:
    directory = tls_agent.directory.parent
    trusting = ConsulConnection(
        address=f"https://127.0.0.1:{tls_agent.https_port}", ca_file=directory / "consul-agent-ca.pem"
    )
    assert trusting.ask("/v1/status/leader").json(str)
    for mistrusting in (evolve(trusting, ca_file=None), evolve(trusting, ca_file=directory / "other-agent-ca.pem")):
        with pytest.raises(PermanentError, match="certificate is not trusted"):
            mistrusting.ask("/v1/status/leader")
