"""Tells a whole cluster what happens in a deployment: a listener that fires Consul's events."""

from __future__ import annotations

import atexit
import logging
import threading
import uuid
from collections import Counter, deque
from collections.abc import Iterable

from attrs import frozen

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.news import event_name, to_payload
from zdd.adapters.consul.policy import event_right
from zdd.adapters.consul.store import DEFAULT_PREFIX, Store
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.events import CommandAnswered, CommandIntended, Event, Waited
from zdd.model.names import list_of

KEPT = 256
"""How many events wait to be fired: as many as an agent of Consul keeps."""

TRIES = 3
"""How often an event is fired to which Consul gives no answer. It is recognised if it comes twice."""

PAUSE_S = 1.0
NOT_FIRED: tuple[type[Event], ...] = (Waited, CommandIntended, CommandAnswered)

logger = logging.getLogger("zdd")


@frozen
class _Waiting:
    name: str
    payload: dict[str, object]


class ConsulEvents:
    """Fires an event of Consul's for each event of a deployment: give it to a deployer as a listener.

    The events of service ``web`` have the name ``zdd-web``. Every agent of the datacenter hears them and keeps the last
    256 of all kinds; `ConsulSubscription` and ``consul watch -type=event`` read them. They are news, not a record: that
    is the journal.

    They are fired by a thread of its own. Where Consul can't be reached, that is logged once and the last 256 are fired
    later; a deployment is neither held up nor ended by it.

    Args:
        connection: The agent that is told.
        prefix: What the names of the events begin with.
        leave_out: Events of these kinds are not fired. By default what is waited for, and commands.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(
        self,
        connection: ConsulConnection,
        *,
        prefix: str = DEFAULT_PREFIX,
        leave_out: Iterable[type[Event]] = NOT_FIRED,
    ) -> None:
        self._connection = connection
        self._prefix = Store(connection, prefix).prefix
        self._leave_out = list_of("leave_out of ConsulEvents", leave_out, "[CapacityChanged]")
        if not all(isinstance(kind, type) for kind in self._leave_out):
            raise ConfigurationError(f"leave_out of ConsulEvents is {leave_out!r}: use classes of zdd.events")
        self._writer = uuid.uuid4().hex[:8]
        self._numbers: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque(maxlen=KEPT)
        self._changed = threading.Condition()
        self._ended = False
        self._firing: threading.Thread | None = None
        self._troubled = False

    def policy(self, service: str) -> str:
        """Return the rule of a policy, in HCL, that the token needs besides that of a deployment."""
        return event_right(event_name(self._prefix, service), "write") + "\n"

    def __call__(self, event: Event) -> None:
        """Take in the event. It is fired soon, and this returns at once.

        Raises:
            ConfigurationError: The service's name is too long for an event of Consul's.
        """
        if isinstance(event, self._leave_out):
            return
        name = event_name(self._prefix, event.service)
        with self._changed:
            if self._ended:
                return
            self._numbers[event.service] += 1
            payload = to_payload(event, name, self._writer, self._numbers[event.service])
            self._waiting.append(_Waiting(name, payload))
            if self._firing is None:
                self._firing = threading.Thread(target=self._fire_all, name="zdd-consul-events", daemon=True)
                self._firing.start()
                atexit.register(self.close)
            self._changed.notify_all()

    def close(self, timeout_s: float = 3.0) -> None:
        """Fire what still waits, for `timeout_s` seconds at most, and end. The end of the process does so."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._firing is not None:
            self._firing.join(timeout_s)
            atexit.unregister(self.close)

    def _fire_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    return
                first = self._waiting[0]
            done = self._fire(first)
            with self._changed:
                if done and self._waiting and self._waiting[0] is first:
                    self._waiting.popleft()
                elif not done and self._changed.wait_for(lambda: self._ended, PAUSE_S):
                    return

    def _fire(self, waiting: _Waiting) -> bool:
        """Fire it; return False if that is to be tried again."""
        right = event_right(waiting.name, "write")
        try:
            for attempt in range(TRIES):
                try:
                    self._connection.tell(f"/v1/event/fire/{waiting.name}", waiting.payload, right=right)
                    break
                except OutcomeUnknown:
                    if attempt == TRIES - 1:
                        raise
        except TemporaryError as error:
            self._say(f"they are fired later: {error}")
            return False
        except (OutcomeUnknown, PermanentError, ConfigurationError) as error:
            self._say(f"this one is left out: {error}")
            return True
        self._troubled = False
        return True

    def _say(self, what: str) -> None:
        if not self._troubled:
            logger.warning("zdd.events_not_fired: Consul is not told what happens, %s", what)
        self._troubled = True
