"""`make matrix` in small: whatever a deployer was killed at, nothing is lost and nothing is left over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(310)
def test_a_deployer_that_is_killed_leaves_nothing_that_another_one_does_not_finish() -> None:
    command = [
        sys.executable,
        str(Path(__file__).parent),
        "--strategies",
        "BlueGreen",
        "--every",
        "61",
        "--first",
        "13",
    ]
    done = subprocess.run([*command, "--jobs", "1"], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout
    assert 2 <= verdict["killed"] <= verdict["points"]
    assert verdict["requests"] > 100
    assert (verdict["lost"], verdict["orphans"], verdict["problems"]) == (0, 0, 0)
