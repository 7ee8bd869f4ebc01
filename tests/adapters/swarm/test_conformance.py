"""The conformance kit on a real swarm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.model.cell import Instance
from zdd.model.service import Exposure, Service
from zdd.testing import ORCHESTRATOR_RULES, Conditions, accepts_connections, check_orchestrator

SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")), stop_grace_s=3.0)
PORTS = {"http": 8080, "admin": 8081}


@pytest.mark.timeout(900)
def test_swarm_keeps_every_rule_of_an_orchestrator(swarm: Any) -> None:
    def kill(instance: Instance) -> None:
        task = swarm.api.inspect_task(instance.id)
        swarm.api.kill(task["Status"]["ContainerStatus"]["ContainerID"])

    @contextmanager
    def make() -> Iterator[SwarmOrchestrator]:
        orchestrator = swarm.orchestrator()
        try:
            yield orchestrator
        finally:
            orchestrator.close()
            swarm.clear()

    @contextmanager
    def again(_: Any) -> Iterator[SwarmOrchestrator]:
        orchestrator = swarm.orchestrator()
        try:
            yield orchestrator
        finally:
            orchestrator.close()

    conditions = Conditions(
        service=SERVICE,
        workload=swarm.workload(ports=PORTS),
        never_ready=swarm.workload(ports=PORTS, environment={"UNHEALTHY": "1"}),
        slow_to_stop=swarm.workload(ports=PORTS, environment={"SLOW_TO_STOP": "1.5"}),
        refused=swarm.workload(ports=PORTS, image=f"{swarm.facts.registry}/nobody/pushed:this"),
        answers=accepts_connections,
        kill=kill,
        deadline_s=60.0,
        poll_s=0.1,
    )
    checked = check_orchestrator(make, conditions, again=again)
    assert set(checked) == {rule.name for rule in ORCHESTRATOR_RULES}
