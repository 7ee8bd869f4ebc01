"""An engine behind a real SSH server."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.swarm.connection import Connection
from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.ssh_tunnel import SshTunnel
from zdd.errors import ConfigurationError, TemporaryError

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from packages import NoLab
from ssh import SshServer, start_ssh


@pytest.fixture
def server(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    if not lab.facts.pid:
        pytest.skip("a lab of its own is needed, in which an SSH server can be started")
    try:
        made = start_ssh(tmp_path, lab.facts.pid, lab.facts.address, lab.engine, lab.facts.client)
    except NoLab as error:
        pytest.skip(str(error))
    monkeypatch.setenv("PATH", f"{made.directory}:{os.environ['PATH']}")
    yield made
    made.stop()


def children() -> set[int]:
    """The processes that this one has started, and those that came of them and lost their parent, by the name ssh."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"zdd-ssh-" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found


def test_it_is_reached_with_the_keys_of_the_machine(lab: Any, server: SshServer, wait_until: Any) -> None:
    before = children()
    with contextlib.closing(Engine(server.address)) as engine:
        assert [node["ID"] for node in engine.nodes()] == [node["ID"] for node in lab.api.nodes()]
        found: list[Any] = []
        threads = [threading.Thread(target=lambda: found.append(engine.configs("nobody=has"))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[], [], []]
        engine.create_config("by-ssh", b"x", {})
        with engine.events({"type": ["config"], "event": ["remove"]}) as events:
            engine.remove_config("by-ssh")
            assert next(iter(events))["Actor"]["Attributes"]["name"] == "by-ssh"
    wait_until(lambda: children() <= before, "every ssh has ended")


def test_a_host_that_is_not_known_is_not_talked_to(server: SshServer) -> None:
    server.known_hosts.write_text("")
    connection = Connection(server.address, 10)
    with (
        contextlib.closing(connection),
        pytest.raises(TemporaryError, match=rf"at {server.address}: .*Host key verification failed"),
    ):
        connection.read("ask", lambda api: api.version())


def test_a_key_that_is_not_known_is_refused(server: SshServer) -> None:
    (server.directory.parent / "user.pub").write_text("")
    connection = Connection(server.address, 10)
    with contextlib.closing(connection), pytest.raises(TemporaryError, match=r"Permission denied \(publickey"):
        connection.read("ask", lambda api: api.version())


def test_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("ssh://user:secret@example.org", "ssh://example.org/run/docker.sock"):
        with pytest.raises(ConfigurationError, match="use ssh://user@host:port, and a key for the login"):
            SshTunnel(address, 5)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="needs the program ssh: install the OpenSSH client"):
        SshTunnel("ssh://example.org", 5)


def test_it_outlives_a_moment_in_which_no_file_can_be_opened(
    no_more_files: Callable[[], contextlib.AbstractContextManager[None]], caplog: pytest.LogCaptureFixture
) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh here")
    with socket.create_server(("127.0.0.1", 0)) as refuses:
        nobody = refuses.getsockname()[1]
    with contextlib.closing(SshTunnel(f"ssh://nobody@127.0.0.1:{nobody}", 5.0)) as tunnel:
        place = tunnel.address.removeprefix("unix://")
        with socket.socket(socket.AF_UNIX) as hung_up_on, no_more_files():
            hung_up_on.connect(place)
            deadline = time.monotonic() + 60
            while "can't be carried on: [Errno 24]" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60.0)
            client.connect(place)
            assert client.recv(1) == b""  # ssh was started for it, and found nobody
        assert "refused" in tunnel.said()
