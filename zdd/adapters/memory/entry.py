"""What happened in the memory world."""

from __future__ import annotations

import enum
from typing import NamedTuple


class What(enum.Enum):
    """What can happen."""

    COMMAND = "command"
    LAUNCHED = "launched"
    READY = "ready"
    FAILED = "failed"
    HEALTH = "health"
    STOPPING = "stopping"
    CRASHED = "crashed"
    GONE = "gone"
    CELL = "cell"
    REGISTERED = "registered"
    SENDING = "sending"
    OUT = "out"
    IDLE = "idle"
    EDGE = "edge"
    LOST = "lost"


class Blame(enum.Enum):
    """Who is to blame for requests that were lost.

    `STOPPED_BY_COMMAND`: an instance was told to stop while an edge sent it requests, or while some were in flight.
    `ROUTED_BY_COMMAND`: an edge was led to an instance that was not ready.
    `GAP`: an edge that had an instance which answers was left with none, and did not hold requests back.
    `WORLD`: an instance ended by itself or by a person's hand.
    """

    STOPPED_BY_COMMAND = "stopped by command"
    ROUTED_BY_COMMAND = "routed by command"
    GAP = "gap"
    WORLD = "world"


class Entry(NamedTuple):
    """One change.

    A tuple, because a long life has a hundred thousand of them, and each is only written down.

    Attributes:
        at_s: When, in virtual seconds.
        what: What happened.
        service: The service's name.
        instance: The instance's id, if it happened to one.
        cell: The cell's name, if it happened to one or in one.
        edge: The edge's name, if it happened there.
        requests: For `LOST`: how many, at least.
        blame: For `LOST`: who is to blame.
        announced: For `LOST`: the command named this instance as cut, and only what was in flight was lost.
        out_for_s: For `LOST`: for how many seconds the edge had sent it no new requests, so that a cut after the drain
            deadline can be told from a stop too early. None: it still did.
        note: The rest, in words.
    """

    at_s: float
    what: What
    service: str = ""
    instance: str = ""
    cell: str = ""
    edge: str = ""
    requests: int = 0
    blame: Blame | None = None
    announced: bool = False
    out_for_s: float | None = None
    note: str = ""
