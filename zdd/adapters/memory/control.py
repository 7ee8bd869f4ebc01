"""Orders that live as long as the object."""

from __future__ import annotations

from zdd.model.order import Order


class MemoryControl:
    """Carries orders between deployers of the same process that share it, from any thread."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], tuple[Order, ...]] = {}

    def send(self, service: str, order: Order) -> None:
        """Keep the order for the deployment that it names. One that is there already is not kept twice."""
        key = (service, order.deployment)
        known = self._orders.get(key, ())
        if order not in known:
            self._orders[key] = (*known, order)

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        """Return the orders for this deployment, oldest first, without the first `after`."""
        return self._orders.get((service, deployment), ())[after:]
