"""What of an event a real Consul carries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.events import ConsulEvents
from zdd.adapters.consul.subscription import ConsulSubscription
from zdd.events import Ordered, StageEntered
from zdd.model.order import Order, OrderKind

sys.path.append(str(Path(__file__).parent))
from hearing import passed, stages, take


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
