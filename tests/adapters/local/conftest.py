"""Small real programs, and a home for them that is empty again after each test."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.adapters.local.program import Program
from zdd.adapters.local.strays import end_strays, find_strays
from zdd.adapters.local.supervised import Phase, Supervised

# Each is run by `python -I -S -c`; all know: os, signal, socket, sys, time.
PROGRAMS = {
    "serve": """
        listening = [socket.create_server(("127.0.0.1", int(os.environ[name]))) for name in sorted(os.environ)
                     if name.startswith("PORT_")]
        while True: listening[0].accept()[0].close()
    """,
    "sleep": "time.sleep(600)",
    "crash": "print('no database'); sys.exit(3)",
    "stubborn": "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
    # Leaves a grandchild in a session of its own, says where it is, and goes on.
    "daemon": """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                if "STUBBORN" in os.environ: signal.signal(signal.SIGTERM, signal.SIG_IGN)
                else: signal.signal(signal.SIGTERM, lambda *_: (print("daemon says goodbye", flush=True), os._exit(0)))
                print("daemon", os.getpid(), flush=True)
                time.sleep(600)
            os._exit(0)
        os.wait()
        if "CRASH" in os.environ: sys.exit(1)
        time.sleep(600)
    """,
    "environment": "print(sorted(os.environ.items()), os.getcwd(), flush=True); time.sleep(600)",
}


def _outdent(text: str) -> str:
    lines = text.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[margin:] for line in lines)


def _program(name: str) -> list[str]:
    source = PROGRAMS.get(name, name)
    return [sys.executable, "-I", "-S", "-c", "import os, signal, socket, sys, time\n" + _outdent(source)]


def _wait_until(condition: Callable[[], Any], deadline_s: float = 60.0) -> Any:
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {condition}"
        time.sleep(0.005)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.fixture(scope="session")
def program() -> Callable[[str], list[str]]:
    """The command of one of the small programs, or of the source given."""
    return _program


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Wait until the condition holds, and return it; fail after a deadline."""
    return _wait_until


@pytest.fixture(scope="session")
def is_running() -> Callable[[int], bool]:
    """Whether a process runs."""
    return _is_running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    """Start a supervised program; it is ended after the test."""
    started: list[Supervised] = []

    def start_one(source: str, /, directory: Path | None = None, **options: Any) -> Supervised:
        where = directory or tmp_path / f"one-{len(started)}"
        defaults = {"name": where.name, "command": _program(source), "stop_grace_s": 5.0}
        fixed_ports = options.pop("fixed_ports", None)
        one = Supervised.start(where, Program(**{**defaults, **options}), fixed_ports=fixed_ports)
        started.append(one)
        return one

    yield start_one
    for one in started:
        one.stop(0)
    for one in started:
        _wait_until(lambda one=one: one.state().phase is Phase.ENDED)
        end_strays(one.directory)


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[LocalOrchestrator]:
    """An orchestrator over an empty state directory; nothing of it may be left after the test."""
    orchestrator = LocalOrchestrator(tmp_path / "state")
    yield orchestrator
    orchestrator.stop_everything(grace_s=0)
    marks = f"ZDD_SUPERVISED_IN={tmp_path}".encode()
    left = [path.name for path in Path("/proc").iterdir() if path.name.isdigit() and marks in _environment(path)]
    assert not left, f"processes left behind: {left}"


@pytest.fixture(scope="session")
def strays() -> Callable[[Path], list[int]]:
    """Processes that came of a directory's program, whoever their parent is now."""
    return find_strays


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
