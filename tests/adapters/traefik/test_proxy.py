"""The Traefik process: started, found again, restarted, refused."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zdd.adapters.local.supervised import Supervised
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.errors import ConfigurationError, PermanentError, TemporaryError


def _pid(proxy: TraefikProxy) -> int:
    return Supervised(proxy.directory / "process").state().pid


def test_it_is_started_once_and_found_again(proxy, tmp_path) -> None:
    proxy.ensure_running()
    identity = proxy.identity

    again = TraefikProxy(tmp_path, port=proxy.address.port)
    again.ensure_running()

    assert again.identity == identity
    assert again.api_address == proxy.api_address


def test_it_outlives_the_process_that_started_it(proxy, tmp_path) -> None:
    code = (
        "import sys; from zdd.adapters.traefik.proxy import TraefikProxy;"
        "TraefikProxy(sys.argv[1], port=int(sys.argv[2])).ensure_running()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(proxy.address.port)], check=True)

    before = proxy.identity
    proxy.ensure_running()

    assert proxy.identity == before


def test_a_killed_traefik_comes_back_with_the_registrations(world, kit) -> None:
    one = world.application()
    world.route(one.registration(7))
    before = world.view().process
    os.kill(_pid(world.proxy), signal.SIGKILL)

    world.await_restart(before)

    kit.await_condition(lambda: world.view().weights == {one.address: 7}, "it sends requests again")
    assert world.get() == (200, one.name)


def test_one_that_ended_and_whose_program_was_removed_is_started_from_the_present_one(proxy, tmp_path, kit) -> None:
    program = tmp_path / "earlier environment" / "traefik"
    program.parent.mkdir()
    program.symlink_to(proxy._find_binary())
    earlier = TraefikProxy(tmp_path, port=proxy.address.port, binary=program)
    earlier.ensure_running()
    program.unlink()
    proxy.ensure_running()
    assert proxy.identity == earlier.identity, "while it runs it is left alone"
    os.kill(_pid(proxy), signal.SIGKILL)
    supervised = Supervised(proxy.directory / "process")
    kit.await_condition(lambda: "can't be started" in supervised.state().note, "it could not be started again")
    with pytest.raises(TemporaryError, match=r"doesn't run: can't be started: .*/traefik: No such file or directory"):
        _ = proxy.identity

    proxy.ensure_running()

    assert proxy.identity


def test_stopped_and_started_it_serves_the_registrations(world, kit) -> None:
    one = world.application()
    world.route(one.registration(7))
    world.proxy.stop()
    with pytest.raises(TemporaryError, match="doesn't run"):
        _ = world.proxy.identity

    world.proxy.ensure_running()

    kit.await_condition(lambda: world.view().weights == {one.address: 7}, "it sends requests again")
    assert world.get() == (200, one.name)


def test_stopping_twice_or_what_never_ran_is_harmless(proxy) -> None:
    proxy.stop()
    proxy.ensure_running()
    proxy.stop()
    proxy.stop()


def test_a_taken_port_is_named_with_who_has_it_and_nothing_is_touched(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = TraefikProxy(tmp_path, port=port)

        with pytest.raises(ConfigurationError, match=rf"port {port} is taken by .* \(process {os.getpid()}\).*port="):
            proxy.ensure_running()
    assert list(tmp_path.iterdir()) == []


def test_another_port_than_the_running_one_is_refused(proxy, tmp_path, kit) -> None:
    proxy.ensure_running()

    with pytest.raises(ConfigurationError, match=rf"already runs at {proxy.address}, not at .*: use the same port="):
        TraefikProxy(tmp_path, port=kit.free_port()).ensure_running()


def test_a_missing_program_is_said_with_the_command_that_brings_it(tmp_path, kit, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    proxy = TraefikProxy(tmp_path / "state", port=kit.free_port())

    with pytest.raises(ConfigurationError, match=r"pip install 'zdd-deploy\[edge\]'"):
        proxy.ensure_running()
    with pytest.raises(ConfigurationError, match="'no-such-program': there is no such program"):
        TraefikProxy(tmp_path / "state", port=kit.free_port(), binary="no-such-program").check()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def program(tmp_path) -> Callable[[str], Path]:
    def make(script: str) -> Path:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo this is something else", r"program is no Traefik.*binary="),
        ("echo 'Version:      2.11.0'", r"program is Traefik 2\.11: use 3\.4 or a later one"),
        ("echo 'Version: 3.3.7'", r"program is Traefik 3\.3: use 3\.4 or a later one"),
    ],
)
def test_a_program_that_is_not_the_right_one_is_refused(tmp_path, kit, program, script, message) -> None:
    proxy = TraefikProxy(tmp_path / "state", port=kit.free_port(), binary=program(script))

    with pytest.raises(ConfigurationError, match=message):
        proxy.ensure_running()
    assert not (tmp_path / "state").exists()


def test_a_traefik_that_ends_at_once_is_reported_with_its_last_words(tmp_path, kit, program) -> None:
    script = '[ "$1" = version ] && echo "Version: 3.7.0" && exit 0; echo can not go on; exit 3'
    proxy = TraefikProxy(tmp_path / "state", port=kit.free_port(), binary=program(script))

    with pytest.raises(PermanentError, match=r"exited with code 3(.|\n)*can not go on"):
        proxy.ensure_running()
    proxy.stop()


def test_a_state_directory_that_is_no_directory_is_named(tmp_path, kit) -> None:
    (tmp_path / "file").write_text("")
    proxy = TraefikProxy(tmp_path / "file", port=kit.free_port())

    with pytest.raises(ConfigurationError, match=r"state directory .*file.* use a directory that this user can write"):
        proxy.ensure_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_state_directory_of_another_user_is_named(tmp_path, kit) -> None:
    code = (
        "import os, sys; from zdd.adapters.traefik.proxy import TraefikProxy\n"
        "os.setegid(65534); os.seteuid(65534)\n"
        "TraefikProxy(sys.argv[1], port=int(sys.argv[2])).ensure_running()"
    )
    tmp_path.chmod(0o700)
    arguments = [sys.executable, "-c", code, str(tmp_path / "state"), str(kit.free_port())]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)

    assert "ConfigurationError: state directory" in ended.stderr
    assert "use a directory that this user can write to" in ended.stderr


@pytest.mark.parametrize("port", [0, 65_536, "http", True])
def test_an_illegal_port_is_refused(tmp_path, port) -> None:
    with pytest.raises(ConfigurationError, match="port of the proxy"):
        TraefikProxy(tmp_path, port=port)


def test_a_host_that_is_not_this_machines_is_refused(tmp_path, kit) -> None:
    with pytest.raises(ConfigurationError, match=r"host='192\.0\.2\.1' of the proxy"):
        TraefikProxy(tmp_path, port=kit.free_port(), host="192.0.2.1").check()


def test_settings_in_the_environment_do_not_reach_it(proxy, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("TRAEFIK_LOG_LEVEL", "DEBUG")
    proxy.ensure_running()

    environment = Path(f"/proc/{_pid(proxy)}/environ").read_text()

    assert "192.0.2.1" not in environment
    assert "TRAEFIK_LOG_LEVEL" not in environment


def test_it_reports_to_nobody_and_cuts_no_long_request(proxy) -> None:
    proxy.ensure_running()

    told = json.loads((proxy.directory / "static.yaml").read_text())

    assert told["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}
    timeouts = told["entryPoints"]["web"]["transport"]["respondingTimeouts"]
    assert timeouts == {"readTimeout": "0s", "writeTimeout": "0s"}
    assert "accessLog" not in told


def test_somebody_who_was_suspended_while_it_started_is_not_waited_for_for_ever(proxy, monkeypatch) -> None:
    monkeypatch.setattr("zdd.adapters.traefik.proxy.LOCK_PATIENCE_S", 0.05)
    proxy.make_directories()
    with ThreadPoolExecutor(1) as starts, (proxy.directory / "lock").open("w") as suspended:
        fcntl.flock(suspended, fcntl.LOCK_EX)
        with pytest.raises(TemporaryError, match="traefik/lock is locked by somebody else"):
            starts.submit(proxy.ensure_running).result(30)
