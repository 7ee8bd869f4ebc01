"""Orders from one process to the deployment that another one runs, by the embedded default."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import zdd


def wait_for(script: Any, name: str) -> None:
    """Read what a script prints, one event's name a line, up to this one."""
    for line in script.stdout:
        if line.strip() == name:
            return
    pytest.fail(f"the script ended before {name}: {script.stderr.read()}")


def test_a_deployment_obeys_another_process(machine: Any) -> None:
    machine.deployer().deploy(machine.service(), machine.release("1.0"))
    operator = machine.deployer()
    with machine.clients() as clients:
        script = machine.script("2.0", "Canary")
        wait_for(script, "StageEntered")
        pause = operator.pause("web")
        wait_for(script, "Ordered")
        assert operator.pause("web") == pause
        with pytest.raises(zdd.ConfigurationError, match=r"was paused by .*resume.*first"):
            operator.promote("web")
        resumed = subprocess.run(
            [sys.executable, "-m", "zdd", "resume", "web", "--state", str(machine.state)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "1.0 → 2.0 has no end on record" in resumed.stdout
        wait_for(script, "Ordered")
        operator.promote("web")
        wait_for(script, "StagePassed")
        wait_for(script, "StageEntered")
        operator.abort("web")
        output, errors = script.communicate(timeout=90)
    assert "rolled back" in errors, output
    assert f"aborted by {pause.by} at " in errors
    assert clients.failures == []
    assert clients.answers["2.0"] > 0
    assert machine.deployer().history("web")[-1].outcome is zdd.Outcome.ROLLED_BACK
    with pytest.raises(zdd.ConfigurationError, match="nothing of web is being deployed"):
        operator.abort("web")
