"""A real Consul whose disk is full: nothing can be written down, so nothing is done; with room again it goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.memory import (
    Behaviour,
    HealthyGate,
    MemoryDiscovery,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.errors import AdapterError, JournalError
from zdd.events import StagePassed
from zdd.interfaces import Fence
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.sampler import InlineSampler

ANN = Fence(1, "ann@host:1")
SHOP = Service("shop", replicas=2)
PROGRAM = """#!/bin/sh
# A disk of the agent's own, in a namespace of its own.
exec unshare --mount sh -c 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"' {data} {program} "$@"
"""


class Disk:
    """The disk of an agent."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._place = agent.directory / "data"

    def _run(self, *command: str) -> None:
        inside = ["nsenter", "-t", str(self._agent.pid), "-m", *command]
        subprocess.run(inside, capture_output=True, check=False)

    def fill(self) -> None:
        """Leave no room on it, but for what Consul has reserved for itself."""
        self._run("dd", "if=/dev/zero", f"of={self._place}/filling", "bs=4096")

    def make_room(self) -> None:
        """Leave as much as there was, and wait until Consul has found that out."""
        self._run("rm", f"{self._place}/filling")
        self._agent.await_ready()


@pytest.fixture
def small_agent(lab: Any, consul_program: Path, tmp_path: Path) -> Iterator[Any]:
    """An agent that has a disk of 2 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a disk in a namespace")
    data, program = tmp_path / "data", tmp_path / "consul"
    data.mkdir()
    program.write_text(PROGRAM.format(data=data, program=consul_program))
    program.chmod(0o755)
    settings = {"disable_coordinates": True}  # whatever else it writes by itself would find the disk full before us
    running = lab.ConsulAgent(program, tmp_path, settings=settings)
    running.start()
    yield running
    running.stop()


def event(number: int) -> StagePassed:
    return StagePassed(at_s=1000.0 + number, service="web", deployment="d", stage=number, title="t" * 10_000)


def write_on(journal: ConsulJournal, done: list[StagePassed]) -> None:
    """Write more than there is room for in what Consul has reserved for itself."""
    for number in range(200):
        journal.append("web", event(number), ANN)
        done.append(event(number))


def test_a_full_disk_is_said_and_nothing_is_done_until_there_is_room(small_agent: Any) -> None:
    journal, world, disk = (
        ConsulJournal(ConsulConnection(address=small_agent.address)),
        MemoryWorld(),
        Disk(small_agent),
    )
    deployer = Deployer(
        MemoryOrchestrator(world),
        MemoryDiscovery(world),
        [world.add_edge()],
        journal=journal,
        lease=MemoryLease(world.clock),
        clock=world.clock,
        make_sampler=InlineSampler,
        default_gates=lambda _: (HealthyGate(world),),
    )
    deployer.deploy(SHOP, Release("1.0", Behaviour()))
    written = journal.read("shop")
    before = (world.registered("shop"), [one.id for one in world.instances()])

    disk.fill()
    done: list[StagePassed] = []
    began_s = time.monotonic()
    with pytest.raises(JournalError, match=r"an event of web can't be written: .*no space left on device.*Make room"):
        write_on(journal, done)
    assert time.monotonic() - began_s < 30
    with pytest.raises((JournalError, AdapterError)):
        deployer.deploy(SHOP, Release("2.0", Behaviour()))
    assert (world.registered("shop"), [one.id for one in world.instances()]) == before

    disk.make_room()
    assert journal.read("shop") == written
    assert journal.read("web")[: len(done)] == tuple(done)
    assert len(journal.read("web")) <= len(done) + 1  # the one without an answer may be there, whole
    assert deployer.deploy(SHOP, Release("2.0", Behaviour())).outcome is not None
    assert {one.version for one in world.instances()} == {"2.0"}
