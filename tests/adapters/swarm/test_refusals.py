"""Whatever can't run is refused, or taken back, by every strategy, in the engine's words, and what runs goes on."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from zdd import (
    BlueGreen,
    Canary,
    CommandGate,
    ConfigurationError,
    Deployer,
    DeploymentFailed,
    HttpGate,
    InPlaceUpdate,
    Outcome,
    Recreate,
    Release,
    RollingUpdate,
    Service,
)
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy

# Without a way in: who serves is then who runs and passes, and canaries share out nothing.
WORKER = Service("web", replicas=2, floor=1, exposures=(), stop_grace_s=3.0, start_deadline_s=90.0)
ALL = pytest.mark.skipif(not os.environ.get("ZDD_TEST_ALL"), reason="takes a minute: ALL=1")
STRATEGIES = [RollingUpdate(), BlueGreen(), InPlaceUpdate()]
FAST = {"RestartPolicy": {"Delay": 100_000_000}}
NOWHERE = {"Placement": {"Constraints": ["node.labels.disk == none-has-this"]}}
UNHEALTHY = {"ContainerSpec": {"Healthcheck": {"Test": ["CMD", "false"], "Interval": 200_000_000, "Retries": 2}}}


def release(swarm: Any, version: str, template: Any = FAST, **options: Any) -> Release:
    spec = {"TaskTemplate": {**FAST, **template}}
    return Release(version, swarm.workload(ports={}, service_spec=spec, **options), [CommandGate(["true"])])


@pytest.fixture
def running(swarm: Any, make_deployer: Callable[..., Deployer]) -> Callable[[], Deployer]:
    """Deploy a first version, and make sure in the end that nothing has happened to it."""
    deployer = make_deployer()
    deployer.deploy(WORKER, release(swarm, "1"))
    return lambda: deployer


@pytest.mark.timeout(400)
def test_what_can_be_known_beforehand_touches_nothing(swarm: Any, running: Callable[[], Deployer]) -> None:
    before, spec = swarm.tasks("web"), swarm.spec("web")
    missing = release(swarm, "2", image=f"{swarm.facts.registry}/zdd-lab/application:nobody-pushed-this")
    homeless = release(swarm, "2", NOWHERE)
    for strategy in (*STRATEGIES, Canary(), Recreate()):
        service = evolve(WORKER, overlap="forbidden", floor=None) if strategy == Recreate() else WORKER
        with pytest.raises(ConfigurationError, match="nobody-pushed-this can't be had from its registry"):
            running().deploy(service, missing, strategy)
        with pytest.raises(ConfigurationError, match="node"):
            running().deploy(service, homeless, strategy)
    assert (swarm.tasks("web"), swarm.spec("web")) == (before, spec)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", [RollingUpdate(), pytest.param(BlueGreen(), marks=ALL), InPlaceUpdate()], ids=str)
def test_what_shows_only_when_it_runs_is_taken_back(swarm: Any, running: Callable[[], Deployer], strategy: Any) -> None:
    hasty = evolve(WORKER, start_deadline_s=8.0)
    before = swarm.tasks("web")
    crashing = evolve(release(swarm, "2", environment={"CRASH": "1"}), gates=())  # it has to go on running for a while
    for bad in (crashing, release(swarm, "3", UNHEALTHY)):
        with pytest.raises(DeploymentFailed) as failed:
            running().deploy(hasty, bad, strategy)
        assert failed.value.report.outcome is Outcome.ROLLED_BACK
        names = {one["Spec"]["Name"]: one["Spec"]["Mode"]["Replicated"]["Replicas"] for one in swarm.api.services()}
        assert names == {"web": 2}
        assert swarm.tasks("web") & before, "what was not touched goes on"
    good = running().deploy(WORKER, release(swarm, "4"), strategy)
    assert good.outcome is Outcome.SUCCEEDED
    assert running().rollback("web").to_version == "1"


SHOP = Service(
    "web", replicas=2, gates=(HttpGate("/health"),), stop_grace_s=2.0, drain_deadline_s=0.5, start_deadline_s=90.0
)


@define(eq=False)
class Shop:
    """A service behind a Traefik, which divides the traffic, and holds requests back where everything stops."""

    swarm: Any
    proxy: TraefikProxy
    deployer: Deployer

    def release(self, version: str, **trouble: str) -> Release:
        return Release(version, self.swarm.workload(environment=trouble, service_spec=self._spec()))

    def _spec(self) -> dict[str, Any]:
        health = self.swarm.workload()["service_spec"]["TaskTemplate"]["ContainerSpec"]["Healthcheck"]
        return {"TaskTemplate": {**FAST, "ContainerSpec": {"Healthcheck": health}}}

    def answers(self) -> set[str]:
        """Return which versions answer five requests."""
        return {self._ask() for _ in range(5)}

    def _ask(self) -> str:
        address = self.proxy.address
        client = http.client.HTTPConnection(address.host, address.port, timeout=20)
        try:
            client.request("GET", "/")
            return client.getresponse().read().decode()
        finally:
            client.close()

    def runs(self) -> list[tuple[int, int]]:
        """Return how many tasks each Swarm service should have, and has."""
        specs = {one["Spec"]["Name"]: one["Spec"] for one in self.swarm.api.services()}
        return [(spec["Mode"]["Replicated"]["Replicas"], len(self.swarm.tasks(name))) for name, spec in specs.items()]


@pytest.fixture
def shop(swarm: Any, orchestrator: Any, tmp_path: Path) -> Iterator[Shop]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        proxy = TraefikProxy(tmp_path, port=probe.getsockname()[1])
    journal, lease = SqliteJournal(tmp_path / "journal"), SqliteLease(tmp_path / "journal")
    discovery, edge = TraefikDiscovery(proxy), TraefikEdge(proxy)
    yield Shop(swarm, proxy, Deployer(orchestrator, discovery, [edge], journal=journal, lease=lease))
    proxy.stop()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(Canary(steps=(50, 100), hold_s=0.2), id="canary", marks=ALL),
        pytest.param(Recreate(), id="recreate"),
    ],
)
def test_behind_an_edge_it_is_taken_back_too(shop: Shop, strategy: Any) -> None:
    shop.deployer.deploy(SHOP, shop.release("1"))
    for patience_s, words, trouble in (
        (20.0, r"ended by itself 3 times|the one before it ended: task: non-zero exit \(1\)", {"CRASH": "1"}),
        (8.0, "not ready and proven within 8 s", {"UNHEALTHY": "1"}),
    ):
        hasty = evolve(SHOP, start_deadline_s=patience_s)
        with pytest.raises(DeploymentFailed, match=words) as failed:
            shop.deployer.deploy(hasty, shop.release("2", **trouble), strategy)
        assert failed.value.report.outcome is Outcome.ROLLED_BACK
        assert shop.answers() == {"1"}
        assert shop.runs() == [(2, 2)]
    assert shop.deployer.deploy(SHOP, shop.release("3"), strategy).outcome is Outcome.SUCCEEDED
    assert (shop.answers(), shop.runs()) == ({"3"}, [(2, 2)])
    assert shop.deployer.rollback("web").to_version == "1"
    assert (shop.answers(), shop.runs()) == ({"1"}, [(2, 2)])
