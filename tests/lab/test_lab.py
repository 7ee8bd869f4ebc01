"""The lab comes up by itself, and leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

LAB = Path(__file__).parent
NO_LAB = 3
WITHIN_S = 90.0


def tell(action: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LAB), action]
    given = {name: text for name, text in os.environ.items() if not name.startswith("ZDD_LAB_")}
    return subprocess.run(
        command, env={**given, **environment}, capture_output=True, text=True, timeout=300, check=False
    )


def everything() -> dict[str, set[str]]:
    """Return what a lab could leave behind on this machine."""
    processes = {
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/comm")
        if _text(path).strip() in ("dockerd", "containerd", "docker-registry", "tini")
    }
    return {
        "processes": processes,
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "links": {path.name for path in Path("/sys/class/net").iterdir()},
        "control groups": {str(path) for path in Path("/sys/fs/cgroup").glob("**/zdd-lab-*")},
        "rules": {_text(Path("/proc/net/ip_tables_names")), _text(Path("/proc/sys/net/ipv4/ip_forward"))},
    }


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.timeout(300)
def test_it_comes_up_and_leaves_nothing(tmp_path: Path) -> None:
    state = {"ZDD_LAB_DIRECTORY": str(tmp_path / "lab")}
    before, began_s = everything(), time.monotonic()
    up = tell("up", **state)
    if up.returncode == NO_LAB:
        pytest.skip(up.stderr.strip())
    try:
        took_s = time.monotonic() - began_s
        assert up.returncode == 0, up.stderr
        facts = json.loads(up.stdout)
        assert facts["fresh"]
        assert took_s < WITHIN_S
        again = json.loads(tell("up", **state).stdout)
        assert (again["fresh"], again["pid"]) == (False, facts["pid"])
        client = [facts["client"], "--host", facts["engine"], "service", "create", "--quiet", "--name", "web"]
        created = subprocess.run(
            [*client, "--publish", "mode=host,target=8080", facts["image"]],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert created.returncode == 0, created.stderr
    finally:
        down = tell("down", **state)
    assert down.returncode == 0, down.stderr
    assert everything() == before
    assert not (tmp_path / "lab").exists()
    assert json.loads(tell("down", **state).stdout) == {"ended": False}


def test_where_it_can_not_run_it_says_what_it_needs() -> None:
    told = tell("up", ZDD_LAB_ENGINE="unix:///nobody/listens.sock")
    assert told.returncode == NO_LAB
    assert "name a registry that it can push to with ZDD_LAB_REGISTRY" in told.stderr
    told = tell("up", ZDD_LAB_ENGINE="unix:///nobody/listens.sock", ZDD_LAB_REGISTRY="127.0.0.1:9")
    assert told.returncode == NO_LAB
    assert "the engine at unix:///nobody/listens.sock" in told.stderr
