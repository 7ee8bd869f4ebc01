"""Replacing some of the instances of a cell while it serves: how many, and in which order."""

from __future__ import annotations

import enum

from attrs import field, frozen

from zdd.model.names import check_number, choice_of


class UpdateOrder(enum.Enum):
    """Which comes first where an instance is replaced.

    `START_FIRST` starts the new one, and stops the old one when the orchestrator says that the new one is ready.
    `STOP_FIRST` stops the old one and then starts the new one: for what has no room, or no port, for both.
    """

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


def to_order(value: object) -> UpdateOrder:
    """Return it as an order: what attrs classes convert their ``order`` with."""
    return choice_of("order", UpdateOrder, value)


@frozen
class InPlace:
    """How far a cell is replaced while it serves. The orchestrator chooses the victims.

    Attributes:
        changed: How many of the cell's instances run its revision when this is done. The others go on running what
            they ran.
        batch: How many may be replaced at the same time.
        order: Which comes first.
    """

    changed: int
    batch: int = 1
    order: UpdateOrder = field(default=UpdateOrder.START_FIRST, converter=to_order)

    def __attrs_post_init__(self) -> None:
        check_number("number of instances that are changed in place", self.changed, least=0, whole=True)
        check_number("batch that is replaced in place", self.batch, least=1, whole=True)
