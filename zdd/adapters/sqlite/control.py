"""Orders in the file of the journal and the lease."""

from __future__ import annotations

import os
import sqlite3

from zdd.adapters.sqlite.database import Database
from zdd.model.order import Order, OrderKind

KEPT = 64
"""How many orders of a service are kept besides those of the deployment that got the last one."""

_TABLE = """CREATE TABLE IF NOT EXISTS control (
    number INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    by TEXT NOT NULL, at_s REAL NOT NULL, stage INTEGER NOT NULL,
    UNIQUE (service, deployment, kind, by, at_s, stage))"""
_INSERT = "INSERT OR IGNORE INTO control (service, deployment, kind, by, at_s, stage) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT kind, by, at_s, stage FROM control WHERE service = ? AND deployment = ? ORDER BY number"
_FORGET = """DELETE FROM control WHERE service = :service AND deployment <> :deployment AND number NOT IN (
    SELECT number FROM control WHERE service = :service AND deployment <> :deployment ORDER BY number DESC LIMIT :kept)
"""
_ANY_STAGE = -1


class SqliteControl:
    """Carries orders in an SQLite file, the same as the journal's or one of its own, between processes of one machine.

    Args:
        path: The file. It is made if it isn't there, with its directory.

    Raises:
        ConfigurationError: The file can't be used. Nothing was touched.
        JournalError: It is damaged, or was written by a newer zdd. Nothing was touched.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._database = Database(path)

    def send(self, service: str, order: Order) -> None:
        """Keep the order for the deployment that it names. One that is there already is not kept twice.

        Raises:
            JournalError: The file can't be written.
            TemporaryError: Another process has been writing for too long. Nothing was done.
        """
        stage = _ANY_STAGE if order.stage is None else order.stage
        with self._database.writing() as connection:
            connection.execute(_TABLE)  # a file of an earlier zdd has none
            connection.execute(_INSERT, (service, order.deployment, order.kind.value, order.by, order.at_s, stage))
            connection.execute(_FORGET, {"service": service, "deployment": order.deployment, "kept": KEPT})

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        """Return the orders for this deployment, oldest first, without the first `after`.

        Raises:
            JournalError: The file can't be read, or what is there was not written by zdd.
        """
        with self._database.reading() as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'control'").fetchone() is None:
                return ()
            rows = connection.execute(_SELECT, (service, deployment)).fetchall()
            return tuple(_order(deployment, row) for row in rows)[after:]


def _order(deployment: str, row: tuple[object, ...]) -> Order:
    kind, by, at_s, stage = row
    known = {one.value: one for one in OrderKind}
    if kind not in known or not isinstance(by, str) or not isinstance(at_s, float) or not isinstance(stage, int):
        raise sqlite3.DatabaseError(f"an order to {deployment} is not what was written")
    return Order(known[str(kind)], deployment, by, at_s, None if stage == _ANY_STAGE else stage)
