"""A real swarm loses the port of a task that runs: what is still known of it, and what is done where nothing is.

When a node connects to its manager anew, the manager sends it every task again; one that seems to have changed, as all
do whose specification has a template, is reported again without its ports. A new certificate authority is one way to
have every node connect anew, a leader that crashes another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from zdd import Deployer, HttpGate, Release, RollingUpdate, Service
from zdd.events import CommandAnswered, CommandIntended, Event, Outcome
from zdd.interfaces import Fence
from zdd.model.cell import InstanceState
from zdd.model.command import Launch, Scale
from zdd.model.release import Revision

ENVIRONMENT = {"SLOT": "{{.Task.Slot}}"}


@pytest.fixture
def lose_ports(swarm: Any, wait_until: Callable[..., Any]) -> Callable[[str], None]:
    """Have Swarm forget the port of every task of a Swarm service, once all of them run."""

    def told(name: str) -> list[bool]:
        tasks = swarm.api.tasks(filters={"service": name, "desired-state": "running"})
        assert all(one["Status"]["State"] == "running" for one in tasks)
        return [bool((one["Status"].get("PortStatus") or {}).get("Ports")) for one in tasks]

    def lose(name: str) -> None:
        wait_until(lambda: swarm.tasks(name), f"{name} runs")
        assert all(told(name))
        swarm.client("swarm", "ca", "--rotate", "--quiet")
        wait_until(lambda: not any(told(name)), f"the port of {name} is lost")

    return lose


def test_what_is_still_known_of_a_task_whose_port_is_lost(
    swarm: Any, orchestrator: Any, lose_ports: Callable[[str], None], wait_until: Callable[..., Any]
) -> None:
    web = Service("web", replicas=1, stop_grace_s=3.0)
    revision = Revision("r-1", "1", swarm.workload(environment=ENVIRONMENT))
    fence = Fence(1, "tests")
    orchestrator.claim(web, fence)
    orchestrator.launch(web, revision, Launch("web", "r-1", 1), fence)
    (before,) = wait_until(lambda: swarm.ready(orchestrator, web), "it is ready")
    lose_ports("web")
    (remembered,) = swarm.ready(orchestrator, web)
    assert (remembered.id, remembered.addresses) == (before.id, before.addresses)
    assert not remembered.address_lost
    with contextlib.closing(swarm.orchestrator()) as another:
        (one,) = swarm.ready(another, web)
    assert (one.id, one.state, one.addresses) == (before.id, InstanceState.READY, {})
    assert one.address_lost
    assert one.note.startswith("Swarm tells no port of it, though it runs")


def test_a_deployment_starts_anew_what_nobody_can_reach_and_keeps_what_serves(
    swarm: Any, make_deployer: Callable[..., Deployer], heard: list[Callable[[Event], None]], lose_ports: Any
) -> None:
    web = Service("web", replicas=1, gates=(HttpGate("/health"),), stop_grace_s=3.0, drain_deadline_s=1.0)
    intended: list[CommandIntended] = []
    lost: list[str] = []

    def lose(event: Event) -> None:
        """Lose the ports before the deployer looks again after its first command, which starts the surge cell."""
        if isinstance(event, CommandIntended):
            intended.append(event)
        if isinstance(event, CommandAnswered) and not lost:
            command = intended[-1].command
            assert isinstance(command, Launch)
            lost.append(command.cell)
            lose_ports(command.cell)

    deployer = make_deployer()
    old, new = (Release(one, swarm.workload(environment=ENVIRONMENT | {"VERSION": one})) for one in ("1", "2"))
    deployer.deploy(web, old)
    (serving,) = swarm.tasks("web")
    heard.append(lose)
    report = deployer.deploy(web, new, RollingUpdate())
    assert report.outcome is Outcome.SUCCEEDED
    scales = [one.command for one in intended if isinstance(one.command, Scale)]
    assert scales == [Scale(lost[0], 0), Scale(lost[0], 1)]
    assert serving not in swarm.tasks("web")
