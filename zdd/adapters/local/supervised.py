"""One program that is kept running, in a directory of its own, whoever started it."""

from __future__ import annotations

import enum
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from zdd.adapters.local import supervisor
from zdd.adapters.local.ports import Reservation, reserve_ports
from zdd.adapters.local.program import Program, base_environment
from zdd.adapters.local.strays import end_strays
from zdd.adapters.locked_file import is_locked
from zdd.atomic_file import write_atomically
from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError

_START_TIMEOUT_S = 10.0
_DETACH = '"$@" &'  # the shell ends at once, so the supervisor is nobody's child and nobody waits for its interpreter
_LOCK_PATIENCE_S = 1.0  # somebody who only looks holds the lock for microseconds


class Phase(enum.Enum):
    """Where a supervised program is in its life.

    `READY`: it runs and listens on all of its ports. `FAILED`: it ended by itself and will be started again.
    `ENDED`: nothing of it is left, or its supervisor was killed.
    """

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    ENDED = "ended"


@frozen
class SupervisedState:
    """What can be seen of a supervised program.

    Attributes:
        phase: Where it is in its life.
        incarnation: How often it was started; 0 before the first time.
        ports: Port name → number, the same for every incarnation.
        labels: What the starter wanted to be remembered.
        since_s: Since when it is in this phase, in seconds since the epoch; 0 while not known.
        pid: The program's process id; 0 while it does not run.
        supervisor_pid: The supervisor's process id; 0 while not known.
        last_exit: How the incarnation before ended, in words.
        note: What there is to say about the phase: what it waits for, how it ended.
    """

    phase: Phase
    incarnation: int = 0
    ports: Mapping[str, int] = field(factory=dict)
    labels: Mapping[str, str] = field(factory=dict)
    since_s: float = 0.0
    pid: int = 0
    supervisor_pid: int = 0
    last_exit: str = ""
    note: str = ""


class Supervised:
    """A program that is kept running in a directory. The value only names it: any process may make another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()

    @classmethod
    def start(
        cls,
        directory: Path,
        program: Program,
        *,
        fixed_ports: Mapping[str, int] | None = None,
        port_cursor: Path | None = None,
    ) -> Supervised:
        """Begin to run a program that outlives this process. It does not wait until the program is ready.

        Args:
            directory: Made if it isn't there. A directory in which a program ran before may be used again.
            program: What is to be run.
            fixed_ports: Port name → number, for programs that must be where people look for them.
            port_cursor: A file that remembers which port was given last. None: beside `directory`.

        Raises:
            ConfigurationError: A fixed port is taken.
            PermanentError: It runs already, or the directory can't be written.
            TemporaryError: No port is free, or this machine can't start another process.
            OutcomeUnknown: The supervisor did not answer in time.
        """
        started = cls(directory)
        started._make_directory()
        lock = started._take_lock()
        reservation: Reservation | None = None
        try:
            started._clear_earlier_run()
            cursor = port_cursor or started.directory.parent / "port-cursor"
            reservation = reserve_ports(program.port_names, fixed_ports or {}, cursor)
            specification = program.specification(started.directory, reservation.ports)
            write_atomically(started.directory / "specification.json", [json.dumps(specification).encode()])
            started._start_supervisor((lock, *reservation.descriptors()))
        except OSError as error:
            raise TemporaryError(f"{error.filename or started.directory}: {error.strerror}") from error
        finally:
            os.close(lock)  # closed, never unlocked: the supervisor has it now
            if reservation is not None:
                reservation.close()
        return started

    def state(self) -> SupervisedState:
        """Return what can be seen of it now. Cheap; a directory that isn't there has ended."""
        alive = self._supervisor_is_alive()
        seen = self._read("state.json")
        if seen is None:
            return self._early_state() if alive else SupervisedState(Phase.ENDED)
        phase = Phase.ENDED if not alive or seen["phase"] == "stopped" else Phase(seen["phase"])
        if phase not in (Phase.STOPPING, Phase.ENDED) and (self.directory / "stop").exists():
            phase = Phase.STOPPING
        return SupervisedState(
            phase,
            incarnation=seen["incarnation"],
            ports=seen["ports"],
            labels=seen["labels"],
            since_s=seen["since_s"],
            pid=0 if phase is Phase.ENDED else seen["pid"],
            supervisor_pid=seen["supervisor_pid"],
            last_exit=seen["last_exit"],
            note=seen["note"],
        )

    @property
    def program_is_gone(self) -> bool:
        """Whether its program, stated with its whole path, isn't there any more and so can't be started again."""
        specification = self._read("specification.json")
        if specification is None:
            return False
        program = Path(specification["command"][0])
        return program.is_absolute() and not program.exists()

    def stop(self, grace_s: float | None = None) -> None:
        """Ask for the end: SIGTERM, and SIGKILL after `grace_s` seconds (None: as it was started). Doesn't wait.

        Asked again with fewer seconds, it ends sooner; with more, nothing changes. The request is kept in a file, so
        it reaches a supervisor that has only just begun, and survives whoever asked.

        Raises:
            PermanentError: The directory can't be written.
        """
        specification = self._read("specification.json")
        if specification is None or not self._supervisor_is_alive():
            return
        grace_s = specification["stop_grace_s"] if grace_s is None else grace_s
        request = self.directory / "stop"
        try:
            if not request.exists() or grace_s < float(request.read_text(encoding="ascii")):
                write_atomically(request, [f"{grace_s}".encode()])
        except FileNotFoundError:
            return  # it ended and was discarded in the meantime
        except OSError as error:
            raise PermanentError(f"{request}, the order to stop, can't be written: {error.strerror}") from error
        self._wake_supervisor()

    def discard(self) -> None:
        """Remove the directory of a program that has ended, and end what a killed supervisor left behind.

        Raises:
            PermanentError: It still runs, or the directory can't be removed.
        """
        if not self.directory.exists():
            return
        lock = self._take_lock()
        try:
            self._clear_earlier_run()
            shutil.rmtree(self.directory)
        except FileNotFoundError:
            return  # somebody else has just removed it
        except OSError as error:
            raise PermanentError(f"{error.filename or self.directory}: {error.strerror}") from error
        finally:
            os.close(lock)

    def _early_state(self) -> SupervisedState:
        """Return the state of a program whose supervisor has not said anything yet."""
        early = self._read("specification.json") or {"ports": {}, "labels": {}}
        phase = Phase.STOPPING if (self.directory / "stop").exists() else Phase.STARTING
        try:
            since_s = self.directory.stat().st_mtime
        except FileNotFoundError:
            return SupervisedState(Phase.ENDED)
        return SupervisedState(phase, ports=early["ports"], labels=early["labels"], since_s=since_s)

    def _make_directory(self) -> None:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.directory / "work").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PermanentError(f"{error.filename or self.directory}: {error.strerror}") from error

    def _take_lock(self) -> int:
        try:
            handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise PermanentError(f"{self.directory}: {error.strerror}") from error
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(handle)
                    raise PermanentError(f"a program is still supervised in {self.directory}: stop it first") from None
                time.sleep(0.001)
            else:
                return handle

    def _supervisor_is_alive(self) -> bool:
        """Ask the kernel: the supervisor holds its lock for as long as it lives, whoever has its process id."""
        return is_locked(self.directory / "lock")

    def _clear_earlier_run(self) -> None:
        """With the lock held: end what an earlier supervisor left behind, and forget what it said."""
        seen = self._read("state.json")
        if seen is None or seen["phase"] != "stopped":
            end_strays(self.directory)
        for name in ("state.json", "stop"):
            (self.directory / name).unlink(missing_ok=True)

    def _start_supervisor(self, descriptors: tuple[int, ...]) -> None:
        log = os.open(self.directory / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        library_path = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
        command = [sys.executable, "-I", "-S", supervisor.__file__, str(self.directory), *map(str, descriptors)]
        try:
            launcher = subprocess.Popen(
                ["/bin/sh", "-c", _DETACH, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**base_environment(), **library_path},
                pass_fds=descriptors,
                start_new_session=True,
            )
        finally:
            os.close(log)
        try:
            code = launcher.wait(_START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
            raise OutcomeUnknown(
                f"the supervisor in {self.directory} did not start within {_START_TIMEOUT_S:g} s", settles_within_s=1.0
            ) from None
        if code:
            raise PermanentError(f"the supervisor in {self.directory} can't be started: see log.txt there")

    def _wake_supervisor(self) -> None:
        """Let it look for the request now and not within a second."""
        seen = self._read("state.json")
        if seen is None:
            return  # it has only just begun, and looks before it starts anything
        try:
            handle = os.pidfd_open(seen["supervisor_pid"])
        except OSError:
            return  # it has just ended; or the kernel is too old for this, and it looks by itself within a second
        try:
            if self._supervisor_is_alive():  # so the handle is the supervisor's, and not that of a later process
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def _read(self, name: str) -> dict[str, Any] | None:
        """Return what the file says; None if it isn't there, or was cut short by a crash of the machine."""
        try:
            content: dict[str, Any] = json.loads((self.directory / name).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return content
