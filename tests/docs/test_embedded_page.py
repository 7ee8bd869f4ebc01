"""What docs/embedded.md says of files and of bad days is tried on real processes."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd.adapters.embedded import Embedded

SERVICE = zdd.Service("web", replicas=2, gates=[zdd.HttpGate("/")], start_deadline_s=60)
SERVER = zdd.Process(["sh", "-c", "exec python3 -m http.server --bind 127.0.0.1 $PORT"])


@pytest.fixture
def state(run: Any) -> Iterator[Path]:
    directory = run.directory / "state" / "zdd"
    yield directory
    Embedded(directory, port=run.port).stop_everything(1.0)


def kill(*states: Path) -> None:
    """End supervisors and what they supervise as the kernel would, and wait until they have gone."""
    told = [json.loads(state.read_text(encoding="utf-8")) for state in states]
    pids = [one[name] for one in told for name in ("supervisor_pid", "pid")]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await_true(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return int(answer.status)


def test_the_paths_of_the_state_directory_are_those_of_a_run(pages: Any, run: Any, state: Path) -> None:
    deployer = zdd.Deployer.embedded(state, port=run.port)
    deployer.deploy(SERVICE, zdd.Release("1.0", SERVER))
    deployer.deploy(SERVICE, zdd.Release("1.1", SERVER))
    for path, _ in pages["embedded.md"].table("path in it"):
        pattern = path.strip("`").replace("<service>", "web").replace("<cell>", "*").replace("<instance>", "*")
        assert list(state.glob(pattern)), f"{path} is not there"


def test_after_a_reboot_deploying_the_same_release_starts_everything_again(run: Any, state: Path) -> None:
    release = zdd.Release("1.0", SERVER)
    zdd.Deployer.embedded(state, port=run.port).deploy(SERVICE, release)
    kill(*state.glob("services/*/cells/*/*/state.json"), state / "traefik" / "process" / "state.json")
    report = zdd.Deployer.embedded(state, port=run.port).deploy(SERVICE, release)
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert report.capacity[-1].useful == 2
    assert answers(run.port) == 200


def test_an_instance_whose_supervisor_was_killed_comes_back_with_the_next_deployment(run: Any, state: Path) -> None:
    release = zdd.Release("1.0", SERVER)
    deployer = zdd.Deployer.embedded(state, port=run.port)
    deployer.deploy(SERVICE, release)
    kill(next(state.glob("services/web/cells/web/*/state.json")))
    report = deployer.deploy(SERVICE, release)
    assert report.outcome is zdd.Outcome.SUCCEEDED
    assert report.capacity[-1].useful == 2
