"""A swarm of three managers, each an engine on a machine of its own, of which one crashes in the middle."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import docker
import pytest
from attrs import define, evolve

from zdd import (
    BlueGreen,
    ConfigurationError,
    Deployer,
    DeploymentFailed,
    FunctionGate,
    HttpGate,
    InPlaceUpdate,
    Release,
    RollingUpdate,
    Service,
)
from zdd.adapters.memory import MemoryDiscovery, MemoryWorld
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.images import Images
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.placement import AWAY
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.errors import PermanentError
from zdd.events import CommandAnswered, Event, Outcome, Waited
from zdd.interfaces import Fence
from zdd.model.action import ActionContext
from zdd.model.cell import InstanceState
from zdd.model.command import Launch
from zdd.model.release import Revision

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from nodes import Node, Nodes, start_nodes
from packages import NoLab
from strict_clients import Load

CONTEXT = ActionContext("web", "web-1", "", "1")
ALL = pytest.mark.skipif(not os.environ.get("ZDD_TEST_ALL"), reason="takes a minute: ALL=1")
HEALTH = {
    "Test": ["CMD-SHELL", "wget -qO- http://127.0.0.1:$PORT/health"],
    "Interval": 1_000_000_000,
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


def release(nodes: Nodes, version: str, but_on: Node) -> Release:
    """A release whose tasks run everywhere but on one machine."""
    spec = {
        "TaskTemplate": {
            "ContainerSpec": {"Healthcheck": HEALTH},
            "Placement": {"Constraints": [f"node.hostname != {but_on.name}"]},
        }
    }
    return Release(version, Container(nodes.image, ports={"http": 8080}, service_spec=spec))


@define(eq=False)
class Way:
    """A Traefik in front of the swarm, clients that never retry, and a deployer that talks to one of the managers."""

    deployer: Deployer
    load: Load


@pytest.fixture
def open_way(tmp_path: Path) -> Iterator[Callable[..., Way]]:
    with contextlib.ExitStack() as ending:

        def open_one(entrance: Node, *listeners: Callable[[Event], None], others: Sequence[Node] = ()) -> Way:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                proxy = TraefikProxy(tmp_path, port=probe.getsockname()[1])
            ending.callback(proxy.stop)
            orchestrator = ending.enter_context(
                contextlib.closing(SwarmOrchestrator(entrance.engine, *(one.engine for one in others)))
            )
            deployer = Deployer(
                orchestrator, TraefikDiscovery(proxy), [TraefikEdge(proxy)],
                journal=SqliteJournal(tmp_path / "journal"), lease=SqliteLease(tmp_path / "journal"),
                listeners=listeners,
            )  # fmt: skip
            load = Load(proxy.address)
            ending.callback(load.end)
            return Way(deployer, load)

        yield open_one


def clear(nodes: Nodes, wait_until: Callable[..., Any]) -> None:
    """Remove all that zdd has made, and wait until the machines are ready again and run nothing."""

    def empty(api: docker.APIClient) -> bool:
        for one in api.services():
            api.remove_service(one["ID"])
        for one in api.configs() if not api.services() else ():
            api.remove_config(one["ID"])
        return not api.services() and not api.tasks() and not api.configs()

    wait_until(lambda: nodes.ready() == {one.name for one in nodes.managers}, "all machines are ready", 60)
    wait_until(lambda: nodes.managers[-1].ask(empty), "nothing runs any more", 60)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("through_it", "for_good"),
    [
        pytest.param(False, False, id="the leader"),
        pytest.param(True, False, id="the leader, which zdd talks to", marks=ALL),
        pytest.param(True, True, id="the same, for good, with another one named"),
    ],
)
def test_a_manager_may_crash_in_the_middle(
    nodes: Nodes, open_way: Callable[..., Way], wait_until: Callable[..., Any], *, through_it: bool, for_good: bool
) -> None:
    leader = nodes.leader()
    others = [one for one in nodes.managers if one is not leader]
    entrance = leader if through_it else others[0]
    crashed: list[threading.Thread] = []

    def fail() -> None:
        leader.crash()
        if not for_good:
            leader.start()

    def crash(event: Event) -> None:
        if isinstance(event, CommandAnswered) and way.load.answers and not crashed:
            crashed.append(threading.Thread(target=fail))
            crashed[0].start()

    way = open_way(entrance, crash, others=others if for_good else ())
    service = Service(
        "web", replicas=2, cells=2, gates=(HttpGate("/health"),),
        stop_grace_s=2.0, drain_deadline_s=1.5, start_deadline_s=90.0,
    )  # fmt: skip
    try:
        way.deployer.deploy(service, release(nodes, "1", leader))
        way.load.start()
        wait_until(lambda: way.load.answers["1"], "requests are served")
        report = way.deployer.deploy(service, release(nodes, "2", leader), RollingUpdate())
    finally:
        way.load.end()
        for thread in crashed:
            thread.join()
            if for_good:
                leader.start()
    assert report.outcome is Outcome.SUCCEEDED
    assert way.load.lost == []
    assert way.load.answers["2"]
    assert crashed
    clear(nodes, wait_until)


@pytest.mark.timeout(400)
def test_a_global_service_is_updated_in_place_node_by_node(
    nodes: Nodes, open_way: Callable[..., Way], wait_until: Callable[..., Any]
) -> None:
    settings = {"Parallelism": 3, "Order": "stop-first", "FailureAction": "pause"}
    health = {"Healthcheck": HEALTH, "Image": nodes.image, "Env": ["VERSION=0", "PORT=8080"]}
    ports = [{"Protocol": "tcp", "TargetPort": 8080, "PublishMode": "host"}]
    entrance = nodes.managers[1]
    entrance.ask(
        lambda api: api.create_service(
            {"ContainerSpec": health}, name="web", mode={"Global": {}}, update_config=settings,
            endpoint_spec={"Ports": ports},
        )
    )  # fmt: skip

    def running() -> Counter[str]:
        tasks = entrance.ask(lambda api: api.tasks(filters={"service": "web", "desired-state": "running"}))
        up = [task["Spec"]["ContainerSpec"]["Env"] for task in tasks if task["Status"]["State"] == "running"]
        told = [dict(line.split("=", 1) for line in lines) for lines in up]
        return Counter(one.get("ZDD_VERSION", one["VERSION"]) for one in told)

    wait_until(lambda: running()["0"] == 3, "one runs on each node", 60)
    before = entrance.ask(lambda api: api.inspect_service("web"))["Spec"]
    seen: list[int] = []
    events: list[Event] = []
    way = open_way(entrance, events.append)
    gate = FunctionGate(lambda _: seen.append(running()["2"]) is None, name="looked at")
    service = Service(
        "web", replicas=3, gates=(HttpGate("/health"),), stop_grace_s=2.0, drain_deadline_s=1.5, start_deadline_s=60.0
    )
    container = Container(nodes.image, ports={"http": 8080})
    way.deployer.deploy(service, Release("1", container), InPlaceUpdate("100%"))
    way.load.start()
    losses: dict[str, tuple[int, int]] = {}

    def loss_of(step: str) -> int:
        """Return how many requests were lost in a step, of how many."""
        before = [sum(column) for column in zip((0, 0), *losses.values(), strict=True)]
        lost = len(way.load.lost)
        losses[step] = (lost - before[0], sum(way.load.answers.values()) + lost - before[1])
        return losses[step][0]

    report = way.deployer.deploy(service, Release("2", container), InPlaceUpdate(gates=[gate]))
    assert loss_of("node by node") == 0
    assert report.outcome is Outcome.SUCCEEDED
    assert sorted(set(seen)) == [1, 2, 3]  # node by node, with a look between them
    print(report)
    with pytest.raises(ConfigurationError, match=r"is a global service.*use InPlaceUpdate\(\)"):
        way.deployer.rollback("web")
    loss_of("between")
    all_at_once = InPlaceUpdate("100%")
    assert "0 of 3 instances useful: all may be replaced at once" in str(
        way.deployer.plan(service, Release("1", container), all_at_once)
    )
    assert way.deployer.rollback("web", strategy=all_at_once).to_version == "1"
    loss_of("all at once")
    bad = Release("3", evolve(container, environment={"UNHEALTHY": "1"}))
    with pytest.raises(DeploymentFailed) as failed:
        way.deployer.deploy(evolve(service, start_deadline_s=8.0), bad, InPlaceUpdate())
    assert failed.value.report.outcome is Outcome.ROLLED_BACK
    assert loss_of("one that fails, and back") == 0
    way.load.end()
    print(f"lost, of: {losses}\n{way.load.lost}")
    assert running() == {"1": 3}
    after = entrance.ask(lambda api: api.inspect_service("web"))["Spec"]
    assert (after["Name"], after["Mode"]) == ("web", {"Global": {}})
    assert after["UpdateConfig"] == before["UpdateConfig"]
    clear(nodes, wait_until)


@pytest.mark.timeout(400)
def test_cells_are_spread_and_limited_as_one_service_would_be(
    nodes: Nodes, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    entrance = nodes.managers[0]
    ids = [label(node, zone) for node, zone in zip(nodes.managers, "abb", strict=True)]
    seen: list[tuple[int, ...]] = []

    def on_nodes() -> tuple[int, ...]:
        tasks = entrance.ask(lambda api: api.tasks(filters={"desired-state": "running"}))
        found = Counter(task.get("NodeID") for task in tasks)
        seen.append(tuple(found[one] for one in ids))
        return seen[-1]

    spread = {"Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}], "MaxReplicas": 2}
    container = Container(nodes.image, service_spec={"TaskTemplate": {"Placement": spread}})
    gate = FunctionGate(lambda _: True, name="content")
    service = Service("web", replicas=4, cells=4, exposures=(), gates=(gate,), stop_grace_s=1.0)
    with contextlib.closing(SwarmOrchestrator(entrance.engine)) as orchestrator:
        deployer = Deployer(
            orchestrator, MemoryDiscovery(MemoryWorld()),
            journal=SqliteJournal(tmp_path / "journal"), lease=SqliteLease(tmp_path / "journal"),
            listeners=[lambda event: isinstance(event, CommandAnswered | Waited) and on_nodes() and None],
        )  # fmt: skip
        deployer.deploy(service, Release("1", container))
        assert on_nodes() == (2, 1, 1)
        report = deployer.deploy(service, Release("2", container), RollingUpdate(batch=2))
        assert not [line for line in report.warnings if "outside zdd" in line]  # what a cell was told is zdd's own
        assert on_nodes() == (2, 1, 1)
        versions = entrance.ask(written)
        assert orchestrator.tidy(service, Fence(10**6, "somebody later"))
        assert entrance.ask(written) == versions  # what the cells had been told for a time is gone with the deployment
        assert max(map(max, seen)) == 2
        assert (2, 2, 2) in seen  # as many at once as there is room for
        with pytest.raises(ConfigurationError, match=r"max_replicas_per_node=2 allows 6 on .*InPlaceUpdate"):
            deployer.deploy(service, Release("3", container), BlueGreen())
    availability(nodes.managers[2], "drain")
    try:  # zdd does nothing any more, and Swarm may still move what has to be moved
        wait_until(lambda: on_nodes() == (2, 2, 0), "the task of the drained node runs elsewhere", 60)
    finally:
        availability(nodes.managers[2], "active")
    clear(nodes, wait_until)


@pytest.mark.timeout(400)
def test_a_cell_that_has_no_room_where_the_others_are_not_runs_where_they_are(
    nodes: Nodes, wait_until: Callable[..., Any]
) -> None:
    entrance = nodes.managers[0]
    spare = 512 * 1024**2
    for node in nodes.managers[1:]:  # all that they have is reserved
        has = entrance.ask(lambda api, node=node: api.inspect_node(node.name))["Description"]["Resources"]
        template = {
            "ContainerSpec": {"Image": nodes.image, "Env": ["PORT=8080"]},
            "Resources": {"Reservations": {"MemoryBytes": has["MemoryBytes"] - spare // 2}},
            "Placement": {"Constraints": [f"node.hostname=={node.name}"]},
        }
        entrance.ask(lambda api, node=node, template=template: api.create_service(template, name=f"full-{node.name}"))
    spec = {"TaskTemplate": {"Resources": {"Reservations": {"MemoryBytes": spare}}}}
    revision = Revision("r1", "1", Container(nodes.image, service_spec=spec).specification())
    service, fence = Service("web", replicas=2, cells=2, exposures=()), Fence(1, "somebody")

    def ready() -> bool:
        cells = orchestrator.observe(service)
        orchestrator.tidy(service, fence)
        return [[one.state for one in cell.instances] for cell in cells] == [[InstanceState.READY]] * 2

    with contextlib.closing(SwarmOrchestrator(entrance.engine)) as orchestrator:
        wait_until(lambda: entrance.ask(lambda api: len(running(api))) == 2, "the others are full", 30)
        orchestrator.claim(service, fence)
        for cell in ("web", "web-2"):
            orchestrator.launch(service, revision, Launch(cell, revision.id, 1), fence)
        wait_until(ready, "both run on the one node that has room", 40)
    second = entrance.ask(lambda api: api.inspect_service("web-2"))
    assert AWAY in str(second["PreviousSpec"]["TaskTemplate"]["Placement"])
    assert AWAY not in str(second["Spec"]["TaskTemplate"]["Placement"])
    clear(nodes, wait_until)


def written(api: docker.APIClient) -> list[Any]:
    return sorted((one["ID"], one["Version"]["Index"]) for one in [*api.services(), *api.configs()])


def running(api: docker.APIClient) -> list[Any]:
    return [one for one in api.tasks() if one["Status"]["State"] == "running"]


def label(node: Node, zone: str) -> str:
    """Write onto a node in which zone it is, and return its id."""
    return change(node, lambda spec: spec.update(Labels={"zone": zone}))


def availability(node: Node, wanted: str) -> None:
    change(node, lambda spec: spec.update(Availability=wanted))


def change(node: Node, what: Callable[[dict[str, Any]], None]) -> str:
    def call(api: docker.APIClient) -> str:
        found = api.inspect_node(node.name)
        what(found["Spec"])
        api.update_node(found["ID"], found["Version"]["Index"], found["Spec"])
        return str(found["ID"])

    return str(node.ask(call))


def test_every_node_pulls_or_is_named(nodes: Nodes) -> None:
    entrance = nodes.managers[1].engine
    with contextlib.closing(Images(entrance)) as images:
        pinned = images.pin(nodes.image)
    assert PullEverywhere(pinned, entrance, deadline_s=60).run(CONTEXT) == f"3 nodes have {pinned}"
    absent = f"{nodes.registry}/shop/nothing@sha256:{'0' * 64}"
    with pytest.raises(PermanentError, match=r"node manager-\d can't have .*No such image"):
        PullEverywhere(absent, entrance, ("node.hostname != manager-1",), 60).run(CONTEXT)
