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


def link_to(address: str) -> str:
    """Return the number, which the kernel never gives again, of the link through which a lab is reached."""
    words = ["ip", "-o", "route", "get", address]
    route = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    return _text(Path("/sys/class/net") / route[route.index("dev") + 1] / "ifindex")


def left_of(group: str, link: str, directory: Path) -> list[str]:
    """Return what a lab has left on this machine. Other labs may come and go meanwhile."""
    found = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if str(directory) in _text(path)]
    found += [line for line in _text(Path("/proc/self/mountinfo")).splitlines() if str(directory) in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{group}")]
    found += [path.parent.name for path in Path("/sys/class/net").glob("*/ifindex") if _text(path) == link]
    return [*found, str(directory)] if directory.exists() else found


def rules() -> tuple[str, ...]:
    """Return what a lab could change of this machine's packet filter."""
    return _text(Path("/proc/net/ip_tables_names")), _text(Path("/proc/sys/net/ipv4/ip_forward"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.timeout(300)
def test_it_comes_up_and_leaves_nothing(tmp_path: Path) -> None:
    state = {"ZDD_LAB_DIRECTORY": str(tmp_path / "lab")}
    before, began_s = rules(), time.monotonic()
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
        own = (facts["group"], link_to(facts["address"]), tmp_path / "lab")
        assert len(left_of(*own)) > 4
    finally:
        down = tell("down", **state)
    assert down.returncode == 0, down.stderr
    assert left_of(*own) == []
    assert rules() == before
    assert json.loads(tell("down", **state).stdout) == {"ended": False}


def test_where_it_can_not_run_it_says_what_it_needs() -> None:
    told = tell("up", ZDD_LAB_ENGINE="unix:///nobody/listens.sock")
    assert told.returncode == NO_LAB
    assert "name a registry that it can push to with ZDD_LAB_REGISTRY" in told.stderr
    told = tell("up", ZDD_LAB_ENGINE="unix:///nobody/listens.sock", ZDD_LAB_REGISTRY="127.0.0.1:9")
    assert told.returncode == NO_LAB
    assert "the engine at unix:///nobody/listens.sock" in told.stderr
