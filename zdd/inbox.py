"""Asks for the orders to a running deployment, not too often, and without ever holding it up for long."""

from __future__ import annotations

import logging
from collections.abc import Callable

from zdd.errors import AdapterError, JournalError
from zdd.interfaces import Control
from zdd.model.order import Order

ASK_EVERY_S = 0.5
"""How often orders are asked for at most."""

ASK_AGAIN_S = 5.0
"""How long it is left alone after it could not be asked: each attempt may take as long as a request may."""

logger = logging.getLogger("zdd")


class Inbox:
    """The orders to one deployment, each once.

    Args:
        control: Who is asked; None: there are no orders.
        service: The service's name.
        deployment: The deployment's id.
        now: Tells the time, in seconds since the epoch.
    """

    def __init__(self, control: Control | None, service: str, deployment: str, now: Callable[[], float]) -> None:
        self._control = control
        self._service = service
        self._deployment = deployment
        self._now = now
        self._next_s = 0.0
        self._read = 0
        self._unheard = False

    def collect(self) -> tuple[Order, ...]:
        """Return the orders that were not returned before, in the order in which they were given.

        That they can't be asked for is logged once, and holds up nothing: a deployment without orders is a safe one.
        """
        if self._control is None or self._now() < self._next_s:
            return ()
        try:
            orders = self._control.orders(self._service, self._deployment, after=self._read)
        except (AdapterError, JournalError) as error:
            if not self._unheard:
                logger.warning("zdd.orders_not_heard: those to %s can't be read: %s", self._deployment, error)
            self._unheard = True
            self._next_s = self._now() + ASK_AGAIN_S
            return ()
        self._unheard = False
        self._read += len(orders)
        self._next_s = self._now() + ASK_EVERY_S
        return orders
