"""A throw-away HAProxy that follows a Consul agent: the user's own program, or the distribution's in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field

PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
SLOTS = 8

CONFIGURATION = """
global
  stats socket {socket} mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  retries 3
  option redispatch 1
resolvers consul
  nameserver agent 127.0.0.1:{dns_port}
  accepted_payload_size 8192
  timeout resolve 100ms
  timeout retry 100ms
  hold valid 100ms
  hold nx 100ms
frontend front
  bind 127.0.0.1:{port}
"""
RULE = "  use_backend {name} if {{ path -m beg {path} }}\n"
BACKEND = """
backend {name}
  balance roundrobin
  default-server resolvers consul resolve-opts allow-dup-ip resolve-prefer ipv4 init-addr none
  server-template slot {slots} _{name}._tcp.service.consul
"""


@define(eq=False)
class LabHaproxy:
    """An HAProxy of its own on loopback.

    Attributes:
        program: The ``haproxy`` to run, and the environment that it needs.
        directory: Where its configuration, socket and log are.
        dns_port: Of the Consul agent.
        paths: Consul's name of a service → the path whose requests it gets; the longest first.
        port: Where clients reach it.
    """

    program: tuple[Path, Mapping[str, str]]
    directory: Path
    dns_port: int
    paths: Mapping[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def socket(self) -> Path:
        return self.directory / "admin.sock"

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        text = CONFIGURATION.format(socket=self.socket, dns_port=self.dns_port, port=self.port)
        text += "".join(RULE.format(name=name, path=path) for name, path in self.paths.items())
        text += "".join(BACKEND.format(name=name, slots=SLOTS) for name in self.paths)
        (self.directory / "haproxy.cfg").write_text(text)
        path, environment = self.program
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [path, "-db", "-f", self.directory / "haproxy.cfg"], stdout=log, stderr=log, env=dict(environment)
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"haproxy did not get ready: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
        return True

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is None:
            return
        self.go_on()
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)
        self.process = None


def find_haproxy(cache: Path, fetch: Callable[[tuple[str, ...], Path], None]) -> tuple[Path, Mapping[str, str]]:
    """Return the program, and the environment that it needs.

    Args:
        cache: Where the distribution's is kept, if there is none on PATH.
        fetch: Has packages of the distribution unpacked into a folder.
    """
    own = shutil.which("haproxy")
    if own:
        return Path(own), dict(os.environ)
    directory = cache / "haproxy"
    program = directory / "usr" / "sbin" / "haproxy"
    if not program.exists():
        fetch(PACKAGES, directory)
    libraries = ":".join(str(path) for path in sorted(directory.glob("usr/lib/*")) if path.is_dir())
    return program, {**os.environ, "LD_LIBRARY_PATH": libraries}
