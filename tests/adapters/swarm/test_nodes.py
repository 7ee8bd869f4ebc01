"""A swarm of three managers, each an engine on a machine of its own, of which the leader crashes in the middle."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd import Deployer, HttpGate, Release, RollingUpdate, Service
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.images import Images
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.errors import PermanentError
from zdd.events import CommandAnswered, Event, Outcome
from zdd.model.action import ActionContext

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from nodes import Nodes, start_nodes
from packages import NoLab
from strict_clients import Load

CONTEXT = ActionContext("web", "web-1", "", "1")
HEALTH = {
    "Test": ["CMD-SHELL", "wget -qO- http://127.0.0.1:$PORT/health"],
    "Interval": 200_000_000,
    "Timeout": 2_000_000_000,
    "Retries": 50,
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three machines, of which nothing is left afterwards."""
    try:
        made = start_nodes(tmp_path_factory.mktemp("nodes"), managers=3)
    except NoLab as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        made.stop()
    assert made.left() == []


def release(nodes: Nodes, version: str) -> Release:
    """A release whose tasks run everywhere but on the first manager."""
    spec = {
        "TaskTemplate": {
            "ContainerSpec": {"Healthcheck": HEALTH},
            "Placement": {"Constraints": ["node.hostname != manager-1"]},
        }
    }
    return Release(version, Container(nodes.image, ports={"http": 8080}, service_spec=spec))


@pytest.mark.timeout(240)
def test_the_leader_may_crash_in_the_middle(nodes: Nodes, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    leader, entrance = nodes.managers[0], nodes.managers[1]
    assert nodes.leader() is leader
    crashed: list[threading.Thread] = []

    def crash(event: Event) -> None:
        if isinstance(event, CommandAnswered) and load.answers and not crashed:
            crashed.append(threading.Thread(target=lambda: (leader.crash(), leader.start())))
            crashed[0].start()

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = TraefikProxy(tmp_path, port=port)
    load = Load(proxy.address)
    service = Service(
        "web", replicas=2, cells=2, gates=(HttpGate("/health"),),
        stop_grace_s=2.0, drain_deadline_s=1.5, start_deadline_s=90.0,
    )  # fmt: skip
    with contextlib.closing(SwarmOrchestrator(entrance.engine)) as orchestrator:
        deployer = Deployer(
            orchestrator, TraefikDiscovery(proxy), [TraefikEdge(proxy)],
            journal=SqliteJournal(tmp_path / "journal"), lease=SqliteLease(tmp_path / "journal"), listeners=[crash],
        )  # fmt: skip
        try:
            deployer.deploy(service, release(nodes, "1"))
            load.start()
            wait_until(lambda: load.answers["1"], "requests are served")
            report = deployer.deploy(service, release(nodes, "2"), RollingUpdate())
        finally:
            load.end()
            proxy.stop()
            for thread in crashed:
                thread.join()
    assert report.outcome is Outcome.SUCCEEDED
    assert load.lost == []
    assert load.answers["2"]
    assert crashed
    wait_until(lambda: nodes.ready() == {"manager-1", "manager-2", "manager-3"}, "the crashed one is back", 60)


def test_every_node_pulls_or_is_named(nodes: Nodes) -> None:
    entrance = nodes.managers[1].engine
    with contextlib.closing(Images(entrance)) as images:
        pinned = images.pin(nodes.image)
    assert PullEverywhere(pinned, entrance, deadline_s=60).run(CONTEXT) == f"3 nodes have {pinned}"
    absent = f"{nodes.registry}/shop/nothing@sha256:{'0' * 64}"
    with pytest.raises(PermanentError, match=r"node manager-\d can't have .*No such image"):
        PullEverywhere(absent, entrance, ("node.hostname != manager-1",), 60).run(CONTEXT)
