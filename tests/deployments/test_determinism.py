"""The same story gives the same events, in any process: what a deployer does depends on nothing but what it sees.

As a script it tells the story and prints its events, for a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from attrs import astuple, evolve

from zdd.adapters.memory import Behaviour, Fault, HealthyGate, MemoryWorld
from zdd.deployer import Deployer
from zdd.errors import DeploymentFailed
from zdd.events import DeploymentStarted, Event
from zdd.model.release import Release
from zdd.model.service import Exposure, Service
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary

WEB = Service("web", replicas=5, cells=3, exposures=[Exposure("http"), Exposure("admin", path="/admin")])


def tell() -> list[Event]:
    """Deploy in several ways to a world in which things go wrong; return everything that the deployer says."""
    world = MemoryWorld(discovery_lag_s=0.2)
    for name, lag_s in (("north", 0.1), ("south", 0.7), ("west", 0.3)):
        world.add_edge(name, lag_s=lag_s)
    events: list[Event] = []
    deployer = Deployer.in_memory(world, listeners=[events.append])
    deployer.deploy(WEB, Release("1.0", Behaviour()))
    world.clock.call_after(4, lambda: world.kill(world.instances("web")[1].id))
    world.add_fault(Fault("apply", kind="unknown", applied_after_s=1))
    deployer.deploy(WEB, Release("2.0", Behaviour(long_connections=1)))
    deployer.deploy(WEB, Release("3.0", Behaviour()), Canary(hold_s=5, gates=[HealthyGate(world)]))
    with pytest.raises(DeploymentFailed):
        deployer.deploy(WEB, Release("4.0", Behaviour(errors_under_traffic=True)), BlueGreen(keep_s=20))
    deployer.rollback("web")
    deployer.remove("web")
    return events


def without_the_process(event: Event) -> Event:
    return evolve(event, actor="") if isinstance(event, DeploymentStarted) else event


def lines() -> list[str]:
    return [f"{without_the_process(event)!r} {whole_plan(event)}" for event in tell()]


def whole_plan(event: Event) -> str:
    """A plan shows little of itself."""
    return repr(astuple(event.plan, recurse=False)) if isinstance(event, DeploymentStarted) else ""


def lines_of_a_process(hash_seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_the_same_story_gives_the_same_events():
    first = lines()
    assert len(first) > 200
    assert first == lines()


def test_the_same_story_gives_the_same_events_in_processes_that_hash_differently():
    assert lines_of_a_process("1") == lines_of_a_process("2") == lines()


if __name__ == "__main__":
    print("\n".join(lines()))
