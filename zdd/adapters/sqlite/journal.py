"""The journal: every event of every service, in a chain in which a change anywhere shows."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3

from attrs import evolve, frozen

from zdd import codec
from zdd.adapters.sqlite.database import Database, damaged
from zdd.adapters.sqlite.head import Head, check_fence, read_head, write_head
from zdd.events import Event
from zdd.interfaces import Fence

_INSERT = "INSERT INTO event (service, number, format, deployment, kind, body, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SELECT = (
    "SELECT service, number, format, deployment, kind, body, checksum FROM event WHERE service = ? ORDER BY number"
)


@frozen
class _Row:
    service: str
    number: int
    format: int
    deployment: str
    kind: str
    body: str
    checksum: str

    def expected(self, before: str) -> str:
        """Return what its checksum must be after a row with the checksum `before`."""
        content = [before, self.service, self.number, self.format, self.deployment, self.kind, self.body]
        return hashlib.sha256(json.dumps(content, default=repr).encode()).hexdigest()


class SqliteJournal:
    """A journal in an SQLite file, for several threads and processes of one machine.

    Each event's checksum covers that of the event before it, and the file knows how many there are and how the chain
    ends. So it shows when an event was changed, removed or moved, and no event is read that can't be trusted.

    Args:
        path: The file. It is made if it isn't there, with its directory, readable for its owner only: the events
            contain the environments of processes.

    Raises:
        ConfigurationError: The file can't be used. Nothing was touched.
        JournalError: It is damaged, or was written by a newer zdd. Nothing was touched.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = Database(path)

    def append(self, service: str, event: Event, fence: Fence) -> None:
        """Write the event durably before returning, after all earlier ones.

        Raises:
            LeaseLost: A greater token was granted or accepted for this service. Nothing was written.
            JournalError: It can't be written, or the end of the chain is damaged.
            TemporaryError: Another process has been writing for too long. Nothing was written.
        """
        kind = codec.kind_of(event)
        body = codec.event_text(event)
        with self._database.writing() as connection:
            head = read_head(connection, service)
            check_fence(service, head, fence)
            self._check_end(connection, service, head)
            row = _Row(service, head.events + 1, codec.FORMAT, event.deployment, kind, body, "")
            row = evolve(row, checksum=row.expected(head.checksum))
            values = (row.service, row.number, row.format, row.deployment, row.kind, row.body, row.checksum)
            connection.execute(_INSERT, values)
            write_head(connection, service, Head(fence.token, row.number, row.checksum))

    def read(self, service: str) -> tuple[Event, ...]:
        """Return every event of this service, oldest first.

        Raises:
            JournalError: An event is damaged, is missing, or was written in a format that this version doesn't know.
        """
        with self._database.reading() as connection:
            head = read_head(connection, service)
            rows = [_Row(*row) for row in connection.execute(_SELECT, (service,))]
        self._check_chain(service, head, rows)
        place = self._database.path
        return tuple(
            codec.read_event(row.body, row.format, f"{place}: event {row.number} of {row.service}") for row in rows
        )

    def services(self) -> tuple[str, ...]:
        """Return the names of the services that have events, sorted.

        Raises:
            JournalError: The file is damaged.
        """
        with self._database.reading() as connection:
            known = _names(connection, "SELECT name FROM service WHERE events > 0")
            found = _names(connection, "SELECT DISTINCT service FROM event")
        if known != found:
            raise damaged(self._database.path, f"it knows of events of {list(known)} and has some of {list(found)}")
        return known

    def _check_end(self, connection: sqlite3.Connection, service: str, head: Head) -> None:
        query = "SELECT number, checksum FROM event WHERE service = ? ORDER BY number DESC LIMIT 1"
        last = connection.execute(query, (service,)).fetchone() or (0, "")
        if last != (head.events, head.checksum):
            what = f"event {head.events} of {service} is not its last one, or not as it was written"
            raise damaged(self._database.path, what)

    def _check_chain(self, service: str, head: Head, rows: list[_Row]) -> None:
        before = ""
        for number, row in enumerate(rows, 1):
            if row.number != number:
                raise damaged(self._database.path, f"event {number} of {service} is missing")
            if row.checksum != row.expected(before):
                raise damaged(self._database.path, f"event {number} of {service} is not as it was written")
            before = row.checksum
        if (len(rows), before) != (head.events, head.checksum):
            what = f"event {head.events} of {service} should be its last one, but {len(rows)} are there"
            raise damaged(self._database.path, what)


def _names(connection: sqlite3.Connection, query: str) -> tuple[str, ...]:
    return tuple(sorted(str(name) for (name,) in connection.execute(query)))
