"""Events of deployments that a real Consul carries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zdd import Deployer, Release, Service
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.news import DeploymentNews
from zdd.adapters.consul.subscription import ConsulSubscription
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.errors import ConfigurationError, TemporaryError
from zdd.events import Ordered, StageEntered, StagePassed, Waited
from zdd.model.order import Order, OrderKind


def passed(number: int, service: str = "web", title: str = "t") -> StagePassed:
    return StagePassed(at_s=1000.0 + number, service=service, deployment=f"{service}-1", stage=number, title=title)


def stages(news: list[DeploymentNews]) -> list[object]:
    return [one.details.get("stage") for one in news]


def take(subscription: ConsulSubscription, count: int) -> list[DeploymentNews]:
    """Return so many of them, which must come within 20 s."""
    late = threading.Timer(20.0, subscription.close)
    late.start()
    found = []
    for news in subscription:
        found.append(news)
        if len(found) == count:
            break
    late.cancel()
    assert len(found) == count
    return found


@contextmanager
def ended(events: ConsulEvents) -> Iterator[ConsulEvents]:
    try:
        yield events
    finally:
        events.close()


@pytest.fixture
def fire(connection: ConsulConnection, prefix: str) -> Iterator[ConsulEvents]:
    with ended(ConsulEvents(connection, prefix=prefix)) as events:
        yield events


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


def test_each_is_given_once_and_only_what_comes_after_the_subscription(
    fire: ConsulEvents, connection: ConsulConnection, prefix: str
) -> None:
    early = ConsulSubscription(connection, "web", prefix=prefix)
    fire(passed(1))
    assert stages(take(early, 1)) == [1]
    late = ConsulSubscription(connection, "web", prefix=prefix)
    fire(passed(2))
    fire(Waited(at_s=1.0, service="web", deployment="web-1", reasons=("x",), until_s=2.0))
    fire(passed(3, "other"))
    fire(passed(3))
    for subscription in (early, late):
        news = take(subscription, 2)
        assert stages(news) == [2, 3]
        assert [one.missed for one in news] == [0, 0]


def test_all_services_can_be_heard_at_once(fire: ConsulEvents, connection: ConsulConnection, prefix: str) -> None:
    subscription = ConsulSubscription(connection, prefix=prefix)
    fire(passed(1, "web"))
    fire(passed(2, "app"))
    assert [one.service for one in take(subscription, 2)] == ["web", "app"]


def test_what_is_too_long_is_cut_and_an_order_says_who_gave_it(
    fire: ConsulEvents, connection: ConsulConnection, prefix: str
) -> None:
    service = "s" + 61 * "x" + "s"
    subscription = ConsulSubscription(connection, prefix=prefix)
    order = Order(OrderKind.ABORT, "web-1", "ana@host:1", 1.0)
    fire(StageEntered(at_s=1.0, service=service, deployment=f"{service}-12", stage=1, stages=2, title=2000 * "ö"))
    fire(StageEntered(at_s=1.0, service="web", deployment="web-1", stage=1, stages=2, title=2000 * "x"))
    fire(Ordered(at_s=1.0, service="web", deployment="web-1", order=order))
    long, short, ordered = take(subscription, 3)
    assert (long.service, long.deployment, long.kind) == (service, f"{service}-12", "stage entered")
    assert short.details["title"] == 79 * "x" + "…"
    assert ordered.details == {"order": "abort", "by": "ana@host:1", "note": ""}


def test_events_of_others_are_no_news(
    agent: Any, fire: ConsulEvents, connection: ConsulConnection, prefix: str
) -> None:
    subscription = ConsulSubscription(connection, "web", prefix=prefix)
    for payload in (b"", b"\xff", b"[]", b"{}", b'{"v": 2}', b'{"v": 1, "w": []}'):
        agent.ask("PUT", f"/v1/event/fire/{prefix}-web", payload)
    fire(passed(1))
    assert stages(take(subscription, 1)) == [1]


def test_what_came_and_went_between_two_looks_is_counted(
    agent: Any, fire: ConsulEvents, connection: ConsulConnection, prefix: str
) -> None:
    subscription = ConsulSubscription(connection, "web", prefix=prefix)
    numbers = list(range(300))
    for number in numbers[:150]:
        fire(passed(number))
    deadline = time.monotonic() + 20.0
    while len(agent.ask("GET", f"/v1/event/list?name={prefix}-web")) < 150:
        assert time.monotonic() < deadline, "the first half is not fired"
        time.sleep(0.02)
    for number in numbers[150:]:  # never so many at once that one is left out on this side
        fire(passed(number))
    fire.close(20.0)
    news = take(subscription, 256)
    assert stages(news) == numbers[-256:]
    assert [one.missed for one in news] == [44] + 255 * [0]


def test_while_consul_is_away_nothing_is_held_up_and_what_waits_is_fired_later(
    own_agent: Any, own_connection: ConsulConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with ended(ConsulEvents(own_connection)) as fire:
        subscription = ConsulSubscription(own_connection, "web")
        heard: list[DeploymentNews] = []
        subscription.call(heard.append)
        fire(passed(0))
        deadline = time.monotonic() + 20
        while len(heard) < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        own_agent.kill()
        began_s = time.monotonic()
        for number in range(1, 21):
            fire(passed(number))
        assert time.monotonic() - began_s < 0.2
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
    assert time.monotonic() - began_s < 2.0
    with pytest.raises(TemporaryError, match="can't be reached"):
        ConsulSubscription(nobody, "web")


def test_a_callback_that_raises_is_called_again_and_nobody_is_after_the_end(
    fire: ConsulEvents, connection: ConsulConnection, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[DeploymentNews] = []
    three = threading.Event()

    def callback(news: DeploymentNews) -> None:
        heard.append(news)
        if len(heard) == 3:
            three.set()
        raise ValueError("nonsense")

    with ConsulSubscription(connection, "web", prefix=prefix) as subscription:
        subscription.call(callback)
        for number in range(3):
            fire(passed(number))
        assert three.wait(20)
    fire(passed(3))
    fire.close(20.0)
    assert len(heard) == 3
    assert "subscriber_failed" in caplog.text
    assert not [thread for thread in threading.enumerate() if thread is subscription._calling]


def test_who_iterates_is_let_go_when_it_is_closed(connection: ConsulConnection, prefix: str) -> None:
    subscription = ConsulSubscription(connection, "web", prefix=prefix)
    threading.Timer(0.2, subscription.close).start()
    began_s = time.monotonic()
    assert list(subscription) == []
    assert time.monotonic() - began_s < 3.0


def test_a_name_that_consul_can_not_carry_is_refused(connection: ConsulConnection) -> None:
    with pytest.raises(ConfigurationError, match="use a shorter prefix"):
        ConsulSubscription(connection, "web", prefix=130 * "x")


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
