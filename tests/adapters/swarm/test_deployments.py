"""Whole deployments on a real swarm, behind a real Traefik, under load from clients that never retry."""

from __future__ import annotations

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from zdd import BlueGreen, Deployer, DeploymentFailed, HttpGate, Release, RollingUpdate, Service
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.drift import differences
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.events import Outcome

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from strict_clients import Load

CALLS_PER_INSTANCE = 20
CALLS_PER_SECOND = 1


@define(eq=False)
class Operations:
    """A deployer with everything that it needs."""

    deployer: Deployer
    orchestrator: SwarmOrchestrator
    load: Load

    def calls(self) -> Counter[str]:
        return Counter(self.orchestrator.calls)


@pytest.fixture
def operations(orchestrator: SwarmOrchestrator, tmp_path: Path) -> Iterator[Operations]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = TraefikProxy(tmp_path, port=port)
    deployer = Deployer(
        orchestrator,
        TraefikDiscovery(proxy),
        [TraefikEdge(proxy)],
        journal=SqliteJournal(tmp_path / "journal"),
        lease=SqliteLease(tmp_path / "journal"),
    )
    load = Load(proxy.address)
    yield Operations(deployer, orchestrator, load)
    load.end()
    proxy.stop()


@pytest.fixture
def service() -> Service:
    gate = HttpGate("/health")
    # What is in flight at a container is not known to this Traefik, so a drain takes all of its time: the longest
    # request takes 0.7 s.
    return Service("web", replicas=4, gates=(gate,), stop_grace_s=5.0, drain_deadline_s=2.0, start_deadline_s=90.0)


def release(swarm: Any, version: str, **options: Any) -> Release:
    return Release(version, swarm.workload(**options))


def now_runs(swarm: Any) -> dict[str, int]:
    return {one["Spec"]["Name"]: one["Spec"]["Mode"]["Replicated"]["Replicas"] for one in swarm.api.services()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("strategy", "cells"), [(RollingUpdate(), 1), (RollingUpdate(), 4), (BlueGreen(), 1)], ids=["all", "one", "blue"]
)
def test_no_request_is_lost(swarm: Any, operations: Operations, service: Service, strategy: Any, cells: int) -> None:
    service = evolve(service, cells=cells)
    operations.deployer.deploy(service, release(swarm, "1"))
    operations.load.start()
    before, began_s = operations.calls(), time.monotonic()
    report = operations.deployer.deploy(service, release(swarm, "2"), strategy)
    calls, took_s = operations.calls() - before, time.monotonic() - began_s
    answered = operations.load.answers.copy()
    operations.load.end()
    assert operations.load.lost == []
    assert answered["1"]
    assert operations.load.answers["2"]
    assert sum(now_runs(swarm).values()) == 4
    assert len(now_runs(swarm)) == cells
    print(f"\n{strategy} of 4 in {cells} cells, {sum(operations.load.answers.values())} requests\n{report}")
    print(f"{calls.total()} calls in {took_s:.1f} s: {dict(calls)}")
    assert calls.total() <= CALLS_PER_INSTANCE * len(report.instances) + CALLS_PER_SECOND * took_s


@pytest.mark.timeout(300)
def test_an_adopted_service_keeps_its_name_and_a_bad_release_is_taken_back(
    swarm: Any, operations: Operations, service: Service
) -> None:
    swarm.run("web", 4, "--publish", "mode=host,target=8080", "--env", "VERSION=0")
    swarm.run("beside", 1)
    before = swarm.tasks("web")
    good = Release("1", Container(swarm.image, ports={"http": 8080}))
    report = operations.deployer.deploy(service, good)
    assert any("it has 4 instances that zdd did not start" in line for line in report.warnings)
    assert now_runs(swarm) == {"web": 4, "beside": 1}
    assert not before & swarm.tasks("web")
    operations.load.start()
    bad = Release("2", Container(swarm.image, ports={"http": 8080}, environment={"UNHEALTHY": "1"}))
    with pytest.raises(DeploymentFailed, match="web-2"):
        operations.deployer.deploy(evolve(service, start_deadline_s=6.0), bad)
    assert now_runs(swarm) == {"web": 4, "beside": 1}
    restarted_without_a_loss(swarm, operations, service, good)
    operations.load.end()
    assert operations.load.lost == []
    assert set(operations.load.answers) == {"1"}


def restarted_without_a_loss(swarm: Any, operations: Operations, service: Service, release: Release) -> None:
    """Replace every task by one of the same release, and see that nothing else has changed."""
    tasks, spec, beside = swarm.ever("web"), swarm.spec("web"), swarm.api.inspect_service("beside")
    beside_ran = swarm.ever("beside")
    assert operations.deployer.deploy(service, release).outcome is Outcome.UNCHANGED
    assert swarm.ever("web") == tasks
    report = operations.deployer.deploy(service, release, restart=True)
    assert report.outcome is Outcome.SUCCEEDED
    assert len(swarm.tasks("web")) == 4
    assert not tasks & swarm.tasks("web")
    assert now_runs(swarm) == {"web": 4, "beside": 1}
    assert (swarm.api.inspect_service("beside"), swarm.ever("beside")) == (beside, beside_ran)
    own = ("Labels.zdd.", "TaskTemplate.ContainerSpec.Labels.zdd.", "TaskTemplate.ContainerSpec.Env")
    assert [line for line in differences(spec, swarm.spec("web")) if not line.startswith(own)] == []
    env = [set(one["TaskTemplate"]["ContainerSpec"]["Env"]) for one in (spec, swarm.spec("web"))]
    assert {line.partition("=")[0] for line in env[0] ^ env[1]} == {"ZDD_REVISION"}
