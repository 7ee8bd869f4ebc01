"""An action that is a program."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from zdd import ActionContext, CommandAction, ConfigurationError, Deployer, Perform, Release, RollingUpdate, Service
from zdd.actions.command_action import CommandFailed
from zdd.adapters.memory import Behaviour, MemoryWorld

CONTEXT = ActionContext("web", "web-2", "1.0", "2.0")


def test_its_last_line_is_the_note() -> None:
    script = 'echo first; echo "$ZDD_SERVICE $ZDD_DEPLOYMENT $ZDD_FROM_VERSION $ZDD_TO_VERSION $EXTRA"; echo'
    action = CommandAction(["sh", "-c", script], environment={"EXTRA": "more"})
    assert action.run(CONTEXT) == "web web-2 1.0 2.0 more"


def test_another_status_than_0_is_a_failure_with_the_last_line() -> None:
    with pytest.raises(CommandFailed, match="exit status 3: the disk is full"):
        CommandAction(["sh", "-c", "echo the disk is full; exit 3"]).run(CONTEXT)


def test_what_does_not_end_in_time_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid_file}; wait"
    with pytest.raises(CommandFailed, match=r"did not end within 0\.5 s"):
        CommandAction(["sh", "-c", script], deadline_s=0.5).run(CONTEXT)
    child = int(pid_file.read_text())
    deadline = time.monotonic() + 30
    while _alive(child):
        assert time.monotonic() < deadline, "the sleeper is still there"
        time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_that_is_not_there_is_the_systems_own_error() -> None:
    with pytest.raises(OSError, match="no-such-program"):
        CommandAction(["no-such-program"]).run(CONTEXT)


def test_what_is_not_there_is_found_out_beforehand(tmp_path: Path) -> None:
    CommandAction(["sh"]).check()
    program = tmp_path / "promote"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    CommandAction(["./promote"], directory=str(tmp_path)).check()
    for action in (
        CommandAction(["no-such-program"]),
        CommandAction(["./demote"], directory=str(tmp_path)),
        CommandAction(["sh"], environment={"PATH": "/nowhere"}),
        CommandAction(["sh"], directory=str(tmp_path / "nowhere")),
    ):
        with pytest.raises(ConfigurationError, match="is not there"):
            action.check()
        deployer = Deployer.in_memory(MemoryWorld())
        with pytest.raises(ConfigurationError, match="is not there"):
            deployer.deploy(Service("web"), Release("1.0", Behaviour()), Perform([action]) + RollingUpdate())
        assert deployer.history("web") == ()


def test_bad_values_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="use a list of words"):
        CommandAction("pg_dump")
    with pytest.raises(ConfigurationError, match="environment variable A is of type int: use text"):
        CommandAction(["true"], environment={"A": 1})  # type: ignore[dict-item]
    assert CommandAction(["pg_dump", "-f", os.devnull]).name == "pg_dump -f /dev/null"
