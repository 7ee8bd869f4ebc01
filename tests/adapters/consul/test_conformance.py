"""The conformance kit on a real Consul."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.interfaces import Control, Discovery, Journal, Lease
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


def names(rules: Iterable[Rule[Any]]) -> set[str]:
    return {rule.name for rule in rules}


@pytest.mark.timeout(120)
def test_the_discovery_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    used: dict[int, str] = {}

    def make() -> Discovery:
        prefix = prefixes()
        discovery = ConsulDiscovery(connection, prefix=prefix)
        used[id(discovery)] = prefix
        return discovery

    def again(discovery: Discovery) -> Discovery:
        return ConsulDiscovery(ConsulConnection(address=connection.address), prefix=used[id(discovery)])

    conditions = Conditions(service=SERVICE, steady_s=0.1)
    assert set(check_discovery(make, conditions, again=again)) == names(DISCOVERY_RULES)


@pytest.mark.timeout(120)
def test_the_journal_keeps_every_rule(agent: Any, connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    used: dict[int, str] = {}

    def make() -> Journal:
        prefix = prefixes()
        journal = ConsulJournal(connection, prefix=prefix)
        used[id(journal)] = prefix
        return journal

    def again(journal: Journal) -> Journal:
        return ConsulJournal(ConsulConnection(address=connection.address), prefix=used[id(journal)])

    def damage(journal: Journal) -> None:
        path = f"/v1/kv/{used[id(journal)]}/events/web/000000000001"
        value = base64.b64decode(agent.ask("GET", path)[0]["Value"])
        changed = value.replace(rb"\"t\"", rb"\"x\"")
        assert changed != value
        agent.ask("PUT", path, changed)

    assert set(check_journal(make, again=again, damage=damage)) == names(JOURNAL_RULES)


@pytest.mark.timeout(120)
def test_the_lease_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    used: dict[int, str] = {}

    def make() -> Lease:
        prefix = prefixes()
        lease = ConsulLease(connection, prefix=prefix)
        used[id(lease)] = prefix
        return lease

    def again(lease: Lease) -> Lease:
        return ConsulLease(ConsulConnection(address=connection.address), prefix=used[id(lease)])

    assert set(check_lease(make, again=again)) == names(LEASE_RULES)


@pytest.mark.timeout(120)
def test_the_control_keeps_every_rule(connection: ConsulConnection, prefixes: Callable[[], str]) -> None:
    used: dict[int, str] = {}

    def make() -> Control:
        prefix = prefixes()
        control = ConsulControl(connection, prefix=prefix)
        used[id(control)] = prefix
        return control

    def again(control: Control) -> Control:
        return ConsulControl(ConsulConnection(address=connection.address), prefix=used[id(control)])

    assert set(check_control(make, again=again)) == names(CONTROL_RULES)
