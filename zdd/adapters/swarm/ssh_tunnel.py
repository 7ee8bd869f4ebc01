"""An Engine behind SSH, reached as the docker client does it: by ``docker system dial-stdio`` on the other machine.

The machine's own ``ssh`` program makes the connection, so its configuration, keys, agent and known hosts count. It is
never asked for a password: what needs one fails, and says so.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from zdd.errors import ConfigurationError

_ENDS_WITHIN_S = 5.0
_IDLE_S = 60
_PAUSE_S = 0.1

logger = logging.getLogger("zdd")


class SshTunnel:
    """A socket of this machine behind which every connection goes on over SSH. One login serves all of them.

    Raises:
        ConfigurationError: There is no ``ssh`` program, or the address names no host.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        program, parts = shutil.which("ssh"), urlsplit(address)
        if program is None:
            raise ConfigurationError(f"{address} needs the program ssh: install the OpenSSH client")
        if not parts.hostname or parts.path not in ("", "/") or parts.password:
            raise ConfigurationError(f"Docker host {address!r}: use ssh://user@host:port, and a key for the login")
        self._directory = Path(tempfile.mkdtemp(prefix="zdd-ssh-"))
        options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, round(timeout_s))}"]
        options += ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._directory}/login"]
        options += ["-o", f"ControlPersist={_IDLE_S}"]
        options += ["-p", str(parts.port)] if parts.port else []
        options += ["-l", parts.username] if parts.username else []
        self._ssh = [program, *options]
        self._host = parts.hostname
        self._log = self._directory / "log"
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._running: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._directory / "engine.sock"))
        self._listener.listen()
        threading.Thread(target=self._accept, name="zdd-ssh-tunnel", daemon=True).start()

    @property
    def address(self) -> str:
        """Where the Engine is reached on this machine."""
        return f"unix://{self._directory}/engine.sock"

    def said(self) -> str:
        """Return the last thing that ssh complained about; empty if nothing."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End every connection and the login."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            running, self._running = self._running, []
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if (self._directory / "login").exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    [*self._ssh, "-O", "exit", "--", self._host],
                    stdin=subprocess.DEVNULL, capture_output=True, timeout=_ENDS_WITHIN_S, check=False,
                )  # fmt: skip
        shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                with connection:
                    self._carry(connection)
            except OSError as error:
                if self._ended.wait(_PAUSE_S):
                    return
                # Too many open files, or no further process: who connected waits, or is hung up on.
                logger.warning("zdd.ssh_tunnel: a connection to %s can't be carried on: %s", self._host, error)

    def _carry(self, connection: socket.socket) -> None:
        """Let ssh carry a connection on."""
        command = [*self._ssh, "--", self._host, "docker", "system", "dial-stdio"]
        with self._lock, self._log.open("wb") as log:
            if self._ended.is_set():
                return  # what is started now would not be ended any more
            self._running = [one for one in self._running if one.poll() is None]
            process = subprocess.Popen(
                command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log, start_new_session=True
            )
            self._running.append(process)
