"""Configuration in Consul's keys: each content once, under its own hash, so that a rollback brings it back by itself.

The hash is in the environment of a release. So a revision and its configuration belong together for ever: going back to
the revision goes back to the configuration, and nobody has to remember which one it was.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import asdict, evolve, has

from zdd.adapters.consul.blocking import BlockingQuery
from zdd.adapters.consul.connection import NOT_FOUND, ConsulConnection
from zdd.adapters.consul.settings import Settings, convert
from zdd.adapters.consul.store import DEFAULT_PREFIX, Entry, Operation, Store, encode_record, parse_entries, replace
from zdd.errors import ConfigurationError, OutcomeUnknown
from zdd.model.names import check_kind, check_name, list_of
from zdd.model.release import Release, Revision

VARIABLE = "ZDD_CONFIGURATION"
"""The environment variable of an instance that holds the hash."""

KEPT_S = 24 * 3600.0
"""For how long a configuration is kept that no revision needs: it may be about to be deployed."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")
_HASH = re.compile(r"[0-9a-f]{16}")
_OPERATIONS_MOST = 64
_MARK = ".published"


class ConsulConfiguration:
    """The configurations of services, as a deploying script needs them.

    Args:
        connection: The agent that is asked.
        prefix: What zdd's keys begin with.
        now: Tells the time in seconds since the epoch.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(
        self, connection: ConsulConnection, *, prefix: str = DEFAULT_PREFIX, now: Callable[[], float] = time.time
    ) -> None:
        self._store = Store(connection, prefix)
        self._now = now

    def publish(self, service: str, values: Any) -> str:
        """Write a configuration, each key's value as JSON under its own key, and return its hash.

        The same content has the same hash, and is there once.

        Args:
            service: The service's name.
            values: Key → text, number, truth value, list or mapping; or an object of an attrs class.

        Raises:
            ConfigurationError: A key is none, a value can't be written as JSON, or no service has such a name.
            TemporaryError, PermanentError, OutcomeUnknown: As of Consul. To publish again does no harm.
        """
        texts = _texts(asdict(values) if has(type(values)) else values)
        name = _hash_of(texts)
        folder = folder_of(self._store, service, name)
        there = {entry.key: entry for entry in self._store.under(folder)}
        wanted = {folder + key: text.encode() for key, text in texts.items()}
        mark = there.get(folder + _MARK, Entry(folder + _MARK))
        operations = [replace(mark, encode_record(published_s=self._now()))]  # its keeping begins anew
        for key, value in wanted.items():
            entry = there.get(key, Entry(key))
            if entry.value != value or not entry.index:
                operations.append(replace(entry, value))
        for start in range(0, len(operations), _OPERATIONS_MOST):
            if not self._store.commit(operations[start : start + _OPERATIONS_MOST]):
                raise OutcomeUnknown(f"configuration {name} of {service} is being written twice", settles_within_s=0.0)
        return name

    def configure(self, release: Release, name: str) -> Release:
        """Return the release with the hash in its environment.

        Raises:
            ConfigurationError: The workload has no environment, or that is no hash.
        """
        _check_hash(name)
        environment = release.workload.get("environment")
        if not isinstance(environment, Mapping):
            raise ConfigurationError(f"the workload of {release.version} has no environment to put {VARIABLE} into")
        return evolve(release, workload={**release.workload, "environment": {**environment, VARIABLE: name}})

    def read(self, service: str, name: str) -> dict[str, Any]:
        """Return a configuration by its hash. Raises as `ConfigurationReader.values` does."""
        return read_values(self._store, service, name)

    def point(self, service: str, name: str) -> None:
        """Let ``current`` name this configuration: for what may change while an instance runs.

        Raises:
            ConfigurationError: There is none of that name.
            TemporaryError, PermanentError, OutcomeUnknown: As of Consul.
        """
        self.read(service, name)
        for _ in range(8):
            entry = self._store.get(pointer_of(self._store, service))
            if self._store.commit([replace(entry, name.encode())]):
                return
        raise OutcomeUnknown(f"current of {service} is being changed by many at once", settles_within_s=0.0)

    def names(self, service: str) -> tuple[str, ...]:
        """Return the hashes of the configurations that are there, sorted."""
        return tuple(self._store.folders(_folder_of_all(self._store, service)))

    def clean(self, service: str, revisions: Iterable[Revision], *, kept_s: float = KEPT_S) -> tuple[str, ...]:
        """Remove what none of the revisions needs, `current` does not name, and nobody published lately.

        Args:
            service: The service's name.
            revisions: All that may be deployed again, such as those of ``deployer.history(service)``.
            kept_s: For how long what was published is kept in any case, in seconds.

        Returns:
            The hashes of what was removed.
        """
        used = list_of("revisions", revisions, "[revision]")
        for revision in used:
            check_kind("one of the revisions", revision, Revision, "those of the plans in the history of the service")
        needed = {configuration_of(revision) for revision in used}
        needed.add(self._store.get(pointer_of(self._store, service)).value.decode(errors="replace"))
        removed = []
        for name in self.names(service):
            folder = folder_of(self._store, service, name)
            mark = self._store.get(folder + _MARK)
            published_s = mark.record().get("published_s", 0.0)
            if name in needed or self._now() < published_s + kept_s:
                continue
            # If it is published again in this moment, its mark is another one, and it stays.
            check: Operation = {"KV": {"Verb": "delete-tree", "Key": folder}}
            unchanged: Operation = {"KV": {"Verb": "check-index", "Key": mark.key, "Index": mark.index}}
            if self._store.commit([unchanged, check] if mark.index else [check]):
                removed.append(name)
        return tuple(removed)

    def policy(self, service: str) -> str:
        """Return the rule that a deploying script's token needs besides, in HCL."""
        return f'key_prefix "{self._store.prefix}/config/{service}/" {{ policy = "write" }}\n'


class ConfigurationReader:
    """The configuration of one instance, as the application reads it.

    Args:
        connection: The agent that is asked.
        service: The service's name.
        name: The hash: ``os.environ["ZDD_CONFIGURATION"]``.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix or the hash is illegal.
    """

    def __init__(self, connection: ConsulConnection, service: str, name: str, *, prefix: str = DEFAULT_PREFIX) -> None:
        self._store = Store(connection, prefix)
        self._service = service
        self._name = _check_hash(name)

    def values(self) -> dict[str, Any]:
        """Return key → value.

        Raises:
            ConfigurationError: There is none, or it is not what was published.
            TemporaryError: Consul can't be reached.
            PermanentError: Consul refuses.
        """
        return read_values(self._store, self._service, self._name)

    def read(self, kind: type[Settings]) -> Settings:
        """Return it as an object of a frozen attrs class. Raises as `values` and `convert` do."""
        return convert(self.values(), kind, f"configuration {self._name} of {self._service}")

    def watch(self, kind: type[Settings], stopped: threading.Event) -> Iterator[Settings]:
        """Give what ``current`` names, and then every other configuration that it names, until it is stopped.

        While nothing is named, nothing is given. Raises as `read` does.
        """
        query = BlockingQuery(self._store.connection, f"/v1/kv/{pointer_of(self._store, self._service)}")
        for answer in query.changes(stopped):
            if answer.status == NOT_FOUND:
                continue
            (entry,) = parse_entries(answer.json(list))
            name = _check_hash(entry.value.decode(errors="replace"))
            yield convert(read_values(self._store, self._service, name), kind, f"configuration {name}")

    def policy(self) -> str:
        """Return the rule that the application's token needs, in HCL."""
        return f'key_prefix "{self._store.prefix}/config/{self._service}/" {{ policy = "read" }}\n'


def configuration_of(revision: Revision) -> str:
    """Return the hash of the configuration that a revision runs with; empty if it has none."""
    environment = revision.workload.get("environment")
    return str(environment.get(VARIABLE, "")) if isinstance(environment, Mapping) else ""


def folder_of(store: Store, service: str, name: str) -> str:
    """Return what the keys of a configuration begin with."""
    return f"{_folder_of_all(store, service)}{_check_hash(name)}/"


def pointer_of(store: Store, service: str) -> str:
    """Return the key that names the current configuration."""
    return f"{_folder_of_all(store, service)}current"


def _folder_of_all(store: Store, service: str) -> str:
    return f"{store.prefix}/config/{check_name('service name', service)}/"


def read_values(store: Store, service: str, name: str) -> dict[str, Any]:
    """Return a configuration by its hash. Raises as `ConfigurationReader.values` does."""
    folder = folder_of(store, service, name)
    entries = [entry for entry in store.under(folder) if entry.key != folder + _MARK]
    texts = {entry.key.removeprefix(folder): entry.value.decode(errors="replace") for entry in entries}
    if not texts:
        raise ConfigurationError(f"{service} has no configuration {name}: publish it")
    if _hash_of(texts) != name:
        raise ConfigurationError(
            f"configuration {name} of {service} is not what was published: a key was changed, added or removed under "
            f"{folder}. Publish it again"
        )
    return {key: json.loads(text) for key, text in texts.items()}


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, Mapping) or not values:
        raise ConfigurationError(f"configuration {values!r}: use a mapping with at least one key, or an attrs object")
    texts = {}
    for key, value in values.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ConfigurationError(f"configuration key {key!r}: use letters, digits, '_', '.' and '-'")
        try:
            texts[key] = json.dumps(value, allow_nan=False, sort_keys=True, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"configuration key {key!r} can't be written as JSON: {error}") from None
    return texts


def _hash_of(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(texts), sort_keys=True).encode()).hexdigest()[:16]


def _check_hash(name: str) -> str:
    if not isinstance(name, str) or not _HASH.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no hash of a configuration: use what `publish` returned, or ${VARIABLE}")
    return name
