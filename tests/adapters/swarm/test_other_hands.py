"""Whole deployments on a real swarm while, before and after other people use it too. Nobody sends requests here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd import BlueGreen, CommandGate, Deployer, DeploymentFailed, Outcome, Release, RollingUpdate, Service
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.events import CommandAnswered, CommandIntended, Event
from zdd.interfaces import Fence
from zdd.model.command import Change, Launch
from zdd.model.release import Revision

WORKER = Service("web", replicas=2, exposures=(), stop_grace_s=3.0, start_deadline_s=90.0)
FAST = {"RestartPolicy": {"Delay": 100_000_000}}


def release(swarm: Any, version: str, template: Any = FAST, **environment: str) -> Release:
    spec = None if template is None else {"TaskTemplate": template}
    return Release(
        version, swarm.workload(ports={}, service_spec=spec, environment=environment), [CommandGate(["true"])]
    )


def sizes(swarm: Any) -> dict[str, int]:
    return {one["Spec"]["Name"]: one["Spec"]["Mode"]["Replicated"]["Replicas"] for one in swarm.api.services()}


def once_launched(heard: list[Callable[[Event], None]], act: Callable[[], None]) -> None:
    """Do something once, right after the first launch was answered."""
    launches: list[int] = []

    def listen(event: Event) -> None:
        if isinstance(event, CommandIntended) and isinstance(event.command, Launch):
            launches.append(event.number)
        if isinstance(event, CommandAnswered) and launches == [event.number]:
            launches.append(-1)
            act()

    heard.append(listen)


@pytest.mark.timeout(300)
def test_a_stack_that_is_deployed_in_the_middle_and_afterwards_kills_nothing_and_is_noticed(
    swarm: Any, make_deployer: Callable[..., Deployer], heard: list[Callable[[Event], None]], wait_until: Any
) -> None:
    file: dict[str, Any] = {
        "version": "3.8",
        "services": {
            "web": {"image": swarm.image, "stop_grace_period": "3s", "deploy": {"replicas": 2, "labels": {"a": "b"}}},
            "other": {"image": swarm.image, "stop_grace_period": "1s", "deploy": {"replicas": 1}},
        },
    }
    swarm.stack("shop", file)
    wait_until(lambda: len(swarm.tasks("shop_web")) == 2, "the stack runs")
    deployer = make_deployer(names={"web": "shop_web"})
    del file["services"]["other"]
    spare: list[set[str]] = []

    def deploy_the_stack() -> None:
        wait_until(lambda: len(swarm.tasks("shop_web-1")) == 2, "the spare cell runs")
        spare.append(swarm.tasks("shop_web-1"))
        swarm.stack("shop", file, "--prune")
        assert swarm.tasks("shop_web-1") == spare[0]

    once_launched(heard, deploy_the_stack)
    report = deployer.deploy(WORKER, release(swarm, "1", None, COLOUR="green"))
    assert spare
    assert sizes(swarm) == {"shop_web": 2}
    assert report.unproven == ()

    swarm.stack("shop", file, "--prune")
    said = "shop_web was changed outside zdd: TaskTemplate.ContainerSpec.Env.COLOUR was taken away"
    next_one = release(swarm, "2", None, COLOUR="red")
    (warning,) = [line for line in deployer.plan(WORKER, next_one).warnings if "outside" in line]
    assert warning.startswith(said.replace(" was changed", ": was changed", 1))
    file["services"]["web"]["hostname"] = "from-the-file"
    swarm.stack("shop", file)
    report = deployer.deploy(WORKER, next_one)
    (warning,) = [line for line in report.warnings if "outside" in line]
    assert 'ContainerSpec.Hostname was null and is "from-the-file"' in warning
    inside = swarm.spec("shop_web")["TaskTemplate"]["ContainerSpec"]
    assert inside["Hostname"] == "from-the-file"
    assert "COLOUR=red" in inside["Env"]
    assert sizes(swarm) == {"shop_web": 2}


@pytest.mark.timeout(400)
def test_a_change_by_hand_in_the_middle_is_reported_by_the_name_of_the_field(
    swarm: Any, make_deployer: Callable[..., Deployer], heard: list[Callable[[Event], None]]
) -> None:
    deployer = make_deployer()
    deployer.deploy(WORKER, release(swarm, "1"))
    change = ("service", "update", "--detach", "--env-add", "BY=hand", "--limit-memory", "90m", "web")
    once_launched(heard, lambda: swarm.client(*change) and None)
    report = deployer.deploy(WORKER, release(swarm, "2"))
    assert report.outcome is Outcome.SUCCEEDED
    print(report.unproven)
    line = next(line for line in report.unproven if "outside" in line)
    assert line.startswith("web was changed outside zdd: TaskTemplate.ContainerSpec.Env.BY is new, ")
    assert "TaskTemplate.Resources.Limits.MemoryBytes was null and is 94371840" in line
    assert sizes(swarm) == {"web": 2}


@pytest.mark.timeout(400)
def test_what_can_not_start_is_taken_back_early_and_by_name(swarm: Any, make_deployer: Callable[..., Deployer]) -> None:
    deployer = make_deployer()
    deployer.deploy(WORKER, release(swarm, "1"))
    before = swarm.tasks("web")
    crashing = evolve(release(swarm, "2", CRASH="1"), gates=())
    with pytest.raises(
        DeploymentFailed, match=r"ended by itself \d times before it was proven: .*exit \(1\)"
    ) as failed:
        deployer.deploy(WORKER, crashing)
    assert failed.value.report.outcome is Outcome.ROLLED_BACK
    assert failed.value.report.seconds < WORKER.start_deadline_s
    assert sizes(swarm) == {"web": 2}
    assert swarm.tasks("web") == before


@pytest.mark.timeout(400)
def test_after_any_sequence_the_services_are_what_a_user_expects(
    swarm: Any, make_deployer: Callable[..., Deployer]
) -> None:
    deployer = make_deployer()
    first, second = release(swarm, "1"), release(swarm, "2")
    deployer.deploy(WORKER, first)

    def expect(replicas: int, version: str) -> None:
        assert sum(sizes(swarm).values()) == replicas, sizes(swarm)
        assert len(sizes(swarm)) == 1
        for name in sizes(swarm):
            spec = swarm.spec(name)
            assert f"ZDD_VERSION={version}" in spec["TaskTemplate"]["ContainerSpec"]["Env"]
            assert spec["Labels"].items() >= {"zdd.service": "web", "zdd.cell": name}.items()
            assert len(swarm.tasks(name)) == replicas

    def tasks() -> set[str]:
        return {task for name in sizes(swarm) for task in swarm.tasks(name)}

    def restarted() -> None:
        before = tasks()
        deployer.deploy(WORKER, first, restart=True)
        expect(2, "1")
        assert not before & tasks()

    def scaled() -> None:
        version = deployer.history("web")[-1].to_version
        running = {"1": first, "2": second}[version]
        before = tasks()
        deployer.deploy(evolve(WORKER, replicas=3), running)
        expect(3, version)
        assert before <= tasks()
        deployer.deploy(WORKER, running)
        expect(2, version)

    def scaled_by_hand() -> None:
        (name,) = sizes(swarm)
        swarm.client("service", "scale", "--detach", f"{name}=1")
        report = deployer.deploy(WORKER, second, RollingUpdate())
        expect(2, "2")
        assert f"{name}: was changed outside zdd: replicas were 2 and are 1" in str(report.warnings)

    def rolled_back() -> None:
        deployer.rollback("web", "1")
        expect(2, "1")

    def turned() -> None:
        deployer.deploy(WORKER, second, BlueGreen())
        expect(2, "2")

    steps = [restarted, scaled, scaled_by_hand, turned]
    random.Random(7).shuffle(steps)  # noqa: S311 - any order will do
    for step in steps:
        step()
    rolled_back()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("trouble", "state"), [("CRASH", "paused"), ("UNHEALTHY", "updating")])
def test_an_update_of_somebody_else_s_that_is_not_through_goes_no_further_while_zdd_replaces_it(
    swarm: Any, orchestrator: SwarmOrchestrator, wait_until: Any, trouble: str, state: str
) -> None:
    web = evolve(WORKER, replicas=1, stop_grace_s=1.0)
    swarm.run("web", 1, "--update-order", "start-first", "--stop-grace-period", "1s", "--restart-delay", "100ms")
    serves = swarm.tasks("web")
    swarm.client("service", "update", "--detach", "--env-add", f"{trouble}=1", "web")

    def halfway() -> bool:
        both = [task["DesiredState"] for task in swarm.api.tasks(filters={"service": "web"})].count("running") == 2
        return both and swarm.api.inspect_service("web")["UpdateStatus"]["State"] == state

    wait_until(halfway, "Swarm has stopped half-way")
    orchestrator.claim(web, Fence(1, "tests"))
    revision = Revision("r-1", "1", swarm.workload(ports={}, service_spec={"TaskTemplate": FAST}))
    orchestrator.launch(web, revision, Launch("web-2", "r-1", 1), Fence(1, "tests"))
    wait_until(lambda: swarm.ready(orchestrator, web, "web-2"), "the replacement is ready")
    (stays,) = serves
    assert swarm.api.inspect_task(stays)["DesiredState"] == "running"

    orchestrator.change(web, revision, Change("web", "r-1", 1), Fence(1, "tests"))
    wait_until(lambda: swarm.ready(orchestrator, web), "it runs the release")
