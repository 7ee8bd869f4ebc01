"""Orders in Consul's keys, from any machine to the deployer that runs a deployment."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.policy import operator_policy
from zdd.adapters.consul.store import DEFAULT_PREFIX, Entry, Store, encode_record, replace
from zdd.errors import AdapterError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.model.order import Order, OrderKind

KEPT = 64
"""How many orders of a service are kept besides those of the deployment that got the last one."""

logger = logging.getLogger("zdd")

_KINDS = {kind.value: kind for kind in OrderKind}
_FIELDS: dict[str, Any] = {"kind": str, "by": str, "at_s": (int, float), "stage": (int, type(None))}


class ConsulControl:
    """Carries orders in Consul, for operators and deployers on any number of machines.

    Each order is a key of its own under the id of its deployment. They are ordered as Consul has written them, whatever
    the clocks of those who gave them say.

    Args:
        connection: The agent that is asked.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._store = Store(connection, prefix)

    def policy(self, service: str) -> str:
        """Return the policy, in HCL, with which a token can give orders to a service, and nothing more."""
        return operator_policy(service, self._store)

    def send(self, service: str, order: Order) -> None:
        """Keep the order for the deployment that it names. One that is there already is not kept twice.

        Raises:
            TemporaryError: Nothing was kept: Consul can't be reached.
            PermanentError: Nothing was kept: Consul refuses.
            OutcomeUnknown: Consul did not answer. To send the same order again does no harm.
        """
        key = f"{self._deployment(service, order.deployment)}{_digest(order)}"
        try:
            self._store.commit([replace(Entry(key), _value(order))])  # refused: the key is there already
        except OutcomeUnknown as error:
            if not self._is_there(key):
                raise error from None
        try:
            self._forget_old(service, order.deployment)
        except AdapterError as error:  # the order is kept, which is what counts; the next one tidies up
            logger.warning("zdd.orders_not_forgotten: old orders to %s stay for now: %s", service, error)

    def orders(self, service: str, deployment: str, after: int = 0) -> tuple[Order, ...]:
        """Return the orders for this deployment, in the order in which Consul wrote them, without the first `after`.

        Raises:
            TemporaryError: Consul can't be reached.
            PermanentError: Consul refuses, or what is there was not written by zdd.
        """
        entries = self._store.under(self._deployment(service, deployment))
        ordered = sorted(entries, key=lambda entry: entry.index)
        return tuple(_order(deployment, entry) for entry in ordered)[after:]

    def _is_there(self, key: str) -> bool:
        try:
            return bool(self._store.get(key).index)
        except (TemporaryError, PermanentError):
            return False

    def _deployment(self, service: str, deployment: str) -> str:
        return f"{self._store.control(service)}{deployment}/"

    def _forget_old(self, service: str, deployment: str) -> None:
        own = self._deployment(service, deployment)
        others = [entry for entry in self._store.under(self._store.control(service)) if not entry.key.startswith(own)]
        old = sorted(others, key=lambda entry: entry.index)[:-KEPT]
        if old:
            self._store.commit([{"KV": {"Verb": "delete", "Key": entry.key}} for entry in old[:KEPT]])


def _value(order: Order) -> bytes:
    return encode_record(kind=order.kind.value, by=order.by, at_s=order.at_s, stage=order.stage)


def _digest(order: Order) -> str:
    return hashlib.sha256(_value(order)).hexdigest()[:32]


def _order(deployment: str, entry: Entry) -> Order:
    record = entry.record()
    known = all(isinstance(record.get(name), kind) for name, kind in _FIELDS.items())
    if not known or record["kind"] not in _KINDS:
        raise PermanentError(f"Consul's key {entry.key} does not hold what zdd wrote: delete it")
    return Order(_KINDS[record["kind"]], deployment, record["by"], float(record["at_s"]), record["stage"])
