"""The doctor's look: what would lose requests, or be in the way, with the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd import ConfigurationError, Deployer, Release, Service
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.memory import (
    Behaviour,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.adapters.swarm.nodes import ailing
from zdd.model.address import Address
from zdd.model.finding import Severity


def node(name: str, state: str = "ready", role: str = "manager", reachable: str = "reachable") -> dict[str, object]:
    return {
        "ID": name,
        "Description": {"Hostname": name},
        "Spec": {"Role": role},
        "Status": {"State": state},
        "ManagerStatus": {"Reachability": reachable} if role == "manager" else None,
    }


def test_nothing_is_found_where_all_is_well() -> None:
    deployer = Deployer.in_memory(MemoryWorld())
    deployer.deploy(Service("web", replicas=2), Release("1.0", Behaviour()))
    assert deployer.services() == ("web",)
    assert deployer.checkup() == ()
    assert deployer.checkup("web") == ()


def test_an_edge_that_cannot_be_asked_is_an_error() -> None:
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    deployer.deploy(Service("web"), Release("1.0", Behaviour()))
    world.edges[0].cut_off()
    (found,) = deployer.checkup()
    assert found.severity is Severity.ERROR
    assert "nothing can be admitted or removed" in str(found)


def test_an_edge_that_does_not_answer_is_an_error_before_anything_was_ever_deployed(tmp_path: Path) -> None:
    world = MemoryWorld()
    nobody = Address("127.0.0.1", 1)
    edges = [HaproxyEdge(tmp_path / "none.sock", {"http": nobody}), CatalogTraefikEdge(nobody, {"http": nobody})]
    parts = (MemoryOrchestrator(world), MemoryDiscovery(world), edges)
    deployer = Deployer(*parts, journal=MemoryJournal(), lease=MemoryLease(world.clock))
    found = deployer.checkup()
    assert [(one.subject, one.severity) for one in found] == [(edge.name, Severity.ERROR) for edge in edges]
    assert all("answer" in one.problem for one in found)


def test_rights_that_discovery_lacks_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    deployer = Deployer.in_memory(MemoryWorld())
    deployer.deploy(Service("web"), Release("1.0", Behaviour()))

    def refuse(discovery: MemoryDiscovery, service: Service) -> None:
        raise ConfigurationError(f"the token for {service.name} is not permitted enough")

    monkeypatch.setattr(MemoryDiscovery, "check", refuse)
    (found,) = deployer.checkup()
    assert found.severity is Severity.ERROR
    assert "the token for web is not permitted enough" in str(found)


def test_an_instance_that_nobody_can_reach_is_told_and_one_that_discovery_knows_is_not() -> None:
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    deployer.deploy(Service("web", replicas=2), Release("1.0", Behaviour()))
    first, second = world.instances()
    world.lose_address(first.id)
    assert deployer.checkup() == ()
    world.set_behaviour("1.0", Behaviour(addresses_lost=1))
    world.kill(second.id)
    world.clock.run_until(world.clock.now() + 5)
    (found,) = deployer.checkup()
    assert "can't be reached: its address was lost" in str(found)
    assert "restart" in str(found)


def test_a_name_that_was_never_deployed_is_told() -> None:
    deployer = Deployer.in_memory(MemoryWorld())
    (found,) = deployer.checkup("wbe")
    assert "never deployed" in str(found)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a"), node("b"), node("c")], []),
        ([node("a"), node("b"), node("c"), node("d", "down", "worker")], ["node d is down"]),
        ([node("a")], ["1 of 1 managers"]),
        ([node("a"), node("b"), node("c", reachable="unreachable")], ["2 of 3 managers"]),
    ],
)
def test_what_is_wrong_with_the_nodes(nodes: list[dict[str, object]], said: list[str]) -> None:
    found = [f"{subject} {problem}" for subject, problem, _ in ailing(nodes)]
    assert len(found) == len(said)
    assert all(text in words for text, words in zip(said, found, strict=True))
