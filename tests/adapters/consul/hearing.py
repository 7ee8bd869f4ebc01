"""Events to fire, and what of them is heard: shared by the tests of events, news and subscriptions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.news import DeploymentNews
from zdd.adapters.consul.subscription import ConsulSubscription
from zdd.events import StagePassed


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
