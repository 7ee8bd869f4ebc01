"""A shell in which the command line is used: real processes, results on standard output, progress beside it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import field, frozen

import zdd
from zdd.adapters.embedded import Embedded
from zdd.adapters.memory import Behaviour, MemoryWorld


@frozen
class Shell:
    """A state directory and a port, and what is said there."""

    state: Path
    port: int
    server: str = field(default="exec python3 -m http.server --bind 127.0.0.1 $PORT", init=False)
    broken: str = field(default="sleep 60", init=False)

    def words(self, name: str, *words: str, run: str = "") -> list[str]:
        command = [sys.executable, "-m", "zdd", name, *words, "--state", str(self.state), "--listen", str(self.port)]
        return [*command, "--", "sh", "-c", run] if run else command

    def run(self, name: str, *words: str, run: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(name, *words, run=run), capture_output=True, text=True, check=False, timeout=90
        )

    def data(self, name: str, *words: str, run: str = "") -> Any:
        done = self.run(name, *words, "--json", run=run)
        return json.loads(done.stdout)

    def deploy(self, version: str, *words: str, run: str = "") -> subprocess.CompletedProcess[str]:
        deadlines = ("--start-deadline", "15", "--drain-deadline", "2")
        return self.run("deploy", "web", "--version", version, *deadlines, *words, run=run or self.server)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell of its own for each module, in which nothing was deployed yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Shell(tmp_path_factory.mktemp("shell") / "state", port)
    yield one
    Embedded(one.state, port=port).stop_everything(1.0)


@frozen
class Played:
    """A world in memory in which ``web`` runs, and the words that let the command line work with its deployer."""

    world: MemoryWorld
    deployer: zdd.Deployer
    parts: tuple[str, ...] = ("--deployer", "played_parts:make", "--quiet")

    def leave_half_done(self) -> None:
        """Let a deployer of 2.0 die in the middle."""

        def die() -> None:
            raise SystemExit("killed")

        self.world.clock.call_after(0.5, die)
        with pytest.raises(SystemExit, match="killed"):
            self.deployer.deploy(zdd.Service("web"), zdd.Release("2.0", Behaviour()))

    def leave_interrupted(self) -> None:
        """Let somebody stop the deployer of 2.0 in the middle."""

        def stop() -> None:
            raise KeyboardInterrupt

        self.world.clock.call_after(0.5, stop)
        with pytest.raises(zdd.DeploymentInterrupted):
            self.deployer.deploy(zdd.Service("web"), zdd.Release("2.0", Behaviour()))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    world = MemoryWorld()
    one = Played(world, zdd.Deployer.in_memory(world))
    one.deployer.deploy(zdd.Service("web"), zdd.Release("1.0", Behaviour()))
    module = ModuleType("played_parts")
    module.make = lambda: one.deployer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return one
