"""Whatever can't run is refused, or taken back, by every strategy, in the engine's words, and what runs goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd import (
    BlueGreen,
    Canary,
    CommandGate,
    ConfigurationError,
    Deployer,
    DeploymentFailed,
    InPlaceUpdate,
    Outcome,
    Recreate,
    Release,
    RollingUpdate,
    Service,
)

# Without a way in: who serves is then who runs and passes, and canaries share out nothing.
WORKER = Service("web", replicas=2, floor=1, exposures=(), stop_grace_s=3.0, start_deadline_s=40.0)
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


@pytest.mark.timeout(120)
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


@pytest.mark.timeout(200)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
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
