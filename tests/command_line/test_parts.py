from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zdd.command_line.main import main
from zdd.command_line.parser import make_parser
from zdd.command_line.parts import make_deployer
from zdd.errors import ConfigurationError

MIRROR = (sys.executable, "-m", "zdd", "mirror")


def test_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["mirror", "--help"])
    assert ended.value.code == 0
    assert "every service that was ever deployed" in capsys.readouterr().out


def test_a_command_that_is_missing_or_unknown_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["marvel"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "mirror" in capsys.readouterr().err


def test_what_cannot_work_is_one_line_and_status_2() -> None:
    done = subprocess.run([*MIRROR, "web", "--consul", "ftp://agent"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zdd: Consul address 'ftp://agent': use http://host:port or https://host:port\n"


def test_it_runs_until_a_signal_ends_it(tmp_path: Path) -> None:
    command = [*MIRROR, "web", "--state", str(tmp_path), "--interval", "0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert "web: was not deployed yet" in running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        assert running.wait(10.0) == 0


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere_at_all:make", "No module named"),
        ("zdd:make", "has no attribute"),
        ("zdd", "use MODULE:NAME"),
        ("builtins:list", "it has to return a Deployer"),
    ],
)
def test_a_function_of_the_users_that_gives_no_deployer_is_refused(place: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_deployer(make_parser().parse_args(["mirror", "--deployer", place]))


def test_the_environment_names_consul(tmp_path: Path) -> None:
    arguments = make_parser().parse_args(["mirror", "--docker", f"unix://{tmp_path}/none"])
    with pytest.raises(ConfigurationError, match="ftp://agent"):
        make_deployer(arguments, {"CONSUL_HTTP_ADDR": "ftp://agent"})
    made = make_deployer(arguments, {"CONSUL_HTTP_ADDR": "10.0.0.1:8500", "CONSUL_HTTP_TOKEN": "secret"})
    assert "secret" not in repr(made.mirror("web"))


def test_an_edge_needs_host_and_port() -> None:
    arguments = make_parser().parse_args(["mirror", "--consul", "127.0.0.1:8500", "--traefik", "8080"])
    with pytest.raises(ConfigurationError, match="use HOST:PORT"):
        make_deployer(arguments, {})


@pytest.mark.parametrize("order", ["pause", "promote", "abort", "resume"])
def test_an_order_that_nobody_can_obey_is_one_line_and_status_2(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([order, "web", "--state", str(tmp_path)]) == 2
    said = capsys.readouterr()
    expected = "web has no unfinished deployment" if order == "resume" else "it was never deployed"
    assert said.out == ""
    assert said.err.startswith("zdd: ")
    assert said.err.count("\n") == 1
    assert expected in said.err
