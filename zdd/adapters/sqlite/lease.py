"""The lease: one deployer at a time, and the next one at once when it has died."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import time
from collections.abc import Callable

from attrs import evolve, frozen

from zdd.adapters.sqlite.database import Database
from zdd.adapters.sqlite.head import read_head, write_head
from zdd.adapters.sqlite.process import ProcessMark
from zdd.errors import DeploymentInProgress, LeaseLost
from zdd.interfaces import Fence, Holder, gives_way
from zdd.model.names import check_function, check_number

TTL_S_MAX = 366 * 24 * 3600.0


@frozen
class _Held:
    token: int
    holder: str
    since_s: float
    expires_s: float
    process: ProcessMark

    def counts(self, now_s: float) -> bool:
        """Tell whether it keeps others out: it has not run out, and its holder may still be there."""
        return now_s < self.expires_s and not self.process.is_gone


class SqliteLease:
    """A lease in an SQLite file, the same as the journal's or one of its own.

    A holder that died on this machine is known to be gone by its process, and its lease can be taken at once. One that
    can't be seen from here, on another machine or in another container, is waited for until its lease has run out.

    Args:
        path: The file. It is made if it isn't there, with its directory.
        now: Tells the time in seconds since the epoch; all that use the file should go by the same.

    Raises:
        ConfigurationError: The file can't be used. Nothing was touched.
        JournalError: It is damaged, or was written by a newer zdd. Nothing was touched.
    """

    def __init__(self, path: str | os.PathLike[str], *, now: Callable[[], float] = time.time) -> None:
        check_function("now of SqliteLease", now, "no argument that returns seconds since the epoch")
        self._database = Database(path)
        self._now = now

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take the lease for `ttl_s` seconds. The fence's token is greater than all before it for this service.

        Raises:
            DeploymentInProgress: Somebody else holds it, has not let it expire, and is not known to be gone.
            ConfigurationError: `ttl_s` is no number of seconds.
            JournalError: The file can't be written.
            TemporaryError: Another process has been writing for too long. Nothing was done.
        """
        check_number(f"ttl_s of the lease of {service}", ttl_s, least=0.001, most=TTL_S_MAX)
        with self._database.writing() as connection:
            now_s = self._now()
            held = _read(connection, service)
            if held is not None and held.counts(now_s) and not gives_way(held.holder, holder):
                raise _in_progress(service, held)
            head = read_head(connection, service)
            fence = Fence(max(head.token, held.token if held else 0) + 1, holder)
            write_head(connection, service, evolve(head, token=fence.token))
            _write(connection, service, _Held(fence.token, holder, now_s, now_s + ttl_s, ProcessMark.own()))
        return fence

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep it for another `ttl_s` seconds from now, also when it has expired and nobody took it.

        Raises:
            LeaseLost: Somebody else took it, or it was released.
            ConfigurationError: `ttl_s` is no number of seconds.
            JournalError: The file can't be written.
            TemporaryError: Another process has been writing for too long. Nothing was done.
        """
        check_number(f"ttl_s of the lease of {service}", ttl_s, least=0.001, most=TTL_S_MAX)
        with self._database.writing() as connection:
            held = _read(connection, service)
            if held is None or held.token != fence.token:
                taken = f"{held.holder} has taken it (token {held.token})" if held else "it was released"
                raise LeaseLost(f"the lease of {service} with token {fence.token} is lost: {taken}")
            _write(connection, service, evolve(held, expires_s=self._now() + ttl_s))

    def release(self, service: str, fence: Fence) -> None:
        """Let go of it, if it is still held.

        Raises:
            JournalError: The file can't be written.
            TemporaryError: Another process has been writing for too long. Nothing was done.
        """
        with self._database.writing() as connection:
            connection.execute("DELETE FROM lease WHERE service = ? AND token = ?", (service, fence.token))

    def holder(self, service: str) -> Holder | None:
        """Return who holds it; None if nobody does, if it has expired, or if its holder is known to be gone.

        Raises:
            JournalError: The file can't be read.
        """
        with self._database.reading() as connection:
            held = _read(connection, service)
        if held is None or not held.counts(self._now()):
            return None
        return Holder(held.holder, held.since_s, held.expires_s)


def _read(connection: sqlite3.Connection, service: str) -> _Held | None:
    query = "SELECT token, holder, since_s, expires_s, machine, pid, started FROM lease WHERE service = ?"
    row = connection.execute(query, (service,)).fetchone()
    if row is None:
        return None
    token, holder, since_s, expires_s, machine, pid, started = row
    times = all(isinstance(time_s, float) for time_s in (since_s, expires_s))
    if not times or not isinstance(token, int) or not isinstance(pid, int):
        raise sqlite3.DatabaseError(f"the lease of {service} is not what was written")
    return _Held(token, holder, since_s, expires_s, ProcessMark(machine, pid, started))


def _write(connection: sqlite3.Connection, service: str, held: _Held) -> None:
    mark = held.process
    values = (service, held.token, held.holder, held.since_s, held.expires_s, mark.machine, mark.pid, mark.started)
    connection.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _in_progress(service: str, held: _Held) -> DeploymentInProgress:
    ends = f"its lease ends at {_time(held.expires_s)} unless it is renewed"
    if held.process.is_local:
        ends = f"if process {held.process.pid} of this machine ends, the lease is free at once; otherwise {ends}"
    return DeploymentInProgress(
        f"{service} is being deployed by {held.holder} since {_time(held.since_s)}: wait until it is done. "
        f"{ends[0].upper()}{ends[1:]}",
        holder=held.holder,
        since_s=held.since_s,
    )


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
