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
from guard import guarded_process

PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
EXAMPLE = Path(__file__).parents[2] / "examples" / "haproxy" / "haproxy.cfg"
RULE = "  use_backend {name} if {{ path -m beg {path} }}\n"


def configuration(socket: Path, dns_port: int, port: int, paths: Mapping[str, str]) -> str:
    """Return the example's configuration with another agent, socket and port, and with these services for its one."""
    text = EXAMPLE.read_text()
    values = {"/run/haproxy/admin.sock": str(socket), "127.0.0.1:8600": f"127.0.0.1:{dns_port}"}
    for value, own in {**values, "127.0.0.1:8000": f"127.0.0.1:{port}"}.items():
        assert text.count(value) == 1, value
        text = text.replace(value, own)
    head, backend = text.split("\nbackend web\n")
    rules = "".join(RULE.format(name=name, path=path) for name, path in paths.items())
    head = head.replace("  default_backend web\n", rules)
    backends = (f"backend {name}\n{backend.replace('_web._tcp', f'_{name}._tcp')}" for name in paths)
    return "\n".join([head, *backends])


@define(eq=False)
class LabHaproxy:
    """An HAProxy of its own on loopback.

    Attributes:
        program: The ``haproxy`` to run, and the environment that it needs.
        directory: Where its configuration, socket and log are.
        dns_port: Of the Consul agent.
        paths: Consul's name of a service → the path whose requests it gets; the longest first.
        port: Where clients reach it.
        settings: Text of the example's configuration → what stands there instead.
        process: What runs.
        former: What it was before it was reloaded.
    """

    program: tuple[Path, Mapping[str, str]]
    directory: Path
    dns_port: int
    paths: Mapping[str, str]
    port: int
    settings: Mapping[str, str] = field(factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None)
    former: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def socket(self) -> Path:
        return self.directory / "admin.sock"

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        text = configuration(self.socket, self.dns_port, self.port, self.paths)
        for value, own in self.settings.items():
            assert value in text, value
            text = text.replace(value, own)
        (self.directory / "haproxy.cfg").write_text(text)
        self._run()

    def reload(self) -> None:
        """Put a new process in its place, which takes over the listeners; the one before finishes what it has begun."""
        assert self.process is not None
        self.former.append(self.process)
        self._run("-x", str(self.socket), "-sf", str(self.process.pid))

    def _run(self, *more: str) -> None:
        path, environment = self.program
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [path, "-db", "-f", self.directory / "haproxy.cfg", *more],
                stdout=log,
                stderr=log,
                env=dict(environment),
            )
        guarded_process(self.process.pid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(self.process.pid):
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError(f"haproxy did not get ready: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self, pid: int) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
                client.sendall(b"show info\n")
                return f"\nPid: {pid}\n".encode() in client.makefile("rb").read()
            except OSError:
                return False

    def stop(self) -> None:
        """End it, and what it was before, by force if that takes too long."""
        for process in (*self.former, *([self.process] if self.process else [])):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_TIMEOUT_S)
        self.process = None
        self.former.clear()


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
