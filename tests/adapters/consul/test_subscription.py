"""Who subscribes to events of a real Consul hears each once, and of what is missed how many there were."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.news import DeploymentNews
from zdd.adapters.consul.subscription import ConsulSubscription
from zdd.errors import ConfigurationError
from zdd.events import Waited

sys.path.append(str(Path(__file__).parent))
from hearing import passed, stages, take


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


def test_what_came_and_went_between_two_looks_is_counted(
    agent: Any, fire: ConsulEvents, connection: ConsulConnection, prefix: str
) -> None:
    subscription = ConsulSubscription(connection, "web", prefix=prefix)
    numbers = list(range(300))
    for number in numbers[:150]:
        fire(passed(number))
    deadline = time.monotonic() + 60
    while len(agent.ask("GET", f"/v1/event/list?name={prefix}-web")) < 150:
        assert time.monotonic() < deadline, "the first half is not fired"
        time.sleep(0.02)
    for number in numbers[150:]:  # never so many at once that one is left out on this side
        fire(passed(number))
    fire.close(20.0)
    news = take(subscription, 256)
    assert stages(news) == numbers[-256:]
    assert [one.missed for one in news] == [44] + 255 * [0]


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
    assert time.monotonic() - began_s < 30.0


def test_a_name_that_consul_can_not_carry_is_refused(connection: ConsulConnection) -> None:
    with pytest.raises(ConfigurationError, match="use a shorter prefix"):
        ConsulSubscription(connection, "web", prefix=130 * "x")
