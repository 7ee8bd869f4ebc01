from __future__ import annotations

from collections.abc import Callable

import pytest

from zdd.adapters.memory import MemoryControl
from zdd.model.order import Order, OrderKind
from zdd.testing import CONTROL_RULES, ConformanceError, check_control


class Shared(MemoryControl):
    """One of which a second object onto the same orders can be had."""

    def again(self) -> MemoryControl:
        return self


def check(kind: Callable[[], Shared]) -> tuple[str, ...]:
    return check_control(kind, again=lambda control: control.again())  # type: ignore[attr-defined]


def test_the_memory_control_keeps_every_rule() -> None:
    assert check(Shared) == tuple(rule.name for rule in CONTROL_RULES)


def test_without_a_second_deployer_fewer_rules_are_tried() -> None:
    assert len(check_control(MemoryControl)) == len(CONTROL_RULES) - 2


class HasOne(Shared):
    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        first = Order(OrderKind.ABORT, deployment, "somebody", 0.0)
        return (first, *super().orders(service, deployment))[after:]


class GoesByTheClock(Shared):
    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        return tuple(sorted(super().orders(service, deployment), key=lambda order: order.at_s))[after:]


class KeepsTwice(Shared):
    def send(self, service: str, order: Order) -> None:
        key = (service, order.deployment)
        self._orders[key] = (*self._orders.get(key, ()), order)


class GivesAllAgain(Shared):
    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        return super().orders(service, deployment)


class MixesDeployments(Shared):
    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        found = [one for (name, _), orders in self._orders.items() if name == service for one in orders]
        return tuple(found)[after:]


class MixesServices(Shared):
    def send(self, service: str, order: Order) -> None:
        super().send("web", order)

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        return super().orders("web", deployment, after)


class KeepsTheLastFew(Shared):
    def send(self, service: str, order: Order) -> None:
        super().send(service, order)
        if len(self._orders[service, order.deployment]) > 50:
            self._orders = {(service, order.deployment): self._orders[service, order.deployment]}


class IsAlone(Shared):
    def again(self) -> MemoryControl:
        return MemoryControl()


class ForgetsWhatCameBefore(Shared):
    def again(self) -> MemoryControl:
        other = MemoryControl()
        other._orders = self._orders
        self._orders = dict(self._orders)
        return other


BROKEN: list[tuple[str, Callable[[], Shared]]] = [
    ("there are no orders at first", HasOne),
    ("orders come back as they were, in the order in which they were sent", GoesByTheClock),
    ("an order that is sent twice is there once", KeepsTwice),
    ("those that were read need not be read again", GivesAllAgain),
    ("orders to one deployment are not those to another", MixesDeployments),
    ("orders to one service are not those to another", MixesServices),
    ("orders that come too late disturb no others", KeepsTheLastFew),
    ("another deployer sees the same orders", IsAlone),
    ("of many that come at once none is lost", ForgetsWhatCameBefore),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN, ids=[kind.__name__ for _, kind in BROKEN])
def test_a_control_that_breaks_a_rule_is_found_out(rule: str, kind: Callable[[], Shared]) -> None:
    with pytest.raises(ConformanceError, match=rule):
        check(kind)


def test_every_rule_is_broken_by_one() -> None:
    assert [rule for rule, _ in BROKEN] == [rule.name for rule in CONTROL_RULES]
