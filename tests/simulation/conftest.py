from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import define, field

from zdd.adapters.memory import Behaviour, MemoryDiscovery, MemoryInstance, MemoryOrchestrator, MemoryWorld
from zdd.interfaces import Fence
from zdd.model.command import Launch, Retire, Route
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.simulation.entries import happened
from zdd.simulation.process import Process
from zdd.simulation.watch import Watch


def _module(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    return _module("planted")


@define(slots=False)
class Life:
    """A small life that is looked at: three instances of one cell, behind one edge, and a deployer with a plan."""

    service: Service = field(factory=lambda: Service("web", replicas=3, drain_deadline_s=10))
    strategy: str = "RollingUpdate()"
    world: MemoryWorld = field(factory=MemoryWorld)
    watch: Watch = field(init=False)
    process: Process = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.edge = self.world.add_edge("edge")
        self.watch = Watch(self.world, self.service, 0.0)
        self.world.observe_changes(lambda entry: happened(self.watch, entry))
        self.process = Process(1)
        self.launch("web", "r1", 3)
        self.pass_s(10)
        self.watch.passed.update(one.id for one in self.of("r1"))
        self.route({"r1": 100})
        self.process.plan = self.plan()
        self.watch.process = self.process
        self.watch.violations.clear()

    def plan(self, *stages: Stage, floor: int = 3, ceiling: int = 4, **more: Any) -> Plan:
        revisions = {name: self.revision(name) for name in ("r1", "r2")}
        origin = (Goal("web", "r1", 3, 300),)
        done = stages or (Stage("replace", (Goal("web", "r2", 3, 300),)),)
        return Plan(self.service, "r2", revisions, origin, done, floor, ceiling, **{"strategy": self.strategy, **more})

    def revision(self, name: str) -> Revision:
        return Revision(name, name, Behaviour().specification())

    def launch(self, cell: str, revision: str, replicas: int) -> None:
        orchestrator = MemoryOrchestrator(self.world)
        orchestrator.launch(self.service, self.revision(revision), Launch(cell, revision, replicas), Fence(1, "me"))

    def retire(self, cell: str) -> None:
        MemoryOrchestrator(self.world).retire(self.service, Retire(cell), Fence(1, "me"))

    def of(self, revision: str) -> list[MemoryInstance]:
        return [one for one in self.world.instances("web") if one.revision == revision]

    def route(self, weights: Mapping[str, int], *, held: bool = False, but: Collection[str] = ()) -> None:
        """Give every instance of a revision this weight, but for those named."""
        registrations = tuple(
            Registration(one.id, one.cell, name, name, one.addresses, weight)
            for name, weight in weights.items()
            for one in self.of(name)
            if one.id not in but
        )
        MemoryDiscovery(self.world).apply(self.service, Route(registrations, held), Fence(1, "me"))
        self.pass_s(1)

    def pass_s(self, seconds: float) -> None:
        self.world.clock.run_until(self.world.clock.now() + seconds)

    def broken(self) -> list[str]:
        """Return the names of the rules that were broken."""
        return [violation.invariant.name for violation in self.watch.violations]


@pytest.fixture
def make_life() -> Callable[..., Life]:
    return Life


@pytest.fixture
def life() -> Life:
    return Life()
