"""What the file knows of each service besides its events: the greatest token, and the end of the chain of events."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from zdd.errors import LeaseLost
from zdd.interfaces import Fence


@frozen
class Head:
    """The end of a service's chain.

    Attributes:
        token: The greatest that was granted or accepted.
        events: How many events there are.
        checksum: That of the last one; empty if there is none.
    """

    token: int = 0
    events: int = 0
    checksum: str = ""


def read_head(connection: sqlite3.Connection, service: str) -> Head:
    """Return what is known of the service."""
    row = connection.execute("SELECT token, events, checksum FROM service WHERE name = ?", (service,)).fetchone()
    if row is None:
        return Head()
    token, events, checksum = row
    if not (isinstance(token, int) and isinstance(events, int) and isinstance(checksum, str)):
        raise sqlite3.DatabaseError(f"what it knows of {service} is not what was written")
    return Head(token, events, checksum)


def write_head(connection: sqlite3.Connection, service: str, head: Head) -> None:
    """Keep what is known of the service."""
    connection.execute(
        "INSERT INTO service VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET token = excluded.token, events = excluded.events, checksum = excluded.checksum",
        (service, head.token, head.events, head.checksum),
    )


def check_fence(service: str, head: Head, fence: Fence) -> None:
    """Refuse a deployer that isn't the last one.

    Raises:
        LeaseLost: A greater token was granted or accepted.
    """
    if fence.token < head.token:
        raise LeaseLost(f"a newer deployer has taken over {service} (token {head.token}, ours is {fence.token})")
