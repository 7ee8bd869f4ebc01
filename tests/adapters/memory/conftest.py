from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import define, field

from zdd.adapters.memory import (
    Behaviour,
    MemoryClock,
    MemoryDiscovery,
    MemoryEdge,
    MemoryInstance,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.interfaces import Fence
from zdd.model.cell import Cell
from zdd.model.command import Change, Launch, Retire, Route, Scale
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration


@define
class Stage:
    """A memory world with one service, and short words for what a deployer does in it."""

    world: MemoryWorld
    orchestrator: MemoryOrchestrator
    discovery: MemoryDiscovery
    edge: MemoryEdge
    service: Service = field(factory=lambda: Service("web", replicas=2))
    fence: Fence = field(factory=lambda: Fence(1, "me"))

    @property
    def clock(self) -> MemoryClock:
        return self.world.clock

    def pass_s(self, seconds: float) -> None:
        self.clock.run_until(self.clock.now() + seconds)

    def revision(self, version: str = "1.0") -> Revision:
        return Revision(f"r-{version}", version, {"kind": "process"})

    def launch(self, replicas: int = 1, cell: str = "a", version: str = "1.0", fence: Fence | None = None) -> None:
        revision = self.revision(version)
        self.orchestrator.launch(self.service, revision, Launch(cell, revision.id, replicas), fence or self.fence)

    def change(self, version: str, replicas: int = 1, cell: str = "a", fence: Fence | None = None) -> None:
        revision = self.revision(version)
        self.orchestrator.change(self.service, revision, Change(cell, revision.id, replicas), fence or self.fence)

    def scale(self, replicas: int, cell: str = "a", version: str = "1.0", fence: Fence | None = None) -> None:
        self.orchestrator.scale(self.service, self.revision(version), Scale(cell, replicas), fence or self.fence)

    def retire(self, cell: str = "a", *cut: str, fence: Fence | None = None) -> None:
        self.orchestrator.retire(self.service, Retire(cell, cut), fence or self.fence)

    def cells(self) -> tuple[Cell, ...]:
        return self.orchestrator.observe(self.service)

    def cell(self, name: str = "a") -> Cell:
        return next(cell for cell in self.cells() if cell.name == name)

    def route(self, weight: int, *instances: MemoryInstance, held: bool = False, fence: Fence | None = None) -> None:
        command = Route(
            tuple(Registration(i.id, i.cell, i.revision, i.version, i.addresses, weight) for i in instances), held
        )
        self.discovery.apply(self.service, command, fence or self.fence)

    def running(self, replicas: int = 1, cell: str = "a", version: str = "1.0") -> tuple[MemoryInstance, ...]:
        self.launch(replicas, cell, version)
        self.pass_s(5)
        return tuple(i for i in self.world.instances() if i.cell == cell)

    def serving(self, replicas: int = 1) -> tuple[MemoryInstance, ...]:
        instances = self.running(replicas)
        self.route(100, *instances)
        self.pass_s(5)
        return instances

    def view(self, *instances: MemoryInstance) -> EdgeView:
        return self.edge.view(self.service, [a for i in instances for a in i.addresses.values()])


@pytest.fixture
def make_stage() -> Callable[..., Stage]:
    def make(behaviour: Behaviour | None = None, **settings: float) -> Stage:
        world = MemoryWorld(behaviour=behaviour, **settings)  # type: ignore[arg-type]
        return Stage(world, MemoryOrchestrator(world), MemoryDiscovery(world), world.add_edge())

    return make


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()
