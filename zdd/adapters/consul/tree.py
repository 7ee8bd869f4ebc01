"""A source for backups: the keys under one prefix of Consul's key-value store."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from zdd.adapters.consul.connection import CONFLICT, OK, ConsulConnection
from zdd.adapters.consul.store import DEFAULT_PREFIX, ask_tree
from zdd.backup.source import failing_as_backup
from zdd.errors import AdapterError, BackupError, ConfigurationError, PermanentError, TemporaryError
from zdd.model.names import check_text

_OPERATIONS_MAX = 64  # Consul's own limit for one transaction
_TRANSACTION_BYTES = 400_000  # below Consul's limit of 512 KiB for its body, with the keys and the JSON around them

Item = Mapping[str, Any]
Change = dict[str, dict[str, Any]]


def _folder(value: str) -> str:
    check_text("prefix of ConsulTree", value)
    return f"{value.strip('/')}/"


@frozen
class ConsulTree:
    """The keys under one prefix of Consul's key-value store, with their values and flags; locks are left out.

    All keys are held in memory; they may be 64 MiB at most. A restore writes only the keys that differ, and deletes
    those that were not there. More than 64 changes are several transactions: if it is interrupted in between, some keys
    are new and some are old until it is done again.

    Attributes:
        prefix: A folder of keys, such as ``config/shop``; ``config/shopping`` is not in it.
        address: The agent, as `ConsulConnection` takes it.
        token_file: A file with the ACL token, which needs ``key_prefix`` read and write. Empty: no token.
        ca_file: The authority that has signed the agent's certificate. Empty: those that the machine trusts.
        timeout_s: Seconds within which each request must be answered completely.
    """

    prefix: str = field(converter=_folder)
    address: str = field(default="http://127.0.0.1:8500", kw_only=True)
    token_file: str = field(default="", kw_only=True)
    ca_file: str = field(default="", kw_only=True)
    timeout_s: float = field(default=30.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.prefix == "/":
            raise ConfigurationError("ConsulTree: name a prefix, or use ConsulSnapshot for everything")
        if self.prefix.partition("/")[0] == DEFAULT_PREFIX:
            raise ConfigurationError(
                f"ConsulTree({self.prefix!r}): zdd's own journal and lease can't be put back by it"
            )

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"Consul's keys {self.prefix}"

    @property
    def repeats(self) -> bool:
        """The same keys give the same bytes."""
        return True

    def check(self) -> None:
        """Raise `ConfigurationError` if the keys can't be read."""
        try:
            self._read()
        except AdapterError as error:
            raise ConfigurationError(f"{self.name} can't be backed up: {error}") from error

    def position(self) -> str:
        """Return Consul's count of the last change under the prefix.

        Raises:
            BackupError: It can't be asked.
        """
        with failing_as_backup(self.name):
            items, _ = self._read()
        return str(max((item["ModifyIndex"] for item in items), default=0))

    def save(self) -> Iterator[bytes]:
        """Yield one line of JSON for each key, in the order of the keys.

        Raises:
            BackupError: They can't be read.
        """
        with failing_as_backup(self.name):
            items, _ = self._read()
        for item in items:
            line = {"key": item["Key"], "flags": item["Flags"], "value": item["Value"] or ""}
            yield json.dumps(line, sort_keys=True).encode() + b"\n"

    def load(self, data: Iterable[bytes]) -> None:
        """Write the keys that differ, and delete those that are too many.

        Raises:
            BackupError: What was kept is not what `save` yields, and nothing was changed; or a key can't be written.
        """
        wanted = self._parse(b"".join(data))
        with failing_as_backup(self.name):
            items, connection = self._read()
        there = {item["Key"]: (item["Flags"], item["Value"] or "") for item in items}
        changes = [
            {"KV": {"Verb": "set", "Key": key, "Flags": flags, "Value": value}}
            for key, (flags, value) in wanted.items()
            if there.get(key) != (flags, value)
        ]
        changes += [{"KV": {"Verb": "delete", "Key": key}} for key in there if key not in wanted]
        done = 0
        for batch in _batches(changes):
            now = f"{done} of {len(changes)} changes are made; do it again" if done else "nothing was changed"
            try:
                self._write(connection, batch)
            except AdapterError as error:
                raise BackupError(f"{self.name} could not be put back: {error}: {now}") from error
            done += len(batch)

    def _read(self) -> tuple[list[Item], ConsulConnection]:
        connection = open_connection(self.address, self.token_file, self.ca_file, self.timeout_s)
        answer = ask_tree(connection, self.prefix, self._right("read"))
        items: list[Item] = answer.json(list) if answer.status == OK else []
        if not all(map(_is_item, items)):
            raise TemporaryError(f"{answer.what} was not answered as Consul does: with something else than keys")
        return sorted(items, key=lambda item: str(item["Key"])), connection

    def _write(self, connection: ConsulConnection, batch: list[Change]) -> None:
        first, right = batch[0]["KV"], self._right("write")
        value = first.get("Value", "")
        if len(value) > _TRANSACTION_BYTES:  # more than a transaction may be, but a legal value
            parameters = {"flags": str(first["Flags"])}
            connection.tell(f"/v1/kv/{first['Key']}", base64.b64decode(value), parameters=parameters, right=right)
            return
        answer = connection.tell("/v1/txn", batch, expected=(OK, CONFLICT), right=right)
        if answer.status == CONFLICT:
            raise PermanentError(f"{answer.what} was refused: {answer.text[:300]}")

    def _parse(self, data: bytes) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for line in data.splitlines():
            try:
                item = json.loads(line)
                key, flags, value = str(item["key"]), int(item["flags"]), str(item["value"])
                base64.b64decode(value, validate=True)
            except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
                raise BackupError(f"what was kept is no tree of Consul's keys: {line[:80]!r}") from None
            if not key.startswith(self.prefix):
                raise BackupError(f"what was kept names {key!r}, outside {self.prefix}: nothing was changed")
            found[key] = (flags, value)
        return found

    def _right(self, access: str) -> str:
        return f'key_prefix "{self.prefix}" {{ policy = "{access}" }}'


def _is_item(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    numbers = all(isinstance(value.get(name), int) for name in ("Flags", "ModifyIndex"))
    return numbers and isinstance(value.get("Key"), str) and isinstance(value.get("Value"), str | None)


def _batches(changes: list[Change]) -> Iterator[list[Change]]:
    """Yield the changes in lists that Consul takes as one transaction each."""
    batch: list[Change] = []
    size = 0
    for change in changes:
        length = len(json.dumps(change))
        if batch and (len(batch) == _OPERATIONS_MAX or size + length > _TRANSACTION_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += length
    if batch:
        yield batch


def open_connection(address: str, token_file: str, ca_file: str, timeout_s: float) -> ConsulConnection:
    """Return a connection whose token is read from its file now, so that a source holds no secret.

    Raises:
        ConfigurationError: The file can't be read, or a value is illegal.
    """
    try:
        token = Path(token_file).read_text(encoding="utf-8").strip() if token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"token file {token_file} can't be read: {error}") from None
    authority = Path(ca_file) if ca_file else None
    return ConsulConnection(address=address, token=token, ca_file=authority, timeout_s=timeout_s)
