"""Real processes behind a real Traefik, strict clients, and deploy scripts in processes of their own."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest
from attrs import define, field

import zdd
from zdd.adapters.embedded import Embedded

sys.path.append(str(Path(__file__).parents[1] / "lab"))
from writers import Writer, free_port

HERE = Path(__file__).parent


@define
class Clients:
    """Strict clients: keep-alive, no retry. What fails is kept with its reason."""

    port: int
    answers: Counter[str] = field(factory=Counter)
    failures: list[str] = field(factory=list)
    _stop: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def __enter__(self) -> Clients:
        jobs = [("GET", "/"), ("GET", "/"), ("POST", "/"), ("GET", "/?seconds=0.7"), ("GET", "/?seconds=0.7")]
        for method, path in jobs:
            thread = threading.Thread(target=self._run, args=(method, path))
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, method: str, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request(method, path, body=b"order" if method == "POST" else None)
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status >= 300:
                    self.failures.append(f"{method} {path}: {answer.status} {text[:60]}")
                else:
                    self.answers[text] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{method} {path}: {type(error).__name__}: {error}")
                connection.close()
            self._stop.wait(0.01)
        connection.close()


@define
class Machine:
    """One state directory and one port, and what runs there."""

    state: Path
    port: int
    parts: Embedded = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.parts = Embedded(self.state, port=self.port)

    def deployer(self) -> zdd.Deployer:
        """Return a deployer of this machine, as a new script makes it."""
        return zdd.Deployer.embedded(self.state, port=self.port)

    def service(self, **changes: object) -> zdd.Service:
        """Return the service of `deploy.py`."""
        settings: dict[str, object] = {
            "replicas": 2,
            "gates": [zdd.HttpGate("/health")],
            "drain_deadline_s": 5,
            "start_deadline_s": 40,
            "stop_grace_s": 2,
        }
        return zdd.Service("web", **{**settings, **changes})  # type: ignore[arg-type]

    def release(self, version: str, **environment: str) -> zdd.Release:
        """Return a release of the application."""
        return zdd.Release(version, zdd.Process([sys.executable, str(HERE / "application.py")], environment))

    def script(self, version: str, strategy: str = "RollingUpdate", *rest: str) -> subprocess.Popen[str]:
        """Start a deploy script."""
        words = [sys.executable, str(HERE / "deploy.py"), str(self.state), str(self.port), version, strategy, *rest]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def clients(self) -> Clients:
        """Return clients that are not started yet."""
        return Clients(self.port)

    def writer(self, first: int = 0) -> Writer:
        """Return a client that writes, not started yet."""
        return Writer(self.port, first)

    def instances(self) -> list[str]:
        """Return the versions of all instances that exist."""
        cells = self.parts.orchestrator.observe(self.service())
        return sorted(i.revision for cell in cells for i in cell.instances)

    def processes(self) -> list[int]:
        """Return the process ids of all applications of this machine."""
        found = []
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                try:
                    words = (directory / "cmdline").read_bytes().split(b"\0")
                    own = str(self.state).encode() in (directory / "environ").read_bytes()
                except OSError:
                    continue
                if str(HERE / "application.py").encode() in words and own:
                    found.append(int(directory.name))
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give a machine of the test's own; everything on it is stopped in the end."""
    one = Machine(tmp_path / "state", free_port())
    try:
        yield one
    finally:
        one.parts.stop_everything(1.0)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Wait for a condition, 20 s at most."""

    def wait(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)

    return wait


def pytest_runtest_setup() -> None:
    """Skip where there are no processes to look at."""
    if not Path("/proc/self").is_dir():
        pytest.skip("needs Linux: the tests look at processes in /proc")
