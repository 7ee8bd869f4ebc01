"""A service that somebody else made, with every option that there is, on a real swarm: nothing of it is lost."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.interfaces import Fence
from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Scale
from zdd.model.release import Revision
from zdd.model.service import Service

ONE = Fence(1, "first deployer")
PUBLISHED = ("--publish", "mode=host,target=8080")
Wait = Callable[..., Any]


def new(workload: dict[str, Any]) -> Revision:
    return Revision("r-1", "1.0", workload)


def found(cell: Cell) -> Revision:
    """The revision of a service that zdd did not make, as a deployer knows it: by its id alone."""
    return Revision(cell.revision, "unknown", {})


def one_cell(orchestrator: SwarmOrchestrator, service: Service) -> Cell:
    (cell,) = orchestrator.observe(service)
    return cell


@pytest.fixture
def scaled_without_restart(swarm: Any, orchestrator: SwarmOrchestrator, wait_until: Wait) -> Callable[..., None]:
    """Claim a service and scale it by one: whatever Swarm wanted to restart, it restarts before the new task runs."""

    def scale(service: Service, swarm_name: str, orchestrator: SwarmOrchestrator = orchestrator) -> None:
        before, ever = swarm.tasks(swarm_name), swarm.ever(swarm_name)
        orchestrator.claim(service, ONE)
        cell = one_cell(orchestrator, service)
        orchestrator.scale(service, found(cell), Scale(cell.name, cell.replicas + 1), ONE)
        wait_until(lambda: len(swarm.tasks(swarm_name)) == cell.replicas + 1, "the new task runs")
        assert before <= swarm.tasks(swarm_name)
        assert len(swarm.ever(swarm_name) - ever) == 1

    return scale


def test_a_service_of_the_docker_client_is_one_cell_that_keeps_its_name_and_its_tasks(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, scaled_without_restart: Callable[..., None]
) -> None:
    swarm.run("web", 2, *PUBLISHED)
    cell = one_cell(orchestrator, service)
    assert (cell.name, cell.replicas, len(cell.instances)) == ("web", 2, 2)
    assert cell.revision.startswith("found-")
    assert {one.revision for one in cell.instances} == {cell.revision}
    assert {address.host for one in cell.instances for address in one.addresses.values()} == {swarm.facts.address}
    scaled_without_restart(service, "web")
    assert one_cell(orchestrator, service).revision == cell.revision


def test_observing_a_service_that_somebody_else_made_changes_nothing(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service
) -> None:
    swarm.run("web", 1)
    before = swarm.api.inspect_service("web")["Version"]
    one_cell(orchestrator, service)
    orchestrator.check(service, swarm.workload())
    assert swarm.api.inspect_service("web")["Version"] == before


# -- every option ------------------------------------------------------------------------------------------------------

OPTIONS = """
    --network name=back,alias=shop --endpoint-mode dnsrr --publish mode=host,target=8080
    --mount type=tmpfs,target=/scratch,tmpfs-size=1000000 --mount type=volume,source=data,target=/data
    --secret source=password,target=password,mode=0400 --config source=settings,target=/settings
    --constraint node.role==manager --placement-pref spread=node.labels.zone --replicas-max-per-node 9
    --limit-cpu 1 --limit-memory 200m --limit-pids 50 --reserve-memory 10m
    --cap-add NET_ADMIN --cap-drop MKNOD --sysctl net.core.somaxconn=200 --ulimit nofile=200:300
    --log-driver json-file --log-opt max-size=1m --label a=b --container-label c=d
    --stop-signal SIGTERM --stop-grace-period 5s --init --user root --workdir /srv --hostname h-{{.Task.Slot}}
    --host db:10.1.2.3 --dns 10.9.8.7 --dns-search example.org --env COLOUR=blue --with-registry-auth
    --restart-delay 1s --restart-max-attempts 7 --restart-window 3s
    --update-parallelism 2 --update-order start-first --update-delay 1s --update-monitor 6s
    --rollback-order start-first --rollback-monitor 7s --rollback-parallelism 3
"""


def compose(image: str) -> dict[str, Any]:
    """Return a stack with one service that has as much as a compose file can say."""
    update = {"parallelism": 2, "order": "start-first", "delay": "1s", "monitor": "6s", "failure_action": "pause"}
    web = {
        "image": image,
        "command": [],
        "environment": {"COLOUR": "blue"},
        "labels": {"c": "d"},
        "networks": {"back": {"aliases": ["shop"]}},
        "ports": [{"target": 8080, "mode": "host"}],
        "volumes": ["data:/data", {"type": "tmpfs", "target": "/scratch", "tmpfs": {"size": 1000000}}],
        "secrets": [{"source": "password", "target": "password", "mode": 0o400}],
        "configs": [{"source": "settings", "target": "/settings"}],
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["MKNOD"],
        "sysctls": {"net.core.somaxconn": "200"},
        "ulimits": {"nofile": {"soft": 200, "hard": 300}},
        "logging": {"driver": "json-file", "options": {"max-size": "1m"}},
        "healthcheck": {"test": "wget -qO- http://127.0.0.1:8080/health", "interval": "1s", "retries": 50},
        "stop_signal": "SIGTERM",
        "stop_grace_period": "5s",
        "init": True,
        "user": "root",
        "working_dir": "/srv",
        "hostname": "h-{{.Task.Slot}}",
        "extra_hosts": ["db:10.1.2.3"],
        "dns": ["10.9.8.7"],
        "dns_search": ["example.org"],
        "deploy": {
            "replicas": 1,
            "endpoint_mode": "dnsrr",
            "labels": {"a": "b"},
            "placement": {
                "constraints": ["node.role==manager"],
                "preferences": [{"spread": "node.labels.zone"}],
                "max_replicas_per_node": 9,
            },
            "resources": {"limits": {"cpus": "1", "memory": "200M"}, "reservations": {"memory": "10M"}},
            "restart_policy": {"condition": "any", "delay": "1s", "max_attempts": 7, "window": "3s"},
            "update_config": update,
            "rollback_config": {**update, "parallelism": 3},
        },
    }
    external = {"external": True}
    return {
        "version": "3.8",
        "services": {"web": web},
        "networks": {"back": {}},
        "volumes": {"data": {}},
        "secrets": {"password": external},
        "configs": {"settings": external},
    }


def made_by_the_client(swarm: Any) -> str:
    swarm.client("network", "create", "--driver", "overlay", "back")
    swarm.run("web", 1, *OPTIONS.split())
    return "web"


def made_by_a_stack(swarm: Any) -> str:
    swarm.stack("shop", compose(swarm.image))
    return "shop_web"


MAKERS = pytest.mark.parametrize("make", [made_by_the_client, made_by_a_stack], ids=["client", "stack"])
ALL_OF_IT = {
    "Networks", "Resources", "RestartPolicy", "Placement", "LogDriver", "Mounts", "Secrets", "Configs", "Sysctls",
    "CapabilityAdd", "CapabilityDrop", "Ulimits", "Healthcheck", "Hosts", "DNSConfig", "StopSignal",
    "StopGracePeriod", "Init", "User", "Dir", "Hostname", "Labels", "Env",
}  # fmt: skip


def field_by_field(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification in the form in which it is compared: without what a deployment is meant to change."""
    left = copy.deepcopy(spec)
    inside = left["TaskTemplate"]["ContainerSpec"]
    for described in (left, inside):
        labels = described.pop("Labels", {})
        described["Labels"] = {k: v for k, v in labels.items() if not k.startswith(("zdd.", "com.docker.stack."))}
    added = ("ZDD_", "PORT", "VERSION=")
    inside["Env"] = sorted(line for line in inside.get("Env") or [] if not line.startswith(added))
    del inside["Image"], left["Name"]
    left["TaskTemplate"]["Placement"].pop("Platforms", None)
    return left


@MAKERS
def test_a_service_with_every_option_survives_being_scaled_and_deployed(
    swarm: Any, service: Service, wait_until: Wait, scaled_without_restart: Callable[..., None], make: Any
) -> None:
    swarm.api.create_secret("password", b"secret")
    swarm.api.create_config("settings", b"config")
    name = make(swarm)
    wait_until(lambda: len(swarm.tasks(name)) == 1, f"{name} runs")
    before = swarm.spec(name)
    used = {*before["TaskTemplate"], *before["TaskTemplate"]["ContainerSpec"]}
    assert used >= ALL_OF_IT, ALL_OF_IT - used
    with contextlib.closing(swarm.orchestrator(names={"web": name})) as orchestrator:
        scaled_without_restart(service, name, orchestrator)
        scaled = swarm.spec(name)
        assert scaled["Labels"].items() >= before["Labels"].items()
        assert {**scaled, "Labels": 0, "Mode": 0} == {**before, "Labels": 0, "Mode": 0}
        release = new(swarm.workload(service_spec=None, environment={"VERSION": "2"}))
        orchestrator.launch(service, release, Launch("web-2", release.id, 1), ONE)
        orchestrator.change(service, release, Change(name, release.id, 1), ONE)
        for cell, its_name in ((name, name), ("web-2", f"{name}-2")):
            wait_until(lambda cell=cell: swarm.ready(orchestrator, service, cell), f"{cell} is ready")
            after = swarm.spec(its_name)
            assert "VERSION=2" in after["TaskTemplate"]["ContainerSpec"]["Env"]
            expected = field_by_field(before)
            if cell != name:
                for network in expected["TaskTemplate"]["Networks"]:
                    network["Aliases"].append(name)
            assert field_by_field(after) == expected
        assert {one.changed for one in orchestrator.observe(service)} == {""}


def test_a_global_service_is_adopted_and_keeps_its_mode(
    swarm: Any, orchestrator: SwarmOrchestrator, wait_until: Wait
) -> None:
    service = Service("web", exposures=(), stop_grace_s=3.0)
    swarm.client("service", "create", "--detach", "--name", "web", "--mode", "global", "--hostname", "h", swarm.image)
    wait_until(lambda: len(swarm.tasks("web")) == 1, "it runs")
    before, tasks = swarm.spec("web"), swarm.tasks("web")
    cell = one_cell(orchestrator, service)
    assert (cell.replicas, len(cell.instances)) == (1, 1)
    orchestrator.claim(service, ONE)
    assert swarm.tasks("web") == tasks
    release = new(swarm.workload(service_spec=None, ports={}))
    orchestrator.change(service, release, Change("web", release.id, 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service) and not tasks & swarm.tasks("web"), "the new one runs")
    after = swarm.spec("web")
    assert after["Mode"] == before["Mode"] == {"Global": {}}
    assert after["TaskTemplate"]["ContainerSpec"]["Hostname"] == "h"
    orchestrator.scale(service, release, Scale("web", 0), ONE)
    wait_until(lambda: not swarm.tasks("web"), "it is empty")
    assert one_cell(orchestrator, service).replicas == 0
    orchestrator.scale(service, release, Scale("web", 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service), "it runs again")
    assert swarm.spec("web")["TaskTemplate"] == after["TaskTemplate"]


# -- going back, and what the stack says afterwards --------------------------------------------------------------------


def test_going_back_to_what_was_found_runs_exactly_that_again(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, wait_until: Wait
) -> None:
    swarm.run("web", 1, "--env", "COLOUR=blue", "--stop-grace-period", "4s", *PUBLISHED)
    before = swarm.spec("web")
    was = found(one_cell(orchestrator, service))
    orchestrator.claim(service, ONE)
    orchestrator.change(service, new(swarm.workload(service_spec=None)), Change("web", "r-1", 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service), "the new one is ready")
    orchestrator.change(service, was, Change("web", was.id, 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service), "the old one is ready again")
    cell = one_cell(orchestrator, service)
    assert (cell.revision, cell.changed) == (was.id, "")
    assert swarm.spec("web")["TaskTemplate"] == before["TaskTemplate"]
    orchestrator.launch(service, was, Launch("web-2", was.id, 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service, "web-2"), "a second cell of it is ready")
