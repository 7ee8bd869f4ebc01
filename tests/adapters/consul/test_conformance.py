"""The conformance kit on a real Consul."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import pytest
from attrs import define, field

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.model.service import Exposure, Service
from zdd.testing import (
    CONTROL_RULES,
    DISCOVERY_RULES,
    JOURNAL_RULES,
    LEASE_RULES,
    Conditions,
    Rule,
    check_control,
    check_discovery,
    check_journal,
    check_lease,
)

SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")))
T = TypeVar("T")


@define(eq=False)
class Maker(Generic[T]):
    """Makes adapters of one kind, each with keys that nobody uses, and others that know only the keys of one."""

    kind: Callable[..., T]
    connection: ConsulConnection
    prefixes: Callable[[], str]
    used: dict[int, str] = field(factory=dict)

    def make(self) -> T:
        prefix = self.prefixes()
        made = self.kind(self.connection, prefix=prefix)
        self.used[id(made)] = prefix
        return made

    def again(self, other: T) -> T:
        return self.kind(ConsulConnection(address=self.connection.address), prefix=self.used[id(other)])


def names(rules: Iterable[Rule[Any]]) -> set[str]:
    return {rule.name for rule in rules}


@pytest.mark.timeout(400)
def test_the_discovery_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    maker = Maker(ConsulDiscovery, connection, prefixes)
    conditions = Conditions(service=SERVICE, steady_s=0.1)
    assert set(check_discovery(maker.make, conditions, again=maker.again)) == names(DISCOVERY_RULES)


@pytest.mark.timeout(400)
def test_the_journal_keeps_every_rule(agent: Any, connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    maker = Maker(ConsulJournal, connection, prefixes)

    def damage(journal: ConsulJournal) -> None:
        path = f"/v1/kv/{maker.used[id(journal)]}/events/web/000000000001"
        value = base64.b64decode(agent.ask("GET", path)[0]["Value"])
        changed = value.replace(rb"\"t\"", rb"\"x\"")
        assert changed != value
        agent.ask("PUT", path, changed)

    assert set(check_journal(maker.make, again=maker.again, damage=damage)) == names(JOURNAL_RULES)


@pytest.mark.timeout(400)
def test_the_lease_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    maker = Maker(ConsulLease, connection, prefixes)
    assert set(check_lease(maker.make, again=maker.again)) == names(LEASE_RULES)


@pytest.mark.timeout(400)
def test_the_control_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    maker = Maker(ConsulControl, connection, prefixes)
    assert set(check_control(maker.make, again=maker.again)) == names(CONTROL_RULES)
