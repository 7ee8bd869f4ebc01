"""What a service was last meant to be, in one of Consul's keys, for mirrors on any number of machines."""

from __future__ import annotations

import json

from zdd import codec
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.journal import VALUE_BYTES_MAX
from zdd.adapters.consul.store import DEFAULT_PREFIX, Store, encode_record, replace
from zdd.errors import JournalError, OutcomeUnknown, PermanentError
from zdd.interfaces import Fence
from zdd.model.intent import Intent
from zdd.model.plan import Plan

_TRIES = 8


class ConsulIntents:
    """Keeps intents in Consul's keys: ``<prefix>/heads/<service>/intent``. Written only with a fence that holds.

    Args:
        connection: The agent that is asked.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._store = Store(connection, prefix)

    def write(self, service: str, intent: Intent, fence: Fence) -> None:
        """Write it durably before returning, in place of the one before.

        Raises:
            LeaseLost: A greater token was granted or accepted for this service.
            JournalError: It is larger than Consul takes.
            TemporaryError, PermanentError, OutcomeUnknown: As of Consul.
        """
        plan = json.dumps(codec.encode(intent.plan), allow_nan=False, separators=(",", ":"))
        value = encode_record(deployment=intent.deployment, settled=intent.settled, written=codec.FORMAT, plan=plan)
        if len(value) > VALUE_BYTES_MAX:
            raise JournalError(f"what {service} is meant to be has {len(value)} bytes, Consul takes {VALUE_BYTES_MAX}")
        for _ in range(_TRIES):
            key = FenceKey.read(self._store, service)
            key.check(service, fence)
            entry = self._store.get(self._key(service))
            if self._store.commit([key.accept(fence), replace(entry, value)]):
                return
        raise OutcomeUnknown(f"{service} is being changed by many deployers at once", settles_within_s=0.0)

    def read(self, service: str) -> Intent | None:
        """Return it; None if there is none.

        Raises:
            JournalError: It is damaged, or was written in a format that this version does not know.
            TemporaryError: Consul can't be reached.
        """
        key = self._key(service)
        try:
            record = self._store.get(key).record()
        except PermanentError as error:
            raise JournalError(str(error)) from error
        if not record:
            return None
        deployment, settled, plan = (record.get(name) for name in ("deployment", "settled", "plan"))
        written = record.get("written")
        if isinstance(written, int) and written > codec.FORMAT:
            raise JournalError(f"Consul's key {key} has format {written}: install a newer zdd")
        if not isinstance(deployment, str) or not isinstance(settled, bool) or not isinstance(plan, str):
            raise JournalError(f"Consul's key {key} does not hold what zdd wrote: deploy again, or restore it")
        return Intent(_plan(key, plan), settled, deployment)

    def _key(self, service: str) -> str:
        return self._store.heads(service) + "intent"


def _plan(key: str, text: str) -> Plan:
    try:
        plan = codec.decode(json.loads(text))
    except (ValueError, JournalError) as error:
        raise JournalError(f"Consul's key {key}: {error}. Deploy again, or install the zdd that wrote it") from error
    if not isinstance(plan, Plan):
        raise JournalError(f"Consul's key {key} holds no plan but {plan!r}")
    return plan
