"""An order reads as what was done, by whom and when."""

from __future__ import annotations

import pytest

from zdd.model.order import Order, OrderKind


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        (OrderKind.PAUSE, "paused"),
        (OrderKind.RESUME, "resumed"),
        (OrderKind.PROMOTE, "promoted"),
        (OrderKind.ABORT, "aborted"),
    ],
)
def test_it_says_what_was_done(kind: OrderKind, done: str) -> None:
    text = str(Order(kind, "web-1", "ann@there:7", 1_700_000_000.0))
    assert text.startswith(f"{done} by ann@there:7 at 2023-11-14 ")


def test_every_kind_can_be_said() -> None:
    assert len({str(Order(kind, "web-1", "ann", 0.0)) for kind in OrderKind}) == len(OrderKind)


def test_a_hostile_name_stays_on_its_line() -> None:
    assert "\n" not in str(Order(OrderKind.PAUSE, "web-1", "ann\nroot@there", 0.0))


def test_one_that_is_sent_twice_is_the_same() -> None:
    assert Order(OrderKind.PROMOTE, "web-1", "ann", 1.0, 2) == Order(OrderKind.PROMOTE, "web-1", "ann", 1.0, 2)
    assert Order(OrderKind.PROMOTE, "web-1", "ann", 1.0, 2) != Order(OrderKind.PROMOTE, "web-1", "ann", 1.0, 3)
