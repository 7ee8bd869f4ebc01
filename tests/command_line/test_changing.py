"""The commands that change something, as a shell script uses them."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from zdd.command_line.main import main


def test_a_service_is_planned_deployed_asked_for_and_taken_back(shell: Any) -> None:
    planned = shell.data("plan", "web", "--version", "1.0", run=shell.server)
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

    back = shell.data("rollback", "web", "--strategy", "blue-green")
    assert (back["outcome"], back["to_version"], back["strategy"]) == ("succeeded", "1.0", "BlueGreen(keep_s=0)")


def test_a_release_that_never_serves_is_told_by_the_exit_status(shell: Any) -> None:
    shell.deploy("1.0")
    failed = shell.deploy("2.0", "--start-deadline", "1", "--json", run=shell.broken)
    assert failed.returncode == 3
    said = json.loads(failed.stdout)
    assert (said["error"], said["report"]["outcome"]) == ("DeploymentFailed", "rolled back")
    assert "Traceback" not in failed.stderr


def test_what_was_interrupted_is_offered_and_finished(shell: Any) -> None:
    shell.deploy("1.0")
    words = ("web", "--version", "6.0", "--start-deadline", "60", "--drain-deadline", "2")
    for number in (signal.SIGINT, signal.SIGTERM):  # the second need not wait for the lease of the first
        with subprocess.Popen(
            shell.words("deploy", *words, run=shell.broken), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stderr is not None
            next(line for line in running.stderr if "waiting for" in line)
            running.send_signal(number)
            running.stderr.read()
            assert running.wait(90) == 6
    doctor = shell.run("doctor")
    assert "of 6.0 is interrupted" in doctor.stdout
    assert "python -m zdd resume web" in doctor.stdout
    done = shell.deploy("1.0")
    assert done.returncode == 0, done.stderr
    assert "was left half done" in done.stderr
    assert shell.run("doctor").stdout == "nothing was found\n"


def test_a_plan_is_rehearsed(shell: Any) -> None:
    shell.deploy("1.0")
    (result,) = shell.data("rehearse", "web", "--version", "7.0", "--startup", "5", "--seeds", "20", run=shell.server)
    assert result["played"] == 20
    assert result["outcomes"] == {"succeeded": 20}
    assert result["duration_s"]["50"] > 5


def test_what_somebody_is_deploying_is_not_called_half_done(played: Any, capsys: pytest.CaptureFixture[str]) -> None:
    played.leave_half_done()
    played.deployer._around.lease.acquire("web", "somebody", 15)
    assert main(["deploy", "web", "--version", "3.0", *played.parts, "--", "server"]) == 7
    said = capsys.readouterr().err
    assert "somebody" in said
    assert "half done" not in said
