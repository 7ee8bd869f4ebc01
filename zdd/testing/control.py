"""The rules of `zdd.interfaces.Control`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, evolve

from zdd.errors import TemporaryError
from zdd.interfaces import Control
from zdd.model.order import Order, OrderKind
from zdd.testing.rules import Again, Make, Rule, demand, opened, try_rules

AT_ONCE = 6
_PAUSE = Order(OrderKind.PAUSE, "web-1", "ann@host:1", 1_700_000_000.125)
_ALL = tuple(
    Order(kind, "web-1", f"ann{number}@höst:1", 1_700_000_000.25 - number, number or None)
    for number, kind in enumerate(OrderKind)
)


@define(eq=False)
class _Trial:
    control: Control
    again: Again[Control] | None

    def holds(self, *orders: Order, deployment: str = "web-1", service: str = "web") -> None:
        found = self.control.orders(service, deployment)
        demand(found == orders, f"it has {found!r}, and was sent {orders!r}")


def _empty_at_first(trial: _Trial) -> None:
    trial.holds()


def _in_order(trial: _Trial) -> None:
    for order in _ALL:  # by clocks that go apart: what counts is which came first
        trial.control.send("web", order)
    trial.holds(*_ALL)


def _once(trial: _Trial) -> None:
    other = evolve(_PAUSE, by="bob@host:2")
    for order in (_PAUSE, other, _PAUSE):
        trial.control.send("web", order)
    trial.holds(_PAUSE, other)


def _only_new_ones(trial: _Trial) -> None:
    for order in _ALL:
        trial.control.send("web", order)
    for count in range(len(_ALL) + 2):
        found = trial.control.orders("web", "web-1", after=count)
        demand(found == _ALL[count:], f"after {count} it has {found!r}")


def _deployments_apart(trial: _Trial) -> None:
    trial.control.send("web", _PAUSE)
    trial.control.send("web", evolve(_PAUSE, deployment="web-10"))
    trial.holds(_PAUSE)
    trial.holds(deployment="web-2")


def _services_apart(trial: _Trial) -> None:
    trial.control.send("web", _PAUSE)
    trial.holds(service="web-1")
    trial.holds(service="app")


def _late_ones_disturb_nobody(trial: _Trial) -> None:
    now = evolve(_PAUSE, deployment="web-2")
    trial.control.send("web", now)
    for number in range(80):
        trial.control.send("web", evolve(_PAUSE, at_s=_PAUSE.at_s + number))
        if number == 75:
            trial.holds(now, deployment="web-2")


def _others_see_the_same(trial: _Trial) -> None:
    trial.control.send("web", _PAUSE)
    resume = evolve(_PAUSE, kind=OrderKind.RESUME, by="bob@host:2")
    if trial.again is not None:
        with opened(trial.again(trial.control)) as other:
            demand(other.orders("web", "web-1") == (_PAUSE,), "the second one does not see the first one's order")
            other.send("web", resume)
    trial.holds(_PAUSE, resume)


def _many_at_once(trial: _Trial) -> None:
    errors: list[Exception] = []
    start = threading.Barrier(AT_ONCE)

    def order(number: int) -> None:
        try:
            if trial.again is not None:
                with opened(trial.again(trial.control)) as control:
                    start.wait(10.0)
                    _send(control, evolve(_PAUSE, by=f"bob@host:{number}"))
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that judges
            errors.append(error)

    threads = [threading.Thread(target=order, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demand(not errors, f"one of {AT_ONCE} raised {errors[:1]!r}")
    found = trial.control.orders("web", "web-1")
    demand({order.by for order in found} == {f"bob@host:{number}" for number in range(AT_ONCE)}, f"it has {found!r}")
    demand(trial.control.orders("web", "web-1") == found, "asked twice, it gave two answers")


def _send(control: Control, order: Order) -> None:
    for attempt in range(5):
        try:
            return control.send("web", order)
        except TemporaryError:
            if attempt == 4:
                raise
    return None


CONTROL_RULES: tuple[Rule[_Trial], ...] = (
    Rule("there are no orders at first", _empty_at_first),
    Rule("orders come back as they were, in the order in which they were sent", _in_order),
    Rule("an order that is sent twice is there once", _once),
    Rule("those that were read need not be read again", _only_new_ones),
    Rule("orders to one deployment are not those to another", _deployments_apart),
    Rule("orders to one service are not those to another", _services_apart),
    Rule("orders that come too late disturb no others", _late_ones_disturb_nobody),
    Rule("another deployer sees the same orders", _others_see_the_same, lambda trial: trial.again),
    Rule("of many that come at once none is lost", _many_at_once, lambda trial: trial.again),
)


def check_control(make: Make[Control], *, again: Again[Control] | None = None) -> tuple[str, ...]:
    """Try the rules of what carries orders, each on a fresh one, and return the names of those that were tried.

    Args:
        make: Gives a fresh one without orders.
        again: Opens the same one a second time, from any thread, for the rules about two deployers.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """

    @contextmanager
    def trials() -> Iterator[_Trial]:
        with opened(make()) as control:
            yield _Trial(control, again)

    return try_rules("the control", CONTROL_RULES, trials)
