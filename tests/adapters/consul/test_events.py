"""Events of deployments that a real Consul carries."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd import Deployer, Release, Service
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.news import DeploymentNews
from zdd.adapters.consul.subscription import ConsulSubscription
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.errors import TemporaryError

sys.path.append(str(Path(__file__).parent))
from hearing import ended, passed, stages, take


def test_a_whole_deployment_is_heard_in_order(fire: ConsulEvents, connection: ConsulConnection, prefix: str) -> None:
    subscription = ConsulSubscription(connection, "shop", prefix=prefix)
    deployer = Deployer.in_memory(MemoryWorld(), listeners=[fire])
    report = deployer.deploy(Service("shop", replicas=2), Release("1.0", Behaviour()))
    happened = [event for event in report.events if not isinstance(event, fire._leave_out)]
    news = take(subscription, len(happened))
    assert [(one.at_s, one.service, one.deployment) for one in news] == [
        (round(event.at_s, 3), "shop", report.deployment) for event in happened
    ]
    assert (news[0].kind, news[0].details["to_version"]) == ("deployment started", "1.0")
    assert (news[-1].kind, news[-1].details["outcome"]) == ("deployment ended", "succeeded")
    assert {one.missed for one in news} == {0}


def test_while_consul_is_away_nothing_is_held_up_and_what_waits_is_fired_later(
    own_agent: Any, own_connection: ConsulConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with ended(ConsulEvents(own_connection)) as fire:
        subscription = ConsulSubscription(own_connection, "web")
        heard: list[DeploymentNews] = []
        subscription.call(heard.append)
        fire(passed(0))
        deadline = time.monotonic() + 60
        while len(heard) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        own_agent.kill()
        began_s = time.monotonic()
        for number in range(1, 21):
            fire(passed(number))
        assert time.monotonic() - began_s < 5.0
        while "events_not_fired" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.02)
        own_agent.start()
        while len(heard) < 21 and time.monotonic() < deadline:
            time.sleep(0.02)
        subscription.close()
    assert stages(heard) == list(range(21))
    assert {one.missed for one in heard} == {0}
    assert sum("events_not_fired" in record.message for record in caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING


def test_a_deployment_goes_on_without_consul_and_its_end_is_not_held_up_for_long(connection: ConsulConnection) -> None:
    nobody = ConsulConnection(address="http://127.0.0.1:1", connect_timeout_s=0.2)
    events = ConsulEvents(nobody)
    report = Deployer.in_memory(MemoryWorld(), listeners=[events]).deploy(Service("web"), Release("1", Behaviour()))
    assert report.succeeded
    began_s = time.monotonic()
    events.close()
    assert time.monotonic() - began_s < 20.0
    with pytest.raises(TemporaryError, match="can't be reached"):
        ConsulSubscription(nobody, "web")


# -- rights ------------------------------------------------------------------------------------------------------------


def test_with_the_printed_policies_events_are_fired_and_heard(
    guarded_agent: Any, connect: Callable[[str], ConsulConnection], prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = ConsulConnection(address=guarded_agent.address)
    rules = ConsulEvents(nobody, prefix=prefix).policy("web")
    one, every = ConsulSubscription(nobody, "web", prefix=prefix), ConsulSubscription(nobody, prefix=prefix)
    assert rules == f'event "{prefix}-web" {{ policy = "write" }}\n'
    assert one.policy() == f'event "{prefix}-web" {{ policy = "read" }}\n'
    assert every.policy() == f'event_prefix "{prefix}-" {{ policy = "read" }}\n'
    subscriptions = [
        ConsulSubscription(connect(one.policy()), "web", prefix=prefix),
        ConsulSubscription(connect(every.policy()), prefix=prefix),
    ]
    with ended(ConsulEvents(connect(rules), prefix=prefix)) as fire:
        fire(passed(0, "another"))
        fire(passed(1))
        for subscription in subscriptions:
            assert stages(take(subscription, 1)) == [1]
    assert f'The token needs: event "{prefix}-another" {{ policy = "write" }}' in caplog.text
