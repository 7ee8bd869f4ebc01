"""Orders of one process: in their order, each once, and for one deployment only."""

from __future__ import annotations

from zdd.adapters.memory import MemoryControl
from zdd.model.order import Order, OrderKind


def order(kind: OrderKind, deployment: str = "d1", at_s: float = 1.0) -> Order:
    return Order(kind, deployment, by="ann", at_s=at_s)


def test_orders_are_read_oldest_first_and_those_that_were_read_are_left_out() -> None:
    control = MemoryControl()
    pause, resume = order(OrderKind.PAUSE), order(OrderKind.RESUME, at_s=2.0)
    control.send("web", pause)
    control.send("web", resume)
    assert control.orders("web", "d1") == (pause, resume)
    assert control.orders("web", "d1", after=1) == (resume,)
    assert control.orders("web", "d1", after=2) == ()


def test_one_that_is_sent_twice_is_there_once() -> None:
    control = MemoryControl()
    for _ in range(2):
        control.send("web", order(OrderKind.PAUSE))
    assert len(control.orders("web", "d1")) == 1


def test_they_are_for_one_deployment_of_one_service() -> None:
    control = MemoryControl()
    control.send("web", order(OrderKind.PAUSE))
    assert control.orders("web", "d2") == ()
    assert control.orders("shop", "d1") == ()
