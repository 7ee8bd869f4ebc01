"""The journal: every event of every service in a key of its own, in a chain in which a change anywhere shows."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
import zlib
from typing import Any

from attrs import evolve, frozen

from zdd import codec
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.store import DEFAULT_PREFIX, Entry, Store, encode_record, replace
from zdd.errors import JournalError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.events import Event
from zdd.interfaces import Fence

VALUE_BYTES_MAX = 360_000
"""A transaction may have 512 KiB, in which values grow by a third; a little is left for what is around them."""

PATIENCE_S = 8.0
_PAUSE_S = 0.1
_PACKED_BYTES_MAX = 64 << 20
_DIGITS, _SHARED_DIGITS = 12, 9  # events are read by the thousand


@frozen
class _Row:
    """One event, as its key holds it.

    Attributes:
        writer: Names the journal object that wrote it, so that a write without an answer is recognised.
        checksum: That of the event before it and of everything here.
    """

    service: str
    number: int
    format: int
    deployment: str
    kind: str
    body: str
    writer: str
    checksum: str = ""

    def expected(self, before: str) -> str:
        """Return what its checksum must be after a row with the checksum `before`."""
        content = [before, *(getattr(self, name) for name in _CONTENT)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def value(self) -> bytes:
        return json.dumps({name: getattr(self, name) for name in (*_CONTENT, "checksum")}).encode()


_CONTENT = ("service", "number", "format", "deployment", "kind", "body", "writer")
_NUMBERS = ("number", "format")


@frozen
class _Head:
    """The end of a service's chain."""

    entry: Entry
    events: int = 0
    checksum: str = ""


@frozen
class _State:
    """Everything that an append depends on."""

    fence: FenceKey
    head: _Head


class ConsulJournal:
    """A journal in Consul's keys, for deployers on any number of machines.

    An event is written in one transaction with the fence and with the end of the chain, so there is no half of one, no
    two with one number, and none by a deployer that was shut out. Each event's checksum covers that of the event before
    it. An event larger than a value may be is packed; one that is too large even then is refused.

    Args:
        connection: The agent that is asked.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._store = Store(connection, prefix)
        self._writer = uuid.uuid4().hex

    def append(self, service: str, event: Event, fence: Fence) -> None:
        """Write the event durably before returning, after all earlier ones.

        While Consul can't be reached, or can't write itself, it goes on trying for 8 seconds.

        Raises:
            LeaseLost: A greater token was granted or accepted for this service. Nothing was written.
            JournalError: It can't be written, or the end of the chain is damaged.
        """
        kind = codec.kind_of(event)
        row = _Row(service, 0, codec.FORMAT, event.deployment, kind, codec.event_text(event), self._writer)
        end_s = time.monotonic() + PATIENCE_S
        tried: _Row | None = None
        problems: list[str] = []
        while True:
            try:
                state = self._state(service)
                if tried is not None and self._is_there(tried, state.head):
                    return
                state.fence.check(service, fence)
                tried = evolve(row, number=state.head.events + 1)
                tried = evolve(tried, checksum=tried.expected(state.head.checksum))
                if self._commit(state, tried, fence):
                    return
                self._check_not_there(tried, state.head)
                problems.append("others write to it all the time")
                pause_s = 0.0
            except (TemporaryError, OutcomeUnknown) as error:
                problems.append(str(error))
                pause_s = _PAUSE_S
            except PermanentError as error:
                raise JournalError(f"an event of {service} can't be written: {error}") from error
            if time.monotonic() + pause_s >= end_s:
                raise JournalError(f"an event of {service} can't be written: {_in_short(problems)}")
            time.sleep(pause_s)

    def read(self, service: str) -> tuple[Event, ...]:
        """Return every event of this service, oldest first.

        Raises:
            JournalError: An event is damaged, is missing, or was written in a format that this version doesn't know; or
                Consul refuses.
            TemporaryError: Consul can't be reached.
        """
        try:
            head, entries = self._read_whole(service)
        except PermanentError as error:
            raise JournalError(str(error)) from error
        rows = [_parse(entry) for entry in entries]
        before = ""
        for number, (entry, row) in enumerate(zip(entries, rows, strict=True), 1):
            if row.service != service or row.number != number:
                raise _damaged(self._key(service, number), f"event {number} of {service} is missing")
            if row.checksum != row.expected(before):
                raise _damaged(entry.key, f"event {number} of {service} is not as it was written")
            before = row.checksum
        if (len(rows), before) != (head.events, head.checksum):
            what = f"event {head.events} of {service} should be its last one, but {len(rows)} are there"
            raise _damaged(head.entry.key, what)
        return tuple(
            codec.read_event(row.body, row.format, f"Consul's key {entry.key}")
            for entry, row in zip(entries, rows, strict=True)
        )

    def services(self) -> tuple[str, ...]:
        """Return the names of the services that have events, sorted; of those that the token may see.

        Raises:
            JournalError: Consul refuses.
            TemporaryError: Consul can't be reached.
        """
        try:
            return tuple(self._store.folders(f"{self._store.prefix}/events/"))
        except PermanentError as error:
            raise JournalError(str(error)) from error

    # -- the chain ----------------------------------------------------------------------------------------------------

    def _state(self, service: str) -> _State:
        heads = self._store.heads(service)
        return _State(FenceKey.of(self._store.get(heads + "fence")), _head(self._store.get(heads + "journal")))

    def _commit(self, state: _State, row: _Row, fence: Fence) -> bool:
        value = row.value()
        if len(value) > VALUE_BYTES_MAX:
            value = zlib.compress(value)
        if len(value) > VALUE_BYTES_MAX:
            raise JournalError(
                f"an event of {row.service} has {len(row.body)} bytes, packed {len(value)}, and Consul takes "
                f"{VALUE_BYTES_MAX} at once: deploy in smaller steps, or keep the journal elsewhere"
            )
        head = encode_record(events=row.number, checksum=row.checksum)
        new = Entry(self._key(row.service, row.number))
        return self._store.commit([state.fence.accept(fence), replace(state.head.entry, head), replace(new, value)])

    def _is_there(self, tried: _Row, head: _Head) -> bool:
        """Tell whether a write without an answer was done after all."""
        if head.events < tried.number:
            return False
        entry = self._store.get(self._key(tried.service, tried.number))
        return bool(entry.index) and _parse(entry) == tried

    def _check_not_there(self, tried: _Row, head: _Head) -> None:
        """Find out whether a write was refused because there is an event of which the end of the chain knows nothing.

        Raises:
            JournalError: So it is: nothing will ever be written there.
        """
        key = self._key(tried.service, tried.number)
        if self._store.get(key).index and self._state(tried.service).head == head:
            raise _damaged(key, f"it is there, and by its end {tried.service} has {head.events} events")

    def _read_whole(self, service: str) -> tuple[_Head, list[Entry]]:
        """Return the end of the chain and the events up to it: what is appended meanwhile is left out."""
        head = self._state(service).head
        entries: list[Entry] = []
        for thousand in range(head.events // 1000 + 1):
            entries += self._store.under(self._store.events(service) + f"{thousand:0{_SHARED_DIGITS}d}")
        late = {self._key(service, number) for number in range(head.events + 1, self._state(service).head.events + 1)}
        return head, [entry for entry in entries if entry.key not in late]

    def _key(self, service: str, number: int) -> str:
        return self._store.events(service) + f"{number:0{_DIGITS}d}"


def _in_short(problems: list[str]) -> str:
    """Say what went wrong at first, which is often the cause of the rest, and at last."""
    words = "; then ".join(dict.fromkeys((problems[0], problems[-1])))
    full = any("no space left" in problem for problem in problems)
    return f"{words}. Make room on the disk of Consul's servers, then go on" if full else words


def _head(entry: Entry) -> _Head:
    record = entry.record()
    events, checksum = record.get("events", 0), record.get("checksum", "")
    if not isinstance(events, int) or not isinstance(checksum, str):
        raise PermanentError(f"Consul's key {entry.key} does not hold what zdd wrote: restore it from a snapshot")
    return _Head(entry, events, checksum)


def _parse(entry: Entry) -> _Row:
    value = entry.value
    try:
        if not value.startswith(b"{"):
            value = zlib.decompressobj().decompress(value, _PACKED_BYTES_MAX)
        return _row(json.loads(value))
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        raise _damaged(entry.key, f"it holds no event ({error!r})") from error


def _row(record: dict[str, Any]) -> _Row:
    row = _Row(*(record[name] for name in (*_CONTENT, "checksum")))
    for name in (*_CONTENT, "checksum"):
        if type(getattr(row, name)) is not (int if name in _NUMBERS else str):
            raise TypeError(f"{name} is {getattr(row, name)!r}")
    return row


def _damaged(key: str, what: str) -> JournalError:
    return JournalError(f"the journal at Consul's key {key} is damaged: {what}. Restore it from a snapshot of Consul")
