"""Whole deployments in a world in memory: what a deployer works with, and what outlives its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from attrs import define, field

from zdd.adapters.memory import (
    Blame,
    Fault,
    HealthyGate,
    MemoryControl,
    MemoryDiscovery,
    MemoryInstance,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.events import Event
from zdd.interfaces import Fence, Holder
from zdd.model.gate import Gate
from zdd.model.service import Service
from zdd.sampler import InlineSampler

CALLS_MOST = 20_000
"""A deployment of these sizes needs some hundreds of calls. One that needs more goes round in circles."""


class Killed(BaseException):
    """The deployer's process ends here, as by kill -9: nothing of it runs any more, and its lease stays."""


@define
class LeaseOfAProcess:
    """The lease as one process sees it: a process that was killed can't let go of it."""

    lease: MemoryLease
    killed: bool = False

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        return self.lease.acquire(service, holder, ttl_s)

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        self.lease.renew(service, fence, ttl_s)

    def release(self, service: str, fence: Fence) -> None:
        if not self.killed:
            self.lease.release(service, fence)

    def holder(self, service: str) -> Holder | None:
        return self.lease.holder(service)


@define
class Scene:
    """A memory world, and what outlives a deployer's process: the journal and the lease."""

    world: MemoryWorld
    journal: MemoryJournal = field(factory=MemoryJournal)
    control: MemoryControl = field(factory=MemoryControl)
    events: list[Event] = field(factory=list)
    lease: MemoryLease = field(init=False)
    process: LeaseOfAProcess = field(init=False)
    calls: int = 0

    def __attrs_post_init__(self) -> None:
        self.lease = MemoryLease(self.world.clock)
        self.world.intercept = self._count

    def deployer(self, gate: Gate | None = None, *listeners: Callable[[Event], None]) -> Deployer:
        """Return the deployer of a new process; instances pass this gate, or that of the world's health."""
        gates = (gate or HealthyGate(self.world),)
        self.process = LeaseOfAProcess(self.lease)
        return Deployer(
            MemoryOrchestrator(self.world),
            MemoryDiscovery(self.world),
            tuple(self.world.edges),
            journal=self.journal,
            lease=self.process,
            clock=self.world.clock,
            make_sampler=InlineSampler,
            default_gates=lambda service: gates if service.exposures else (),
            listeners=[self.events.append, *listeners],
            control=self.control,
        )

    def pass_s(self, seconds: float) -> None:
        self.world.clock.run_until(self.world.clock.now() + seconds)

    def after_s(self, seconds: float, happens: Callable[[], object]) -> None:
        self.world.clock.call_after(seconds, lambda: (happens(), None)[1])

    def of_version(self, version: str) -> list[MemoryInstance]:
        return [one for one in self.world.instances() if one.version == version]

    def _count(self, method: str, service: str) -> Fault | None:
        self.calls += 1
        assert self.calls < CALLS_MOST, f"{method} of {service} was called {self.calls} times: nothing moves on"
        return None

    @contextmanager
    def ended_at_call(self, number: int, end: type[BaseException]) -> Iterator[None]:
        """Let the process end at its call of that number, if it makes so many."""
        self.calls = 0

        def intercept(method: str, service: str) -> Fault | None:
            self._count(method, service)
            if self.calls == number:
                self.process.killed = end is Killed
                raise end(f"at call {number}, {method}")
            return None

        self.world.intercept = intercept
        try:
            yield
        finally:
            self.world.intercept = self._count
            self.calls = 0

    def untidy(self, service: Service, version: str) -> list[str]:
        """Return everything that is not as it should be when this version alone runs."""
        instances = self.world.instances(service.name)
        registrations, held = self.world.registered(service.name)
        found = []
        if [one.version for one in instances] != [version] * service.replicas:
            found.append(f"there are {[(one.id, one.version, one.state.value) for one in instances]}")
        if service.exposures and len(self.world.serving(service.name)) != service.replicas:
            found.append(f"{len(self.world.serving(service.name))} of {service.replicas} serve")
        if service.exposures and {one.instance for one in registrations} != {one.id for one in instances}:
            found.append(f"registered are {[one.instance for one in registrations]}")
        cells = {cell.name for cell in self.world.cells.observe(service.name)}
        if cells != {one.cell for one in instances}:
            found.append(f"cells are {sorted(cells)}")
        if held:
            found.append("requests are held")
        if self.lease.holder(service.name):
            found.append("the lease is held")
        lost = [*self.world.lost(Blame.STOPPED_BY_COMMAND), *self.world.lost(Blame.ROUTED_BY_COMMAND)]
        if lost:
            found.append(f"lost: {lost[0]}")
        return found


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    def make(edge_lags_s: tuple[float, ...] = (0.1,), **settings: float) -> Scene:
        world = MemoryWorld(**settings)  # type: ignore[arg-type]
        for number, lag_s in enumerate(edge_lags_s):
            world.add_edge(f"edge-{number}" if number else "edge", lag_s=lag_s)
        return Scene(world)

    return make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()


@pytest.fixture(scope="session")
def killed() -> type[BaseException]:
    return Killed


@pytest.fixture
def web() -> Callable[..., Service]:
    def make(**settings: object) -> Service:
        usual: dict[str, object] = {"replicas": 3, "cells": 3, "drain_deadline_s": 5, "start_deadline_s": 10}
        return Service("web", **{**usual, **settings})  # type: ignore[arg-type]

    return make
