"""`make matrix` in small: whatever a deployer was killed at, nothing is lost and nothing is left over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def matrix(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).parent), "--jobs", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert verdict["tried"] == verdict["chosen"] < verdict["points"]
    assert verdict["requests"] > 100
    assert (verdict["lost"], verdict["orphans"], verdict["problems"]) == (0, 0, 0)
    return verdict


@pytest.mark.timeout(310)
def test_a_deployer_that_is_killed_leaves_nothing_that_another_one_does_not_finish() -> None:
    assert matrix("--strategies", "BlueGreen", "--part", "14/97")["killed"] >= 1


@pytest.mark.timeout(310)
def test_a_deployer_that_slept_longer_than_its_lease_changes_nothing_when_it_wakes_up() -> None:
    chosen = (
        "--strategies",
        "RollingUpdate",
        "--when",
        "paused",
        "--calls",
        "discovery",
        "--part",
        "3/99",
    )
    assert matrix(*chosen)["killed"] == 1
