"""Where the edges reach a task, from what Swarm says of nodes and tasks."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define

from zdd.adapters.swarm.addresses import NodePorts, OverlayAddresses, TaskAddresses
from zdd.errors import ConfigurationError
from zdd.model.address import Address
from zdd.model.service import Service

TASK = {
    "ID": "t-1",
    "NodeID": "n-1",
    "Spec": {"ContainerSpec": {"Labels": {"zdd.revision": "r-1", "zdd.port.http": "8080"}}},
    "Status": {
        "State": "running",
        "PortStatus": {"Ports": [{"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 32768}]},
    },
}

WEB = Service("web")
PUBLISHED = {"Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 8080, "PublishMode": "host"}]}}}


@define(eq=False)
class Manager:
    """A swarm of one node, as its manager tells of it now."""

    status: dict[str, Any]
    manager: dict[str, Any] | None = None
    asked: int = 0

    def nodes(self) -> list[dict[str, Any]]:
        self.asked += 1
        node: dict[str, Any] = {"ID": "n-1", "Description": {"Hostname": "worker-1"}, "Status": self.status}
        return [node | ({"ManagerStatus": self.manager} if self.manager else {})]


def found(addresses: TaskAddresses) -> dict[str, Address]:
    return addresses.of(WEB, {"Spec": {}}, TASK)


def test_a_node_without_an_address_is_looked_up_again_and_one_with_an_address_is_not() -> None:
    manager = Manager({"State": "unknown"})  # a new leader has forgotten it until the node reports to it
    addresses = TaskAddresses(manager, NodePorts())
    assert found(addresses) == {}
    manager.status = {"State": "ready", "Addr": "10.0.0.7"}
    assert found(addresses) == {"http": Address("10.0.0.7", 32768)}
    asked = manager.asked
    manager.status = {"State": "unknown"}
    assert found(addresses) == {"http": Address("10.0.0.7", 32768)}
    assert manager.asked == asked


@pytest.mark.parametrize(
    ("nodes", "manager", "host"),
    [
        ({}, None, "10.0.0.7"),
        ({}, {"Addr": "10.0.0.8:2377"}, "10.0.0.8"),
        ({}, {"Addr": "[fd00::8]:2377"}, "fd00::8"),
        ({"worker-1": "192.0.2.1"}, {"Addr": "10.0.0.8:2377"}, "192.0.2.1"),
    ],
)
def test_what_is_stated_holds_then_the_address_among_managers(
    nodes: dict[str, str], manager: dict[str, Any] | None, host: str
) -> None:
    addresses = TaskAddresses(Manager({"Addr": "10.0.0.7"}, manager), NodePorts(nodes))
    assert found(addresses) == {"http": Address(host, 32768)}


@pytest.mark.parametrize("host", ["192.0.2.1", "fd00::7", "fe80::7%eth0", "worker-1", "worker_1.example.org"])
def test_a_stated_address_is_one_of_ip_or_a_name(host: str) -> None:
    assert NodePorts({"worker-1": host}).nodes == {"worker-1": host}
    assert NodePorts({"worker-1": f"[{host}]"}).nodes == {"worker-1": host}


@pytest.mark.parametrize("nodes", [
    "worker-1", None, {"worker-1": ""}, {"worker-1": 7}, {7: "10.0.0.1"}, {"worker-1": "10.0.0.1:80"},
    {"worker-1": "[fd00::7]:80"}, {"worker-1": "http://worker-1"}, {"worker-1": "two words"},
])  # fmt: skip
def test_what_is_no_address_of_a_node_is_refused(nodes: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'node-1': '10\.0\.0\.1'"):
        NodePorts(nodes)


def test_another_way_is_refused() -> None:
    for network in ("", None, 7):
        with pytest.raises(ConfigurationError, match="network of OverlayAddresses"):
            OverlayAddresses(network)
    for way in ("back", NodePorts, {"worker-1": "10.0.0.1"}):
        with pytest.raises(ConfigurationError, match=r"use NodePorts\(\) or OverlayAddresses"):
            TaskAddresses(Manager({}), way)


@pytest.mark.parametrize(
    ("node", "told", "meant"),
    [
        ("10.0.0.7", [32769, 32768], 32769),
        ("fd00::7", [32769, 32768], 32768),
        ("worker-1.example", [32769, 32768], 32769),
        ("10.0.0.7", [32768, 32768], 32768),
        ("10.0.0.7", [32768], 32768),
        ("fd00::7", [32768], 32768),
    ],
    ids=["IPv4", "IPv6", "a name", "the same for both", "only IPv4", "only IPv4, at an address of IPv6"],
)
def test_a_port_is_that_of_the_nodes_kind_of_address(node: str, told: list[int], meant: int) -> None:
    # The engine has a port for IPv4 and one for IPv6; where one of the two was in use, they differ from then on.
    ports = [{"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": number} for number in told]
    ports.insert(1, {"Protocol": "udp", "TargetPort": 8080, "PublishedPort": 40000})
    task = TASK | {"Status": {"State": "running", "PortStatus": {"Ports": ports}}}
    addresses = TaskAddresses(Manager({"Addr": node}), NodePorts())
    assert addresses.of(WEB, PUBLISHED, task) == {"http": Address(node, meant)}


# What a node reports once something has changed a task that runs.
REPORTED_AGAIN = TASK | {"Status": {"State": "running", "PortStatus": {}}}


def test_a_port_that_was_told_once_is_remembered_for_as_long_as_the_task_runs() -> None:
    addresses = TaskAddresses(Manager({"Addr": "10.0.0.7"}), NodePorts())
    addresses.learn(WEB, [TASK])
    addresses.learn(Service("other"), [])
    addresses.learn(WEB, [REPORTED_AGAIN])
    assert addresses.of(WEB, PUBLISHED, REPORTED_AGAIN) == {"http": Address("10.0.0.7", 32768)}
    assert addresses.lost(WEB, PUBLISHED, REPORTED_AGAIN) == ""
    addresses.learn(WEB, [REPORTED_AGAIN | {"Status": {"State": "failed"}}])
    assert addresses.of(WEB, PUBLISHED, REPORTED_AGAIN) == {}


def test_a_port_that_nobody_can_learn_any_more_is_told_plainly() -> None:
    addresses = TaskAddresses(Manager({"Addr": "10.0.0.7"}), NodePorts())
    addresses.learn(WEB, [REPORTED_AGAIN])
    assert addresses.of(WEB, PUBLISHED, REPORTED_AGAIN) == {}
    assert addresses.lost(WEB, PUBLISHED, REPORTED_AGAIN).startswith("Swarm tells no port of it, though it runs")
    assert addresses.lost(WEB, PUBLISHED, TASK) == ""


@pytest.mark.parametrize(
    ("task", "swarm_service", "way"),
    [
        (TASK | {"Status": {"State": "starting"}}, PUBLISHED, NodePorts()),
        (REPORTED_AGAIN, {"Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 8080}]}}}, NodePorts()),
        (
            REPORTED_AGAIN,
            {"Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 9, "PublishMode": "host"}]}}},
            NodePorts(),
        ),
        (REPORTED_AGAIN, {"Spec": {}}, NodePorts()),
        (REPORTED_AGAIN, PUBLISHED, OverlayAddresses("edges")),
    ],
    ids=["not running yet", "through the mesh", "another port", "nothing published", "no port of the node's needed"],
)
def test_nothing_is_lost_that_may_be_told_or_is_not_needed(
    task: dict[str, Any], swarm_service: dict[str, Any], way: NodePorts | OverlayAddresses
) -> None:
    addresses = TaskAddresses(Manager({"Addr": "10.0.0.7"}), way)
    addresses.learn(WEB, [task])
    assert addresses.lost(WEB, swarm_service, task) == ""
