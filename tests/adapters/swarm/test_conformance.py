"""The conformance kit on real swarms: of the distribution's engine and of a newer one, both at the same time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.model.cell import Instance
from zdd.model.service import Exposure, Service
from zdd.testing import ORCHESTRATOR_RULES, Conditions, accepts_connections, check_orchestrator

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from guard import passed_on

LAB = Path(__file__).parents[2] / "lab"
NO_LAB = 3
SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")), stop_grace_s=3.0)
PORTS = {"http": 8080, "admin": 8081}
NEWER = {"trixie": "26."}
"""The release of the distribution whose engine it is, and how that one's version begins."""


def tried(swarm: Any) -> tuple[str, ...]:
    """Try every rule, and return their names."""

    def kill(instance: Instance) -> None:
        task = swarm.api.inspect_task(instance.id)
        swarm.api.kill(task["Status"]["ContainerStatus"]["ContainerID"])

    @contextlib.contextmanager
    def make() -> Iterator[SwarmOrchestrator]:
        with contextlib.closing(swarm.orchestrator()) as orchestrator:
            yield orchestrator
        swarm.clear()

    @contextlib.contextmanager
    def again(_: Any) -> Iterator[SwarmOrchestrator]:
        with contextlib.closing(swarm.orchestrator()) as orchestrator:
            yield orchestrator

    conditions = Conditions(
        service=SERVICE,
        workload=swarm.workload(ports=PORTS),
        never_ready=swarm.workload(ports=PORTS, environment={"UNHEALTHY": "1"}),
        slow_to_stop=swarm.workload(ports=PORTS, environment={"SLOW_TO_STOP": "1.5"}),
        refused=swarm.workload(ports=PORTS, image=f"{swarm.facts.registry}/nobody/pushed:this"),
        answers=accepts_connections,
        kill=kill,
        written=lambda: sorted((one["ID"], json.dumps(one["Spec"], sort_keys=True)) for one in swarm.api.services()),
        deadline_s=60.0,
        poll_s=0.1,
    )
    return check_orchestrator(make, conditions, again=again)


def tell(action: str, suite: str) -> subprocess.CompletedProcess[str]:
    """Bring up or end the lab with the engine of that release."""
    own, descriptors = passed_on()
    environment = {**os.environ, **own, "ZDD_LAB_SUITE": suite}
    environment.pop("ZDD_LAB_DIRECTORY", None)
    return subprocess.run(
        [sys.executable, str(LAB), action],
        env=environment, pass_fds=descriptors, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(lab: Any) -> Iterator[Callable[[str], tuple[str, ...]]]:
    """Try them everywhere at once, and say how it went there."""
    with ThreadPoolExecutor() as pool, contextlib.ExitStack() as ends:
        lab.clear()
        going: Mapping[str, Future[tuple[str, ...]] | str] = {"": pool.submit(tried, lab)}
        for suite, version in NEWER.items():
            if not os.environ.get("ZDD_TEST_ALL"):
                going |= {suite: "takes minutes: make test ALL=1 tries the newer engine too"}
                continue
            if os.environ.get("ZDD_LAB_ENGINE"):
                going |= {suite: "the user has named an engine, so that one alone is tried"}
                continue
            up = tell("up", suite)
            if up.returncode == NO_LAB:
                going |= {suite: up.stderr.strip()}
                continue
            assert up.returncode == 0, up.stderr
            facts = json.loads(up.stdout)
            if facts["fresh"]:
                ends.callback(tell, "down", suite)
            assert facts["version"].startswith(version)
            swarm = type(lab)(facts)
            ends.callback(swarm.api.close)
            going |= {suite: pool.submit(tried, swarm)}

        def result(suite: str) -> tuple[str, ...]:
            found = going[suite]
            return pytest.skip(found) if isinstance(found, str) else found.result()

        yield result
        for one in going.values():
            if isinstance(one, Future):
                one.exception()
        lab.clear()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", ["", *NEWER], ids=lambda suite: suite or "own")
def test_swarm_keeps_every_rule_of_an_orchestrator(results: Callable[[str], tuple[str, ...]], suite: str) -> None:
    assert set(results(suite)) == {rule.name for rule in ORCHESTRATOR_RULES}
