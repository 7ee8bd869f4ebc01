"""Consul's key-value store: whole entries with their index, and transactions of which all or nothing is done."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.consul.connection import CONFLICT, OK, Answer, ConsulConnection
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.model.names import check_methods

DEFAULT_PREFIX = "zdd"
CONSISTENT = {"consistent": ""}
FORMAT = 1
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*")

Operation = dict[str, Any]


@frozen
class Entry:
    """One key.

    Attributes:
        key: The whole key.
        value: Its bytes.
        index: Changes whenever another value is written, also one that was there before; 0: there is no such key.
        session: The session that has locked it, or nothing.
    """

    key: str
    value: bytes = b""
    index: int = 0
    session: str = ""

    def record(self) -> dict[str, Any]:
        """Return the value as one of zdd's own records; empty where there is no such key.

        Raises:
            PermanentError: It is not one.
        """
        if not self.index:
            return {}
        try:
            record = json.loads(self.value)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or "format" not in record:
            raise self.damaged()
        if record["format"] != FORMAT:
            raise PermanentError(f"Consul's key {self.key} was written by another zdd, in format {record['format']!r}")
        return record

    def damaged(self) -> PermanentError:
        """Return what is to be said of a value that is not as zdd writes them."""
        return PermanentError(f"Consul's key {self.key} does not hold what zdd wrote: restore it, or move it away")


def encode_record(**values: object) -> bytes:
    """Return one of zdd's own records as the bytes of a value."""
    return json.dumps({"format": FORMAT, **values}, sort_keys=True).encode()


class Store:
    """The keys under one prefix, of which each service has its own part.

    Args:
        connection: The agent that is asked.
        prefix: What all keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(self, connection: ConsulConnection, prefix: str = DEFAULT_PREFIX) -> None:
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            raise ConfigurationError(
                f"prefix {prefix!r} of Consul's keys: use lower-case letters, digits and hyphens, parted by /"
            )
        check_methods("connection", connection, ("ask", "tell"), "a ConsulConnection(address=…)")
        self.connection = connection
        self.prefix = prefix

    def heads(self, service: str) -> str:
        """Return what the keys of the current state of a service begin with."""
        return f"{self.prefix}/heads/{service}/"

    def events(self, service: str) -> str:
        """Return what the keys of the events of a service begin with."""
        return f"{self.prefix}/events/{service}/"

    def control(self, service: str) -> str:
        """Return what the keys of the orders to a service begin with."""
        return f"{self.prefix}/control/{service}/"

    def get(self, key: str) -> Entry:
        """Return the entry, as the cluster's leader knows it; one with index 0 where there is none."""
        answer = self.connection.ask(f"/v1/kv/{key}", parameters=CONSISTENT, right=_right(key, "read"))
        entries = parse_entries(answer.json(list)) if answer.status == OK else []
        if entries and entries[0].key != key:
            raise TemporaryError(f"{answer.what} was not answered as Consul does: with key {entries[0].key!r}")
        return entries[0] if entries else Entry(key)

    def under(self, prefix: str) -> list[Entry]:
        """Return the entries whose keys begin so, sorted by key."""
        answer = ask_tree(self.connection, prefix, _right(prefix, "read"))
        return sorted(parse_entries(answer.json(list)), key=lambda entry: entry.key) if answer.status == OK else []

    def folders(self, prefix: str) -> list[str]:
        """Return the next parts of the keys that begin so, sorted, of those that this token may see."""
        parameters = {"keys": "", "separator": "/", **CONSISTENT}
        answer = self.connection.ask(f"/v1/kv/{prefix}", parameters=parameters, right=_right(prefix, "read"))
        names = answer.json(list) if answer.status == OK else []
        if not all(isinstance(name, str) for name in names):
            raise TemporaryError(f"{answer.what} was not answered as Consul does: {names!r:.200}")
        return sorted(name.removeprefix(prefix).rstrip("/") for name in names if name.endswith("/"))

    def commit(self, operations: Sequence[Operation]) -> bool:
        """Do all of the operations, or none of them because one of its conditions does not hold. Say which.

        Raises:
            TemporaryError: Nothing was changed: it can't be reached.
            PermanentError: Nothing was changed: it refuses.
            OutcomeUnknown: There was no answer.
        """
        answer = self.connection.tell("/v1/txn", list(operations), expected=(OK, CONFLICT))
        if answer.status == OK:
            _check_done(answer, self.connection.settles_within_s)
            return True
        for problem in answer.json(dict).get("Errors") or ():
            if str(problem.get("What", "")).startswith("Permission denied"):
                key = operations[problem.get("OpIndex", 0)]["KV"]["Key"]
                raise PermanentError(f"{answer.what} is not permitted. The token needs: {_right(key, 'write')}")
        return False


def ask_tree(connection: ConsulConnection, prefix: str, right: str) -> Answer:
    """Ask for all keys that begin so. The answer's status is 200, or 404 where there is none.

    Raises:
        PermanentError: The token may not see the keys, which are left out of such an answer without a word. One that
            may not see some keys among others is noticed by a Consul since 1.11 only.
        TemporaryError: Consul can't be reached.
    """
    answer = connection.ask(f"/v1/kv/{prefix}", parameters={"recurse": "", **CONSISTENT}, right=right)
    answer.check_whole(right)
    if answer.status != OK:  # asked for a single key it refuses, whether or not there is one
        connection.ask(f"/v1/kv/{prefix}", parameters=CONSISTENT, right=right)
    return answer


def unchanged(entry: Entry) -> Operation:
    """The condition that a key still is as it was read."""
    if entry.index:
        return {"KV": {"Verb": "check-index", "Key": entry.key, "Index": entry.index}}
    return {"KV": {"Verb": "check-not-exists", "Key": entry.key}}


def replace(entry: Entry, value: bytes) -> Operation:
    """Write a key if it still is as it was read."""
    return {"KV": {"Verb": "cas", "Key": entry.key, "Index": entry.index, "Value": _base64(value)}}


def lock(key: str, session: str, value: bytes) -> Operation:
    """Write a key and lock it, if no other session has."""
    return {"KV": {"Verb": "lock", "Key": key, "Session": session, "Value": _base64(value)}}


def unlock(key: str, session: str, value: bytes) -> Operation:
    """Write a key and let go of it, if this session has locked it."""
    return {"KV": {"Verb": "unlock", "Key": key, "Session": session, "Value": _base64(value)}}


def _check_done(answer: Answer, settles_within_s: float) -> None:
    try:
        answer.json(dict)
    except TemporaryError as error:  # who says so may be no Consul at all
        raise OutcomeUnknown(str(error), settles_within_s=settles_within_s) from None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _right(key: str, access: str) -> str:
    return f'key_prefix "{key.rpartition("/")[0]}/" {{ policy = "{access}" }}'


def parse_entries(items: list[Any]) -> list[Entry]:
    """Return the entries of an answer.

    Raises:
        TemporaryError: It is not as Consul answers.
    """
    try:
        return [
            Entry(
                item["Key"],
                base64.b64decode(item["Value"] or "", validate=True),
                int(item["ModifyIndex"]),
                item.get("Session") or "",
            )
            for item in items
        ]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise TemporaryError(f"Consul's answer about a key is not as Consul's answers are: {error!r}") from error
