"""How the rules of an orchestrator are tried on one over a world in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import Behaviour, MemoryClock, MemoryOrchestrator, MemoryWorld
from zdd.model.service import Exposure, Service
from zdd.testing import ORCHESTRATOR_RULES, Conditions
from zdd.testing.orchestrator_trial import OrchestratorTrial, orchestrator_trial
from zdd.testing.rules import Rule, try_rules

SERVICE = Service("kit", exposures=(Exposure("http"), Exposure("admin", path="/admin")), stop_grace_s=3.0)


def _records(world: MemoryWorld) -> set[str]:
    """Return of which cells there is a record: those that exist, and those that have gone and were not tidied up."""
    return {*world.cells.left(SERVICE.name), *(cell.name for cell in world.cells.observe(SERVICE.name))}


def _check(
    kind: Callable[[MemoryWorld], MemoryOrchestrator],
    rules: tuple[Rule[OrchestratorTrial], ...] = ORCHESTRATOR_RULES,
    **settings: Any,
) -> tuple[str, ...]:
    worlds: list[MemoryWorld] = []
    clock = MemoryClock()

    def make() -> MemoryOrchestrator:
        worlds.append(MemoryWorld(clock, Behaviour()))
        return kind(worlds[-1])

    def trials() -> AbstractContextManager[OrchestratorTrial]:
        return orchestrator_trial(make, evolve(conditions, **settings), lambda _: kind(worlds[-1]))

    conditions = Conditions(
        service=SERVICE,
        workload=Behaviour().specification(),
        never_ready=Behaviour(never_ready=True).specification(),
        slow_to_stop=Behaviour(stop_s=60.0).specification(),
        refused={"kind": "memory", "speed": 3},
        answers=lambda address: worlds[-1].health_at(address).healthy,
        kill=lambda instance: worlds[-1].kill(instance.id),
        written=lambda: (dict(worlds[-1].orchestrator_fences._greatest), _records(worlds[-1])),
        clock=clock,
    )
    return try_rules("the orchestrator", rules, trials)


@pytest.fixture(scope="session")
def check() -> Callable[..., tuple[str, ...]]:
    """Try rules, or all there are, on orchestrators of this kind; return the names of those that were tried."""
    return _check
