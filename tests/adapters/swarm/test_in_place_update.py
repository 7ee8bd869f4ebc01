"""`InPlaceUpdate` of a Swarm service with traffic on it, behind a real Traefik: forward, refused, and interrupted."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field

from zdd import Deployer, DeploymentFailed, FunctionGate, HttpGate, InPlaceUpdate, Release, Service, Target
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.events import CommandAnswered, CommandIntended, Event, Moment, Outcome
from zdd.model.address import Address
from zdd.model.command import Change

CALLS_PER_INSTANCE = 20
CALLS_PER_SECOND = 1
SETTINGS = ["--update-parallelism", "2", "--update-delay", "7s", "--update-failure-action", "rollback"]
SETTINGS += ["--update-order", "stop-first", "--update-monitor", "3s"]
SERVICE = Service(
    "web", replicas=2, gates=(HttpGate("/health"),), stop_grace_s=3.0, drain_deadline_s=2.0, start_deadline_s=90.0
)


@define(eq=False)
class World:
    """Everything that a deployment needs, so that another process can make it again."""

    engine: str
    state: Path
    port: int

    def proxy(self) -> TraefikProxy:
        return TraefikProxy(self.state, port=self.port)

    def deployer(self, *listeners: Callable[[Event], None], orchestrator: SwarmOrchestrator | None = None) -> Deployer:
        proxy = self.proxy()
        return Deployer(
            orchestrator or SwarmOrchestrator(self.engine),
            TraefikDiscovery(proxy),
            [TraefikEdge(proxy)],
            journal=SqliteJournal(self.state / "journal"),
            lease=SqliteLease(self.state / "journal"),
            lease_s=3.0,
            listeners=listeners,
        )


@pytest.fixture
def world(swarm: Any, tmp_path: Path) -> Iterator[World]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made = World(swarm.engine, tmp_path, probe.getsockname()[1])
    yield made
    made.proxy().stop()


@define(eq=False)
class Load:
    """A client that keeps its connection and never retries."""

    address: Address
    answers: Counter[str] = field(factory=Counter)
    _end: threading.Event = field(factory=threading.Event)

    def run(self) -> None:
        client = http.client.HTTPConnection(self.address.host, self.address.port, timeout=20)
        while not self._end.wait(0.02):
            try:
                client.request("GET", "/")
                self.answers[client.getresponse().read().decode()] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
                client.close()
        client.close()

    def end(self) -> None:
        self._end.set()


def release(swarm: Any, version: str, **environment: str) -> Release:
    return Release(version, Container(swarm.image, ports={"http": 8080}, environment=environment))


def versions(swarm: Any) -> Counter[str]:
    """Return how many tasks of each version are meant to run."""
    tasks = [task for task in swarm.api.tasks(filters={"service": "web"}) if task["DesiredState"] == "running"]
    lines = [line for task in tasks for line in task["Spec"]["ContainerSpec"]["Env"]]
    return Counter(line.partition("=")[2] for line in lines if line.startswith("ZDD_VERSION="))


def changes(events: list[Event]) -> list[int]:
    sent = [event.command for event in events if isinstance(event, CommandIntended)]
    return [one.in_place.changed for one in sent if isinstance(one, Change) and one.in_place is not None]


@pytest.mark.timeout(400)
def test_a_service_that_serves_is_replaced_batch_by_batch_and_taken_back(swarm: Any, world: World) -> None:
    swarm.run("web", 2, "--publish", "mode=host,target=8080", "--env", "VERSION=0", *SETTINGS)
    before = swarm.spec("web")
    deployer = world.deployer()
    seen = []

    def gate(target: Target) -> bool:
        running = versions(swarm)
        seen.append((len(target.instances), running["2"], running["1"]))
        return True

    deployer.deploy(SERVICE, release(swarm, "1"), InPlaceUpdate("100%"))
    load = Load(world.proxy().address)
    client = threading.Thread(target=load.run)
    client.start()
    try:
        events: list[Event] = []
        strategy = InPlaceUpdate(gates=[FunctionGate(gate, name="looked at")])
        orchestrator, began_s = SwarmOrchestrator(world.engine), time.monotonic()
        report = world.deployer(events.append, orchestrator=orchestrator).deploy(SERVICE, release(swarm, "2"), strategy)
        calls, took_s = Counter(orchestrator.calls), time.monotonic() - began_s
        print(f"\n{calls.total()} calls in {took_s:.1f} s for {len(report.instances)} instances: {dict(calls)}")
        assert calls.total() <= CALLS_PER_INSTANCE * len(report.instances) + CALLS_PER_SECOND * took_s
        assert report.outcome is Outcome.SUCCEEDED
        assert (report.floor, changes(events)) == (1, [1, 2])
        assert seen == sorted(seen)
        assert set(seen) == {(1, 1, 1), (2, 2, 0)}  # between the batches Swarm went no further
        replaced = [dict(one.moments) for one in report.instances if one.version == "1"]
        assert len(replaced) == 2
        assert all(times[Moment.OUT] < times[Moment.STOPPED] for times in replaced), report
        for trouble in ({"UNHEALTHY": "1"}, {"CRASH": "1"}):
            hasty = evolve(SERVICE, start_deadline_s=6.0)
            with pytest.raises(DeploymentFailed) as caught:
                deployer.deploy(hasty, release(swarm, "3", **trouble), InPlaceUpdate())
            assert caught.value.report.outcome is Outcome.ROLLED_BACK
            assert versions(swarm) == {"2": 2}
            assert caught.value.report.capacity_floor == 1
    finally:
        load.end()
        client.join()
    print(f"\n{report}\n{dict(load.answers)}")
    assert load.answers["1"]
    assert load.answers["2"]
    after = swarm.spec("web")
    assert after["UpdateConfig"] == before["UpdateConfig"]
    assert after["Name"] == "web"
    assert [name for name in after["Labels"] if "in-place" in name] == []


def _deploy_until_killed(world: World, wanted: Release) -> None:
    """Deploy, and die by SIGKILL when Swarm has begun the first batch."""
    sent: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, CommandIntended) and isinstance(event.command, Change):
            sent.append(event.number)
        if isinstance(event, CommandAnswered) and len(sent) == 1 and event.number == sent[-1]:
            os.kill(os.getpid(), signal.SIGKILL)

    world.deployer(listen).deploy(SERVICE, wanted, InPlaceUpdate())


@pytest.mark.timeout(400)
def test_a_deployer_that_is_killed_in_the_middle_of_a_batch_is_gone_on_with(
    swarm: Any, world: World, wait_until: Callable[..., Any]
) -> None:
    deployer = world.deployer()
    deployer.deploy(SERVICE, release(swarm, "1"))
    arguments = (world, release(swarm, "2"))
    killed = multiprocessing.get_context("spawn").Process(target=_deploy_until_killed, args=arguments)
    killed.start()
    killed.join(120.0)
    assert killed.exitcode == -signal.SIGKILL
    wait_until(lambda: SqliteLease(world.state / "journal").holder("web") is None, "the lease has expired")
    events: list[Event] = []
    report = world.deployer(events.append).resume("web")
    assert report.outcome is Outcome.SUCCEEDED
    assert changes(events) == [2]  # the first batch was not begun again
    assert versions(swarm) == {"2": 2}
    everything = swarm.api.tasks(filters={"service": "web"})
    assert len(everything) == 4, [(task["Slot"], task["Status"]["State"]) for task in everything]  # each once
    assert not swarm.spec("web").get("UpdateConfig")
