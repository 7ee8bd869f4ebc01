"""Keeps one program running. A small program of its own, one an instance, that outlives whoever started it.

::

    python -I -S supervisor.py DIRECTORY [DESCRIPTOR ...]

It reads ``specification.json`` in the directory and writes ``state.json`` at each change. It starts the command in a
session of its own, starts it again with growing delays when it ends by itself, and ends it, and every process that
came of it, when the file ``stop`` appears (SIGTERM only makes it look sooner) or when SIGTERM arrives without one.

The descriptors are a locked file and reserved ports. They stay open for as long as the supervisor lives, so the kernel
itself tells everybody whether it does: a lock that is free means that nobody runs this directory and nobody will.

The program must stay in the foreground. When it ends, whatever it left behind is ended too, before it is started again.

Only the standard library, and little of it: one of these starts for every instance. Linux; elsewhere the processes
that left the program's process group are not found.
"""

# Without pathlib, which alone would cost a third of the time that this takes to start:
# ruff: noqa: PTH105, PTH110, PTH115, PTH118, PTH123, PTH208
from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn

MARKER = "ZDD_SUPERVISED_IN"
"""The environment variable by which whatever is left of a dead supervisor's program can be found."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PAUSE_MAX_S = 1.0
_LEFTOVER_GRACE_S = 0.5
_LISTENING = "0A"
_REACHABLE = {  # the local addresses, as the kernel's tables write them, on which 127.0.0.1 is answered
    "00000000",
    "0100007F",
    "0" * 32,
    "0000000000000000FFFF00000100007F",
}


def listeners() -> dict[int, set[str]]:
    """Return, by port, the inodes of the sockets that listen where 127.0.0.1 reaches them."""
    found: dict[int, set[str]] = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as table:
                next(table)
                for line in table:
                    words = line.split()
                    if words[3] != _LISTENING:
                        break  # the kernel lists what listens first
                    address, _, port = words[1].rpartition(":")
                    if address in _REACHABLE:
                        found.setdefault(int(port, 16), set()).add(words[9])
        except FileNotFoundError:
            continue  # a machine without IPv6
    return found


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes that came of `pid`, children before grandchildren."""
    found: list[int] = []
    parents = [pid]
    while parents:
        parent = parents.pop(0)
        children: list[int] = []
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as file:
                    children += map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended while we looked: its children are ours now, and are found the next time
        found += children
        parents += children
    return found


def sockets_of(pids: Iterable[int]) -> set[str] | None:
    """Return the inodes of the sockets that these processes have open; None if one of them doesn't let us look."""
    found: set[str] = set()
    for pid in pids:
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            return None
    return found


def in_words(status: int) -> str:
    """Say how a process ended, from the status that `waitpid` gave."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"killed by {signal.Signals(number).name}"
        except ValueError:
            return f"killed by signal {number}"
    return f"exited with code {os.WEXITSTATUS(status)}"


def _send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, or to a process group if `pid` is negative."""
    # It may have ended; or have become another user's, and then we honestly stay "stopping" until it ends.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class Log:
    """The program's output: ``log.txt``, moved to ``log.1.txt`` whenever it has grown above the limit."""

    def __init__(self, directory: str, limit_bytes: int) -> None:
        self._path = os.path.join(directory, "log.txt")
        self._older = os.path.join(directory, "log.1.txt")
        self._limit_bytes = limit_bytes
        self._began_at = 0
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

    def mark(self, text: str) -> None:
        """Write a line of our own; `last_line` begins after it."""
        # A full disk must not end a program that serves, and there is nowhere left to say so.
        with suppress(OSError):
            os.write(self.descriptor, f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n".encode())
        self._began_at = os.fstat(self.descriptor).st_size

    def limit(self) -> None:
        """Keep it bounded. The program goes on writing to the same file, so it is copied and emptied, not renamed."""
        size = os.fstat(self.descriptor).st_size
        if size <= self._limit_bytes:
            return
        trouble = ""
        try:
            with open(self._older, "wb") as older:
                os.fchmod(older.fileno(), 0o600)
                position = max(0, size - self._limit_bytes)
                while chunk := os.pread(self.descriptor, 1 << 20, position):
                    older.write(chunk)
                    position += len(chunk)
        except OSError as error:
            trouble = f", dropped: {error.strerror}"
        os.ftruncate(self.descriptor, 0)
        self.mark(f"what came before is in log.1.txt{trouble}")

    def last_line(self) -> str:
        """Return the last line that the program wrote since the mark, shortened; empty if it wrote none."""
        size = os.fstat(self.descriptor).st_size
        start = max(self._began_at, size - 4096)
        lines = os.pread(self.descriptor, max(0, size - start), start).decode(errors="replace").split("\n")
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


class Supervisor:
    """Keeps the program of one directory running until it is told to stop."""

    def __init__(self, directory: str, prctl: Callable[..., int]) -> None:
        with open(os.path.join(directory, "specification.json"), encoding="utf-8") as file:
            self._specification: dict[str, Any] = json.load(file)
        self._directory = directory
        self._prctl = prctl
        self._log = Log(directory, self._specification["log_limit_bytes"])
        self._pid = os.getpid()
        self._child = 0
        self._status: int | None = None
        self._children_left = False
        self._incarnation = 0
        self._quick_ends = 0
        self._terminated = False
        self._stop_began: float | None = None
        self._published: dict[str, Any] = {"since_s": 0.0}
        self._exit = ""

    def run(self) -> None:
        """Return when nothing is left of the program."""
        while not self._stopping():
            began = time.monotonic()
            if self._start():
                self._watch()
                self._end_everything()
            if self._stopping():
                break
            ran_well = time.monotonic() - began >= self._specification["restart_reset_s"]
            self._quick_ends = 1 if ran_well else self._quick_ends + 1
            self._wait_to_restart()
        self._publish("stopped")

    def _start(self) -> bool:
        """Start the program; return whether it could be executed."""
        self._incarnation += 1
        self._status = None
        self._log.limit()
        self._log.mark(f"start {self._incarnation} of {self._specification['name']}")
        readable, writable = os.pipe()
        try:
            self._child = os.fork()
        except OSError as error:
            os.close(writable)
            failure = f"can't be started: {error.strerror}"
        else:
            if self._child == 0:
                self._become_program(writable)
            os.close(writable)
            failure = os.read(readable, 4096).decode(errors="replace")  # closed without a word by a successful exec
        finally:
            os.close(readable)
        if failure:
            self._exit = failure
            self._log.mark(failure)
            self._reap()
            return False
        self._publish("starting", self._port_trouble())
        return True

    def _become_program(self, failure: int) -> NoReturn:
        """In the forked child: turn into the program, or write why not, and end."""
        command, directory = self._specification["command"], self._specification["working_directory"]
        instance = f"{self._specification['name']}.{self._incarnation}"
        what = "no session of its own"
        try:
            os.setsid()
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._pid:
                os._exit(1)  # the supervisor died before the line above
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self._log.descriptor, 1)
            os.dup2(self._log.descriptor, 2)
            what = directory
            os.chdir(directory)
            what = command[0]
            environment = {**self._specification["environment"], "ZDD_INSTANCE": instance, MARKER: self._directory}
            os.execvpe(command[0], command, environment)  # noqa: S606 (no shell is what we want)
        except OSError as error:
            os.write(failure, f"can't be started: {what}: {error.strerror}".encode())
        finally:
            os._exit(127)

    def _watch(self) -> None:
        """Return when the program has ended or has to."""
        began = time.monotonic()
        while self._status is None and not self._stopping():
            trouble = self._port_trouble()
            self._publish("starting" if trouble else "ready", trouble)
            self._log.limit()
            self._pause(min(_PAUSE_MAX_S, max(0.01, (time.monotonic() - began) / 10)) if trouble else _PAUSE_MAX_S)
        if self._status is not None and not self._stopping():
            line = self._log.last_line()
            self._exit = in_words(self._status) + (f": {line}" if line else "")
            self._log.mark(in_words(self._status))
            self._publish("failed", self._exit)

    def _port_trouble(self) -> str:
        """Say which port the program does not listen on; empty if it listens on all."""
        ports: dict[str, int] = self._specification["ports"]
        if not ports:
            return ""
        listening = listeners()
        owned: set[str] | None = None
        if all(port in listening for port in ports.values()):
            owned = sockets_of(descendants(self._pid))
        for name, port in ports.items():
            if port not in listening:
                return f"nothing listens on 127.0.0.1:{port}, its port {name!r}"
            if owned is not None and not owned & listening[port]:
                return f"another program listens on 127.0.0.1:{port}, its port {name!r}"
        return ""

    def _wait_to_restart(self) -> None:
        """Wait, each time longer, before the program is started again."""
        first_s, most_s = self._specification["restart_delay_s"], self._specification["restart_delay_max_s"]
        delay_s = min(most_s, first_s * 2 ** min(self._quick_ends - 1, 32))
        self._publish("failed", self._exit)
        deadline = time.monotonic() + delay_s
        while not self._stopping() and (left_s := deadline - time.monotonic()) > 0:
            self._pause(min(left_s, _PAUSE_MAX_S))

    def _stopping(self) -> bool:
        """Return whether it was told to stop; once it was, it stays so."""
        if self._stop_began is None and (self._terminated or os.path.exists(os.path.join(self._directory, "stop"))):
            self._stop_began = time.monotonic()
        return self._stop_began is not None

    def _grace_s(self) -> float:
        """Return how long the program has to end politely; the file `stop` may make it shorter at any time."""
        try:
            with open(os.path.join(self._directory, "stop"), encoding="ascii") as file:
                return float(file.read())
        except (FileNotFoundError, ValueError):
            return float(self._specification["stop_grace_s"])

    def _end_everything(self) -> None:
        """End the program's process group, then whatever else came of it: politely first, then by force."""
        began = time.monotonic() if self._stop_began is None else self._stop_began
        if self._status is None:
            self._publish("stopping", self._exit)
            _send(-self._child, signal.SIGTERM)
            while self._status is None and (left_s := began + self._grace_s() - time.monotonic()) > 0:
                self._pause(min(left_s, _PAUSE_MAX_S))
            if self._status is None:
                _send(-self._child, signal.SIGKILL)
        polite_s = time.monotonic() + _LEFTOVER_GRACE_S
        told: set[int] = set()
        pause_s = 0.005
        self._reap()
        while self._children_left:
            grace_s = self._grace_s()
            forced_at = max(began + grace_s, polite_s if grace_s else 0.0)
            self._end_leftovers(told, by_force=time.monotonic() >= forced_at)
            self._pause(pause_s)
            pause_s = min(pause_s * 1.5, 0.1)

    def _end_leftovers(self, told: set[int], *, by_force: bool) -> None:
        for pid in descendants(self._pid):
            if by_force:
                _send(pid, signal.SIGKILL)
            elif pid not in told:
                _send(pid, signal.SIGTERM)
                told.add(pid)

    def _pause(self, timeout_s: float) -> None:
        """Wait for a signal, but no longer than this; then learn who has ended."""
        received = signal.sigtimedwait(_SIGNALS, timeout_s)
        if received is not None and received.si_signo in (signal.SIGTERM, signal.SIGINT):
            self._terminated = True
        self._reap()

    def _reap(self) -> None:
        """Collect every child that has ended. Orphans come to us too, so no child left means nothing left at all."""
        self._children_left = True
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._children_left = False
                return
            if pid == 0:
                return
            if pid == self._child:
                self._status = status

    def _publish(self, phase: str, note: str = "") -> None:
        """Write the state if it has changed."""
        if phase in ("starting", "ready") and self._incarnation > 1:
            note = f"started again after: {self._exit}" + (f"; {note}" if note else "")
        state = {
            "phase": phase,
            "incarnation": self._incarnation,
            "note": note,
            "last_exit": self._exit,
            "pid": self._child if self._status is None and phase in ("starting", "ready", "stopping") else 0,
            "supervisor_pid": self._pid,
            "ports": self._specification["ports"],
            "labels": self._specification["labels"],
        }
        if state == {key: value for key, value in self._published.items() if key != "since_s"}:
            return
        moved = any(state[key] != self._published.get(key) for key in ("phase", "incarnation"))
        state["since_s"] = time.time() if moved else self._published["since_s"]
        self._published = state
        path = os.path.join(self._directory, "state.json")
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(state, file)
            os.replace(path + ".new", path)
        except OSError as error:  # a full disk must not end a program that serves; the next change is written again
            self._log.mark(f"state.json can't be written: {error.strerror}")


def main(arguments: list[str]) -> None:
    """Supervise until nothing is left to be supervised."""
    directory = arguments[0]
    for descriptor in arguments[1:]:
        os.set_inheritable(int(descriptor), False)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    prctl: Callable[..., int] = getattr(ctypes.CDLL(None), "prctl", lambda *_: -1)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Supervisor(directory, prctl).run()


if __name__ == "__main__":
    main(sys.argv[1:])
