"""What a person tells a deployment that is under way."""

from __future__ import annotations

import enum

from attrs import frozen

from zdd.wording import date_and_time, printable


class OrderKind(enum.Enum):
    """What can be ordered. `docs/operating.md` tells what each means."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ABORT = "abort"


@frozen
class Order:
    """One order to one deployment. Two that are equal are the same one, sent twice.

    Attributes:
        kind: What is to be done.
        deployment: The id of the deployment that it is for. No other one obeys it.
        by: Who gave it, as ``user@host:process id``.
        at_s: When it was given, in seconds since the epoch, by the clock of whoever gave it.
        stage: The number of the stage, from 0, that it is about; None: whichever is under way.
    """

    kind: OrderKind
    deployment: str
    by: str
    at_s: float
    stage: int | None = None

    def __str__(self) -> str:
        return f"{_DONE[self.kind]} by {printable(self.by)} at {date_and_time(self.at_s)}"


_DONE = {
    OrderKind.PAUSE: "paused",
    OrderKind.RESUME: "resumed",
    OrderKind.PROMOTE: "promoted",
    OrderKind.ABORT: "aborted",
}
