"""How an engine is reached, and what is said when it can't be."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.swarm.connection import Connection
from zdd.adapters.swarm.endpoint import Endpoint
from zdd.errors import AdapterError, OutcomeUnknown, PermanentError, TemporaryError

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from certificates import Authority, make_authority

Ask = Callable[..., str]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Ask an engine for its version."""
    made: list[Connection] = []

    def version(where: str | Endpoint | None, timeout_s: float = 10.0) -> str:
        made.append(Connection(where, timeout_s))
        return str(made[-1].read("ask for the version", lambda api: api.version()["Version"]))

    yield version
    for one in made:
        one.close()


@pytest.fixture
def authority(lab: Any) -> Authority:
    if not lab.facts.secure:
        pytest.skip("an engine of the lab's own is needed, which speaks TLS")
    return Authority(Path(lab.facts.authority))


@pytest.fixture
def client(authority: Authority, tmp_path: Path) -> Path:
    return authority.issue(tmp_path / "client", "client")


def test_tls_with_both_sides_known(lab: Any, client: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(Endpoint(lab.facts.secure, client)) == lab.facts.version
    monkeypatch.setenv("DOCKER_HOST", lab.facts.secure)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(client))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/what/the/web/trusts.pem")  # is of no importance here
    assert ask(None) == lab.facts.version


def test_an_engine_of_another_authority_is_not_talked_to(lab: Any, client: Path, ask: Ask, tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other")
    (client / "ca.pem").write_bytes(other.certificate.read_bytes())
    with pytest.raises(PermanentError, match=rf"{client}/ca.pem does not prove .* \(.+\): use its own CA's"):
        ask(Endpoint(lab.facts.secure, client))


def test_an_engine_under_another_name_is_not_talked_to(lab: Any, client: Path, ask: Ask) -> None:
    address = lab.facts.secure.replace("tcp://", "")
    host, _, port = address.rpartition(":")
    with forwarded(host, int(port)) as here, pytest.raises(PermanentError, match="IP address mismatch"):
        ask(Endpoint(f"tcp://127.0.0.1:{here}", client))


@contextlib.contextmanager
def forwarded(host: str, port: int) -> Iterator[int]:
    """A port of this machine behind which another one is: one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = (
            "import socket,sys,threading\n"
            "a=socket.socket(fileno=int(sys.argv[1])); b=socket.create_connection((sys.argv[2],int(sys.argv[3])))\n"
            "c,_=a.accept()\n"
            "def pump(x,y):\n"
            "  while d:=x.recv(65536): y.sendall(d)\n"
            "threading.Thread(target=pump,args=(c,b),daemon=True).start(); pump(b,c)\n"
        )
        pump = subprocess.Popen(
            [sys.executable, "-c", code, str(server.fileno()), host, str(port)],
            pass_fds=[server.fileno()], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        yield int(server.getsockname()[1])
        pump.terminate()
        pump.wait(10)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("none", r"it wants to know who asks: put cert\.pem and key\.pem, signed by its CA, into "),
        ("expired", r"it refuses .*cert\.pem \((certificate expired|bad certificate)\): have a new one signed by its"),
        ("foreign", r"it refuses .*cert\.pem \((unknown ca|bad certificate)\): have a new one signed by its CA"),
    ],
)
def test_a_client_that_the_engine_does_not_want_is_told_why(
    lab: Any, authority: Authority, ask: Ask, tmp_path: Path, damage: str, words: str
) -> None:
    own = tmp_path / "client"
    if damage == "foreign":
        make_authority(tmp_path / "other").issue(own, "client")
        (own / "ca.pem").write_bytes(authority.certificate.read_bytes())
    else:
        authority.issue(own, "client", days=-1)
    if damage == "none":
        (own / "cert.pem").unlink()
        (own / "key.pem").unlink()
    with pytest.raises(PermanentError, match=words):
        ask(Endpoint(lab.facts.secure, own))


def test_tls_on_one_side_only(lab: Any, client: Path, ask: Ask) -> None:
    with pytest.raises(PermanentError, match="it speaks TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"):
        ask(lab.facts.secure)
    with pytest.raises(PermanentError, match="it does not speak TLS: unset DOCKER_TLS_VERIFY"):
        ask(Endpoint(f"tcp://{lab.facts.registry_address}", client))


def test_the_context_of_the_docker_client_is_followed(
    lab: Any, client: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    files = f"ca={client}/ca.pem,cert={client}/cert.pem,key={client}/key.pem"
    for name, options in (("secure", f"host={lab.facts.secure},{files}"), ("near", f"host={lab.engine}")):
        subprocess.run([lab.facts.client, "context", "create", name, "--docker", options], check=True, timeout=30)
    subprocess.run([lab.facts.client, "context", "use", "secure"], check=True, timeout=30)
    assert ask(None) == lab.facts.version
    monkeypatch.setenv("DOCKER_CONTEXT", "near")
    assert ask(None) == lab.facts.version


def test_who_does_not_answer_in_time_has_perhaps_done_it(lab: Any) -> None:
    connection = Connection(lab.engine, timeout_s=0.5)
    try:
        connection.read("ask", lambda api: api.version())
        with lab.stalled():
            began_s = time.monotonic()
            with pytest.raises(TemporaryError, match=r"ask at unix://.*: .*[Rr]ead timed out"):
                connection.read("ask", lambda api: api.version())
            with pytest.raises(OutcomeUnknown):
                connection.write("make", lambda api: api.create_config("late", b"x"))
            assert time.monotonic() - began_s < 5
    finally:
        connection.close()
        lab.clear()


def test_nobody_listens(ask: Ask, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for where in (f"unix://{tmp_path}/docker.sock", f"tcp://127.0.0.1:{port}"):
        with pytest.raises(AdapterError, match=r"docker\.sock|refused") as caught:
            ask(where)
        assert isinstance(caught.value, TemporaryError)
