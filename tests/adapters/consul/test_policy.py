"""A deployment with the policy that zdd prints, under an agent that permits nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.errors import ConfigurationError, JournalError, PermanentError
from zdd.events import StagePassed
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.order import Order, OrderKind
from zdd.model.service import Service
from zdd.model.traffic import Registration

EVENT = StagePassed(at_s=1.0, service="web", deployment="d", stage=0, title="t")

ORDER = Order(OrderKind.PAUSE, "d", "ann@host:1", 1.0)

Connect = Callable[[str], ConsulConnection]


def printed(guarded_agent: Any, service: Service) -> str:
    return ConsulDiscovery(ConsulConnection(address=guarded_agent.address)).policy(service)


def everything(connection: ConsulConnection, service: Service, registration: Registration) -> None:
    """Do once whatever a deployment does."""
    discovery, lease, journal = ConsulDiscovery(connection), ConsulLease(connection), ConsulJournal(connection)
    discovery.check(service)
    control = ConsulControl(connection)
    fence = lease.acquire(service.name, "ann@host:1", 60.0)
    discovery.claim(service, fence)
    journal.append(service.name, EVENT, fence)
    for weight in (500, 0, 500):
        route = Route((Registration(**{**vars_of(registration), "weight": weight}),), held=weight == 0)
        discovery.apply(service, route, fence)
        assert discovery.registrations(service) == (route.registrations, route.held)
    control.send(service.name, ORDER)
    assert control.orders(service.name, "d") == (ORDER,)
    discovery.apply(service, Route(()), fence)
    assert discovery.registrations(service) == ((), False)
    lease.renew(service.name, fence, 60.0)
    assert lease.holder(service.name) is not None
    lease.release(service.name, fence)
    assert journal.read(service.name) == (EVENT,)
    assert journal.services() == (service.name,)


def vars_of(registration: Registration) -> dict[str, Any]:
    return {name: getattr(registration, name) for name in Registration.__annotations__}


def test_the_printed_policy_is_enough(
    guarded_agent: Any, connect: Connect, service: Service, make_registration: Callable[..., Registration]
) -> None:
    everything(connect(printed(guarded_agent, service)), service, make_registration(1, 1))


def test_the_printed_policy_names_everything_exactly(guarded_agent: Any) -> None:
    policy = printed(guarded_agent, Service("web"))
    assert [line.partition("  #")[0] for line in policy.splitlines()] == [
        "# What zdd needs to deploy web.",
        'service "web" { policy = "write" }',
        'key_prefix "zdd/heads/web/" { policy = "write" }',
        'key_prefix "zdd/events/web/" { policy = "write" }',
        'key_prefix "zdd/control/web/" { policy = "write" }',
        'session_prefix "" { policy = "write" }',
        'node_prefix "" { policy = "read" }',
    ]


def test_with_the_policy_of_an_operator_orders_can_be_given_and_nothing_else(
    guarded_agent: Any, connect: Connect, service: Service
) -> None:
    management = ConsulConnection(address=guarded_agent.address, token=guarded_agent.token)
    fence = ConsulLease(management).acquire(service.name, "ann@host:1", 60.0)
    ConsulJournal(management).append(service.name, EVENT, fence)
    connection = connect(ConsulControl(management).policy(service.name))
    assert ConsulJournal(connection).read(service.name) == (EVENT,)
    assert ConsulLease(connection).holder(service.name) is not None
    ConsulControl(connection).send(service.name, ORDER)
    assert ConsulControl(management).orders(service.name, "d") == (ORDER,)
    with pytest.raises(JournalError, match="not permitted"):
        ConsulJournal(connection).append(service.name, EVENT, fence)
    with pytest.raises(PermanentError, match="not permitted"):
        ConsulLease(connection).renew(service.name, fence, 60.0)
    ConsulLease(management).release(service.name, fence)


@pytest.mark.parametrize("number", range(7))
def test_no_line_of_the_printed_policy_can_be_spared(
    guarded_agent: Any, connect: Connect, service: Service, make_registration: Callable[..., Registration], number: int
) -> None:
    lines = [line for line in printed(guarded_agent, service).splitlines() if not line.startswith("#")]
    missing = lines.pop(number).partition("  #")[0]
    connection = connect("\n".join(lines))
    with pytest.raises((ConfigurationError, PermanentError), match=re.escape(missing)):
        everything(connection, service, make_registration(1, 1))


def test_with_the_rights_of_another_service_nothing_is_touched_and_every_missing_one_is_named(
    guarded_agent: Any, connect: Connect, service: Service, make_registration: Callable[..., Registration]
) -> None:
    discovery = ConsulDiscovery(connect(printed(guarded_agent, Service("another"))))
    with pytest.raises(ConfigurationError) as caught:
        discovery.check(service)
    for rule in (f'service "{service.name}"', f'key_prefix "zdd/heads/{service.name}/"'):
        assert rule in str(caught.value)
    with pytest.raises(PermanentError, match=f'key_prefix "zdd/heads/{service.name}/"'):
        discovery.apply(service, Route((make_registration(1, 1),)), Fence(1, "ann"))
    assert guarded_agent.ask("GET", f"/v1/health/service/{service.name}") == []


def test_a_wrong_token_is_told_as_such_and_not_shown(guarded_agent: Any, service: Service) -> None:
    token = "deadbeef-0000-4000-8000-000000000000"  # noqa: S105 - nobody's
    connection = ConsulConnection(address=guarded_agent.address, token=token)
    with pytest.raises(ConfigurationError, match="Consul does not know the token") as caught:
        ConsulDiscovery(connection).check(service)
    assert token not in str(caught.value)
    with pytest.raises(PermanentError, match="Consul does not know the token"):
        ConsulLease(connection).acquire(service.name, "ann", 60.0)
    with pytest.raises(JournalError, match="Consul does not know the token"):
        ConsulJournal(connection).append(service.name, EVENT, Fence(1, "ann"))


def test_without_a_token_nothing_can_be_seen_and_that_is_not_taken_for_nothing(
    guarded_agent: Any, service: Service
) -> None:
    discovery = ConsulDiscovery(ConsulConnection(address=guarded_agent.address))
    with pytest.raises(ConfigurationError, match=r'may see no node\. It needs: node_prefix ""'):
        discovery.check(service)
    with pytest.raises(PermanentError, match="not permitted"):
        discovery.registrations(service)
