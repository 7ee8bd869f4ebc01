"""A throw-away Traefik that follows a Consul agent, with the configuration of the example."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from guard import guarded_process

EXAMPLE = Path(__file__).parents[2] / "examples" / "traefik" / "traefik.yml"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


def find_traefik() -> Path | None:
    """Return the program, if there is one on PATH or in this environment."""
    found = shutil.which("traefik", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return Path(found) if found else None


def configuration(values: Mapping[str, str]) -> str:
    """Return the example's configuration with other values in place of some of its own."""
    text = EXAMPLE.read_text()
    for value, own in values.items():
        assert text.count(value) == 1, value
        text = text.replace(value, own)
    return text


@define(eq=False)
class LabTraefik:
    """A Traefik of its own on loopback.

    Attributes:
        program: The ``traefik`` to run.
        directory: Where its configuration and log are.
        consul_port: Of the Consul agent's HTTP interface.
        port: Where clients reach it.
        api_port: Where its API answers.
        settings: Text of the example's configuration → what stands there instead.
        process: What runs.
    """

    program: Path
    directory: Path
    consul_port: int
    port: int
    api_port: int
    settings: Mapping[str, str] = field(factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it and wait until it has read its own configuration."""
        self.directory.mkdir(parents=True, exist_ok=True)
        ports = {"127.0.0.1:8500": self.consul_port, "127.0.0.1:8000": self.port, "127.0.0.1:8080": self.api_port}
        values = {value: f"127.0.0.1:{port}" for value, port in ports.items()}
        path, log_path = self.directory / "traefik.yml", self.directory / "log"
        path.write_text(configuration({**self.settings, **values}))
        with log_path.open("ab") as log:
            self.process = subprocess.Popen([self.program, f"--configFile={path}"], stdout=log, stderr=log)
        guarded_process(self.process.pid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(self.api_port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"traefik did not get ready: {log_path.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it. It may be paused."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
        self.process = None


def _answers(api_port: int) -> bool:
    """Tell whether it knows itself: its ports are open before it knows its API."""
    client = http.client.HTTPConnection("127.0.0.1", api_port, timeout=1.0)
    try:
        client.request("GET", "/api/version")
        return client.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
