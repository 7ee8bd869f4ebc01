"""Orders to a running deployment from another shell, and the mirror."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zdd.command_line.main import main


def test_a_running_deployment_obeys_orders_from_another_shell(shell: Any) -> None:
    shell.deploy("1.0")
    words = ("web", "--version", "4.0", "--strategy", "blue-green", "--keep", "60", "--drain-deadline", "2")
    with subprocess.Popen(
        shell.words("deploy", *words, run=shell.server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        next(line for line in running.stderr if "hold time" in line)
        paused = shell.run("pause", "web")
        assert paused.returncode == 0, paused.stderr
        assert shell.data("status", "web")[0]["outcome"] is None
        assert shell.deploy("5.0").returncode == 7
        assert shell.run("abort", "web").returncode == 0
        running.stderr.read()
        assert running.wait(90) == 3


@pytest.mark.parametrize("order", ["pause", "promote", "abort", "resume"])
def test_an_order_that_nobody_can_obey_is_one_line_and_status_2(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([order, "web", "--state", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("zdd: ")
    assert said.err.count("\n") == 1
    assert "web was never deployed" in said.err


def test_it_runs_until_a_signal_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zdd", "mirror", "web", "--state", str(tmp_path), "--interval", "0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert "web: was not deployed yet" in running.stderr.readline()
        running.send_signal(signal.SIGTERM)
        assert running.wait(60.0) == 0
