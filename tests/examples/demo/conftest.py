"""Instances of the demo's application, started as the demo starts them: as processes of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define

DEMO = Path(__file__).parents[3] / "examples" / "demo"
sys.path.insert(0, str(DEMO))  # the demo's files are scripts beside each other, not a package

START_DEADLINE_S = 20.0
STOP_DEADLINE_S = 20.0


@define
class Instance:
    """A running instance of the application."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self.process.wait(STOP_DEADLINE_S)

    def await_health(self) -> int:
        """Wait until it answers, and return the status of its health."""
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                with error:
                    return error.code
            except OSError:
                assert self.process.poll() is None, f"it ended with {self.process.returncode}"
                assert time.monotonic() < deadline, "it does not answer"
                time.sleep(0.01)


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture
def orders_log(tmp_path: Path) -> Path:
    return tmp_path / "orders.log"


@pytest.fixture
def start(free_port: Callable[[], int], orders_log: Path) -> Iterator[Callable[..., Instance]]:
    """Start an instance with this environment; everything started is ended with the test."""
    started: list[Instance] = []

    def begin(**environment: str) -> Instance:
        port = free_port()
        settings = {"PORT": str(port), "ORDERS_LOG": str(orders_log), **environment}
        process = subprocess.Popen(
            [sys.executable, str(DEMO / "application.py")],
            env={"PATH": os.environ["PATH"], **settings},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        instance = Instance(process, port)
        started.append(instance)
        return instance

    yield begin
    for instance in started:
        if instance.process.poll() is None:
            instance.process.kill()
        instance.process.communicate()
