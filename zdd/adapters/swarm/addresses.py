"""Where the edges reach a task: at a port of its node, or at its own address on an overlay network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.observed import container_ports
from zdd.errors import ConfigurationError
from zdd.model.address import Address
from zdd.model.names import pairs_of
from zdd.model.service import Service

Json = dict[str, Any]

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def _hosts(value: Any) -> dict[str, str]:
    """Return host name of a node → address, without the brackets that one of IPv6 has beside a port."""
    hosts = {}
    for node, stated in pairs_of("nodes of NodePorts", value, {"node-1": "10.0.0.1"}).items():
        host = stated.removeprefix("[").removesuffix("]") if isinstance(stated, str) else ""
        if not isinstance(node, str) or not (_is_ip(host) or _HOST_NAME.fullmatch(host)):
            raise ConfigurationError(
                f"node {node!r} of NodePorts is at {stated!r}: use its host name, and an IP address or a name without "
                "a port, for example {'node-1': '10.0.0.1'}"
            )
        hosts[node] = host
    return hosts


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@frozen
class NodePorts:
    """At ports of its node. zdd publishes every exposure there, at a port that Swarm chooses.

    Swarm tells the port only when the task runs. When something in the swarm changes a running task, as a leader that
    has just been elected may, the node reports the task again and leaves its ports out, for good.

    Attributes:
        nodes: Host name of a node → the address at which the edges and the deployer reach it. A node that isn't
            there has the address by which the swarm knows it. A name is taken for that of an IPv4 address: the ports of
            IPv4 and of IPv6 can differ.
    """

    nodes: Mapping[str, str] = field(factory=dict, converter=_hosts)


@frozen
class OverlayAddresses:
    """At its own address on an overlay network that the edges and the deployer are on. Nothing is published.

    Attributes:
        network: The network's name.
    """

    network: str = field()

    @network.validator
    def _check(self, _: object, value: object) -> None:
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"network of OverlayAddresses is {value!r}: use its name, for example 'back'")


class TaskAddresses:
    """Tells the addresses of tasks.

    The addresses of nodes are asked for once, and again for a node that is new or had none: a leader of the swarm that
    has just been elected knows no address of a worker until that has reported to it.

    Raises:
        ConfigurationError: The way is none of the two.
    """

    def __init__(self, engine: Engine, way: NodePorts | OverlayAddresses) -> None:
        if not isinstance(way, NodePorts | OverlayAddresses):
            raise ConfigurationError(f"addresses of Swarm is {way!r}: use NodePorts() or OverlayAddresses('back')")
        self._engine = engine
        self._way = way
        self._nodes: dict[str, str] = {}
        self._ports: dict[str, dict[str, list[Json]]] = {}

    def learn(self, service: Service, tasks: Sequence[Json]) -> None:
        """Remember the ports of the tasks that run, and forget those of all others: a task never changes its ports."""
        known = self._ports.get(service.name, {})
        told = {task["ID"]: _told_ports(task) or known.get(task["ID"], []) for task in tasks if _runs(task)}
        self._ports[service.name] = {task: ports for task, ports in told.items() if ports}

    def of(self, service: Service, swarm_service: Json, task: Json) -> dict[str, Address]:
        """Return port name → address, as far as they are known; all of them or none."""
        ports = container_ports(service, swarm_service, task)
        if isinstance(self._way, OverlayAddresses):
            host = _overlay_address(task, self._way.network)
            return {name: Address(host, number) for name, number in ports.items()} if host else {}
        published = self._published(service, task)
        if not ports or not published:
            return {}
        node = self._node(task.get("NodeID", ""), self._way)
        numbers = _numbers(published, node)
        if not node or not all(number in numbers for number in ports.values()):
            return {}
        return {name: Address(node, numbers[number]) for name, number in ports.items()}

    def lost(self, service: Service, swarm_service: Json, task: Json) -> str:
        """Say why nobody will ever learn the address of a task, although it runs; empty: it is known, or may be yet."""
        if not isinstance(self._way, NodePorts) or not _runs(task) or self._published(service, task):
            return ""
        wanted = set(container_ports(service, swarm_service, task).values())
        ports = (swarm_service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
        if not wanted & {port["TargetPort"] for port in ports if port.get("PublishMode") == "host"}:
            return ""
        return "Swarm tells no port of it, though it runs and has one: the swarm lost what its node reported"

    def _published(self, service: Service, task: Json) -> list[Json]:
        return _told_ports(task) or self._ports.get(service.name, {}).get(task["ID"], [])

    def _node(self, node_id: str, way: NodePorts) -> str:
        if not self._nodes.get(node_id):
            told = {node["ID"]: _node_address(node, way) for node in self._engine.nodes()}
            self._nodes |= {node: address for node, address in told.items() if address}
        return self._nodes.get(node_id, "")


def _runs(task: Json) -> bool:
    return bool(task["Status"]["State"] == "running")


def _told_ports(task: Json) -> list[Json]:
    return list((task["Status"].get("PortStatus") or {}).get("Ports") or [])


def _numbers(published: Sequence[Json], node: str) -> dict[int, int]:
    """Return port of the container → port of the node, of the kind of address that the node has.

    The engine publishes at a port for IPv4 and then at one for IPv6, and Swarm tells both in this order without saying
    which is which. They are the same until one of the two is in use by something else; then they differ for every task
    of the engine, and the one for IPv6 may lead to another task by IPv4 (moby#42442; seen with 20.10 and 26.1). A name
    is taken for one of an IPv4 address.
    """
    told = [(port["TargetPort"], port["PublishedPort"]) for port in published if port["Protocol"] == "tcp"]
    return dict(told if ":" in node else reversed(told))


def _node_address(node: Json, way: NodePorts) -> str:
    stated = way.nodes.get(node["Description"].get("Hostname", ""))
    manager = (node.get("ManagerStatus") or {}).get("Addr", "")  # Status.Addr of a manager may be 0.0.0.0
    return stated or manager.rpartition(":")[0].strip("[]") or str(node["Status"].get("Addr", ""))


def _overlay_address(task: Json, network: str) -> str:
    for attachment in task.get("NetworksAttachments") or []:
        if attachment["Network"]["Spec"]["Name"] == network and attachment.get("Addresses"):
            return str(attachment["Addresses"][0]).partition("/")[0]
    return ""
