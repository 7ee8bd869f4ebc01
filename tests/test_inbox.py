"""Orders are asked for, not too often, each is heard once, and one who can't be asked holds up nothing."""

from __future__ import annotations

import logging

import pytest

from zdd.adapters.memory import MemoryControl
from zdd.errors import AdapterError, JournalError, PermanentError, TemporaryError
from zdd.inbox import ASK_AGAIN_S, ASK_EVERY_S, Inbox
from zdd.model.order import Order, OrderKind

PAUSE, RESUME = (Order(kind, "web-1", "ann@there:7", 1.0) for kind in (OrderKind.PAUSE, OrderKind.RESUME))


class Asked(MemoryControl):
    """A control that counts how often it is asked, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0
        self.asked = 0
        self.error: AdapterError | JournalError | None = None

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return super().orders(service, deployment, after)


@pytest.fixture
def control() -> Asked:
    return Asked()


def inbox(control: Asked) -> Inbox:
    return Inbox(control, "web", "web-1", lambda: control.now_s)


def test_without_a_control_there_are_no_orders() -> None:
    assert Inbox(None, "web", "web-1", lambda: 0.0).collect() == ()


def test_each_order_is_heard_once_in_the_order_in_which_it_was_given(control: Asked) -> None:
    box = inbox(control)
    control.send("web", PAUSE)
    control.send("web", Order(OrderKind.ABORT, "web-0", "ann@there:7", 1.0))
    assert box.collect() == (PAUSE,)
    control.now_s += ASK_EVERY_S
    assert box.collect() == ()
    control.send("web", RESUME)
    control.now_s += ASK_EVERY_S
    assert box.collect() == (RESUME,)


def test_it_is_not_asked_more_often_than_stated(control: Asked) -> None:
    box = inbox(control)
    box.collect()
    control.send("web", PAUSE)
    control.now_s += ASK_EVERY_S / 2
    assert box.collect() == ()
    assert control.asked == 1
    control.now_s += ASK_EVERY_S / 2
    assert box.collect() == (PAUSE,)


@pytest.mark.parametrize("error", [TemporaryError("no answer"), PermanentError("denied"), JournalError("damaged")])
def test_one_that_can_not_be_asked_is_told_once_and_left_alone_for_longer(
    control: Asked, caplog: pytest.LogCaptureFixture, error: AdapterError | JournalError
) -> None:
    caplog.set_level(logging.WARNING, "zdd")
    box = inbox(control)
    control.send("web", PAUSE)
    control.error = error
    for _ in range(3):
        assert box.collect() == ()
        control.now_s += ASK_AGAIN_S / 2
        assert box.collect() == ()
        control.now_s += ASK_AGAIN_S / 2
    assert control.asked == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"zdd.orders_not_heard: those to web-1 can't be read: {error}"
    ]
    control.error = None
    assert box.collect() == (PAUSE,)  # nothing was missed
