"""Orders through a real Consul."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd import Deployer, DeploymentFailed, Process, Release, RollingUpdate, Service
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.errors import OutcomeUnknown, PermanentError, TemporaryError
from zdd.events import Event, Ordered, StageEntered
from zdd.model.order import Order, OrderKind

PAUSE = Order(OrderKind.PAUSE, "web-1", "ann@host:1", 1.0)
WORKER = Service("worker", exposures=(), replicas=2, cells=2, start_deadline_s=2, stop_grace_s=1)


def release(version: str) -> Release:
    return Release(version, Process([sys.executable, "-c", "import time; time.sleep(600)"], {"VERSION": version}))


def test_a_deployment_obeys_orders_that_come_through_consul(agent: Any, prefix: str, tmp_path: Path) -> None:
    def deployer(*listeners: Callable[[Event], None]) -> Deployer:
        connection = ConsulConnection(address=agent.address)
        return Deployer(
            LocalOrchestrator(tmp_path),
            ConsulDiscovery(connection, prefix=prefix),
            journal=ConsulJournal(connection, prefix=prefix),
            lease=ConsulLease(connection, prefix=prefix),
            control=ConsulControl(connection, prefix=prefix),
            listeners=listeners,
        )

    def listen(event: Event) -> None:
        if isinstance(event, StageEntered):
            entered.set()
        if isinstance(event, Ordered):
            heeded.append(event)
            ordered.release()

    entered, ordered = threading.Event(), threading.Semaphore(0)
    heeded: list[Ordered] = []
    failures: list[DeploymentFailed] = []

    def deploy() -> None:
        try:
            deployer(listen).deploy(WORKER, release("2.0"), RollingUpdate(1, hold_s=60))
        except DeploymentFailed as failure:
            failures.append(failure)

    operator = deployer()
    operator.deploy(WORKER, release("1.0"))
    running = threading.Thread(target=deploy)
    running.start()
    try:
        assert entered.wait(20)
        for give in (operator.pause, operator.resume, operator.promote, operator.abort):
            give("worker")
            assert ordered.acquire(timeout=20)
        running.join(30)
        assert not running.is_alive()
    finally:
        LocalOrchestrator(tmp_path).stop_everything(0.5)
    assert [(one.order.kind.value, one.note) for one in heeded] == [
        ("pause", ""),
        ("resume", ""),
        ("promote", ""),
        ("abort", ""),
    ]
    assert "aborted by" in failures[0].report.reason
    assert failures[0].report.outcome is not None
    assert failures[0].report.outcome.value == "rolled back"


def test_an_order_without_an_answer_is_there_once(own_agent: Any, own_connection: ConsulConnection) -> None:
    control = ConsulControl(own_connection)
    own_agent.pause()
    try:
        with pytest.raises(OutcomeUnknown, match="/v1/txn"):
            control.send("web", PAUSE)
    finally:
        own_agent.go_on()
    control.send("web", PAUSE)
    assert control.orders("web", "web-1") == (PAUSE,)


@pytest.mark.parametrize("value", ["", "nonsense", json.dumps({"format": 1, "kind": "explode"}), json.dumps([1])])
def test_what_others_wrote_there_is_named(agent: Any, connection: ConsulConnection, prefix: str, value: str) -> None:
    agent.ask("PUT", f"/v1/kv/{prefix}/control/web/web-1/x", value.encode())
    with pytest.raises(PermanentError, match=f"{prefix}/control/web/web-1/x"):
        ConsulControl(connection, prefix=prefix).orders("web", "web-1")


def test_an_order_that_is_kept_was_given_though_old_ones_could_not_be_forgotten(
    connection: ConsulConnection, prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    control = ConsulControl(connection, prefix=prefix)

    def away(prefix: str) -> None:
        raise TemporaryError("Consul can't be reached any more")

    with monkeypatch.context() as patch:
        patch.setattr(control._store, "under", away)
        control.send("web", PAUSE)
    assert control.orders("web", "web-1") == (PAUSE,)
    assert "zdd.orders_not_forgotten" in caplog.text
