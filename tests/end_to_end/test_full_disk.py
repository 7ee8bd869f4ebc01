"""A disk that is full, while a backup is kept and while one is restored: disks of the test's own, in a namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$1" && mount -t tmpfs -o size=64k tmpfs "$2" && shift 2 && exec "$@"'


@pytest.fixture
def played(machine: Any, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Let the script run where these disks are, and return what it tells."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a disk in a namespace")

    def play(what: str) -> dict[str, Any]:
        place, kept = tmp_path / "place", tmp_path / "kept"
        place.mkdir()
        kept.mkdir()
        script = [sys.executable, str(HERE / "full.py"), str(machine.state), str(machine.port), str(place), str(kept)]
        command = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(place), str(kept), *script, what]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return play


def test_a_full_store_ends_the_deployment_before_anything_is_touched(played: Callable[[str], dict[str, Any]]) -> None:
    told = played("store")
    kind, message, outcome, _ = told["error"]
    assert (kind, outcome) == ("DeploymentFailed", "rolled back")
    assert "No space left on device: make room, or use another directory" in message
    assert told["full"] == {"running": ["r1"], "orders": True, "spoiled": False, "beside": [], "kept": []}


def test_a_restore_without_room_is_stuck_serves_nothing_and_goes_on_when_there_is_room(
    played: Callable[[str], dict[str, Any]],
) -> None:
    told = played("data")
    kind, message, outcome, next_steps = told["error"]
    assert (kind, outcome) == ("RollbackFailed", "stuck")
    assert "could not be replaced: No space left" in message
    assert "deployer.resume('web')" in next_steps
    assert told["full"] == {"running": [], "orders": True, "spoiled": True, "beside": [], "kept": []}
    assert told["resumed"] == "rolled back"
    assert told["after"] == {"running": ["r1"], "orders": True, "spoiled": False, "beside": [], "kept": []}
