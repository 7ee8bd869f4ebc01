"""A real engine publishes a task at two ports: one for IPv4 and another one for IPv6.

It chooses each by itself, upwards from the last. Where a program of the node, or a connection that it has opened, has
the next port of one kind in use, the two differ, and from then on they do for every task of that engine. What is told
for IPv6 is then often the port at which IPv4 has the task before: another instance.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zdd.interfaces import Fence
from zdd.model.command import Launch
from zdd.model.release import Revision
from zdd.model.service import Service

OCCUPY = """
import socket, sys
held = [socket.socket() for _ in range(2)]
for number, one in enumerate(held, int(sys.argv[1])):
    one.bind(("0.0.0.0", number))
    one.listen()
print("held", flush=True)
sys.stdin.read()
"""


def published(swarm: Any, name: str) -> list[list[int]]:
    """Return the ports at which each task of a Swarm service is, as Swarm tells them."""
    tasks = swarm.api.tasks(filters={"service": name, "desired-state": "running"})
    return [[port["PublishedPort"] for port in one["Status"]["PortStatus"]["Ports"]] for one in tasks]


@pytest.fixture
def uneven(swarm: Any) -> Iterator[Any]:
    """A swarm on whose node the next two ports are in use, by IPv4 only."""
    if not swarm.facts.pid:
        pytest.skip("no ports are taken on an engine that the user named")
    swarm.run("probe", 1, "--publish", "mode=host,target=8080")
    last = max(max(ports) for ports in published(swarm, "probe"))
    inside = ["nsenter", "-t", str(swarm.facts.pid), "--net", sys.executable, "-c", OCCUPY, str(last + 1)]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        yield swarm
        program.communicate()


def test_each_task_is_reached_at_its_own_port(uneven: Any, orchestrator: Any, wait_until: Callable[..., Any]) -> None:
    web = Service("web", replicas=3, stop_grace_s=1.0)
    fence = Fence(1, "tests")
    orchestrator.claim(web, fence)
    for number in range(1, 4):
        cell = f"web-{number}"
        revision = Revision(f"r-{number}", str(number), uneven.workload())
        orchestrator.launch(web, revision, Launch(cell, f"r-{number}", 1), fence)
    for number in range(1, 4):
        (one,) = wait_until(lambda cell=f"web-{number}": uneven.ready(orchestrator, web, cell), "it is ready")
        assert any(len(set(ports)) == 2 for ports in published(uneven, f"web-{number}")), "the two ports are the same"
        with urllib.request.urlopen(f"http://{one.addresses['http']}/", timeout=5) as answer:
            assert answer.read().decode() == str(number)
