"""The command line as a shell script uses it: real processes, results on standard output, progress beside it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from zdd.adapters.embedded import Embedded

SERVER = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
BROKEN = "sleep 60"


@frozen
class Shell:
    """A state directory and a port, and what is said there."""

    state: Path
    port: int

    def words(self, name: str, *words: str, run: str = "") -> list[str]:
        command = [sys.executable, "-m", "zdd", name, *words, "--state", str(self.state), "--listen", str(self.port)]
        return [*command, "--", "sh", "-c", run] if run else command

    def run(self, name: str, *words: str, run: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(name, *words, run=run), capture_output=True, text=True, check=False, timeout=90
        )

    def data(self, name: str, *words: str, run: str = "") -> Any:
        done = self.run(name, *words, "--json", run=run)
        return json.loads(done.stdout)

    def deploy(self, version: str, *words: str, run: str = SERVER) -> subprocess.CompletedProcess[str]:
        deadlines = ("--start-deadline", "15", "--drain-deadline", "2")
        return self.run("deploy", "web", "--version", version, *deadlines, *words, run=run)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Shell(tmp_path_factory.mktemp("shell") / "state", port)
    yield one
    Embedded(one.state, port=port).stop_everything(1.0)


def test_a_service_is_planned_deployed_asked_for_and_taken_back(shell: Shell) -> None:
    planned = shell.data("plan", "web", "--version", "1.0", run=SERVER)
    assert [one["strategy"] for one in planned] == ["RollingUpdate()"]
    assert shell.run("status").stdout == "nothing was ever deployed\n"

    first = shell.deploy("1.0")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("web: first deployment of 1.0 succeeded")
    assert "launched" in first.stderr
    assert shell.deploy("1.0", "--quiet").stderr == ""

    assert shell.deploy("1.1").returncode == 0
    status = shell.data("status", "web")[0]
    assert (status["to_version"], status["outcome"], status["useful"]) == ("1.1", "succeeded", 1)
    assert [one["to_version"] for one in shell.data("history", "web")] == ["1.0", "1.1"]
    assert shell.data("report", "web")["from_version"] == "1.0"

    back = shell.data("rollback", "web")
    assert (back["outcome"], back["to_version"]) == ("succeeded", "1.0")


def test_a_release_that_never_serves_is_told_by_the_exit_status(shell: Shell) -> None:
    shell.deploy("1.0")
    failed = shell.deploy("2.0", "--start-deadline", "1", "--json", run=BROKEN)
    assert failed.returncode == 3
    said = json.loads(failed.stdout)
    assert (said["error"], said["report"]["outcome"]) == ("DeploymentFailed", "rolled back")
    assert "Traceback" not in failed.stderr


def test_bad_input_is_refused_before_anything_is_touched(shell: Shell) -> None:
    shell.deploy("1.0")
    before = shell.data("history", "web")
    refused = shell.deploy("3.0", "--floor", "7")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "zdd: floor of web is 7, above its 1 replicas" in refused.stderr
    missing = shell.run("deploy", "shop", "-f", "nowhere.yaml")
    assert missing.returncode == 2
    assert "nowhere.yaml" in missing.stderr
    assert shell.data("history", "web") == before


def test_a_running_deployment_obeys_orders_from_another_shell(shell: Shell) -> None:
    shell.deploy("1.0")
    words = ("web", "--version", "4.0", "--strategy", "blue-green", "--keep", "60", "--drain-deadline", "2")
    with subprocess.Popen(
        shell.words("deploy", *words, run=SERVER), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "hold time" in line)
        paused = shell.run("pause", "web")
        assert paused.returncode == 0, paused.stderr
        assert shell.data("status", "web")[0]["outcome"] is None
        assert shell.deploy("5.0").returncode == 7
        assert shell.run("abort", "web").returncode == 0
        running.stderr.read()
        assert running.wait(60) == 3


def test_what_was_interrupted_is_offered_and_finished(shell: Shell) -> None:
    shell.deploy("1.0")
    words = ("web", "--version", "6.0", "--start-deadline", "60", "--drain-deadline", "2")
    with subprocess.Popen(
        shell.words("deploy", *words, run=BROKEN), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "launched" in line)
        running.send_signal(signal.SIGINT)
        running.stderr.read()
        assert running.wait(60) == 6
    doctor = shell.run("doctor")
    assert "of 6.0 is interrupted" in doctor.stdout
    assert "python -m zdd resume web" in doctor.stdout
    done = shell.deploy("1.0")
    assert done.returncode == 0, done.stderr
    assert "was left half done" in done.stderr
    assert shell.run("doctor").stdout == "nothing was found\n"


def test_a_plan_is_rehearsed(shell: Shell) -> None:
    shell.deploy("1.0")
    (result,) = shell.data("rehearse", "web", "--version", "7.0", "--startup", "5", "--seeds", "20", run=SERVER)
    assert result["played"] == 20
    assert result["outcomes"] == {"succeeded": 20}
    assert result["duration_s"]["50"] > 5
