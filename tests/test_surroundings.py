"""Everything outside, looked at once: what can't be asked is in the look as such, and nobody is asked for nothing."""

from __future__ import annotations

import threading

import pytest
from attrs import define, evolve

from zdd.adapters.memory import (
    Behaviour,
    MemoryClock,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan
from zdd.model.release import Release, Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeAbilities, EdgeView, Registration
from zdd.sampler import InlineSampler
from zdd.surroundings import Surroundings

WEB = Service("web", replicas=2)
R1, R2 = (Revision(name, name, Release(name, Behaviour()).workload) for name in ("r1", "r2"))
PLAN = Plan(WEB, "r2", {"r1": R1, "r2": R2}, (Goal("web", "r1", 2, 1),), (), 0, 4)
FENCE = Fence(1, "ana@host:1")


@pytest.fixture
def world() -> MemoryWorld:
    world = MemoryWorld()
    world.add_edge()
    return world


@pytest.fixture
def around(world: MemoryWorld) -> Surroundings:
    return Surroundings(
        MemoryOrchestrator(world),
        MemoryDiscovery(world),
        tuple(world.edges),
        MemoryJournal(),
        MemoryLease(world.clock),
        world.clock,
        InlineSampler,
    )


def after(around: Surroundings, world: MemoryWorld, *commands: Command) -> Observation:
    for command in commands:
        around.act(PLAN, command, around.observe(WEB), FENCE)
        world.clock.run_until(world.clock.now() + 30)
    return around.observe(WEB)


def test_each_command_goes_to_whom_it_concerns(around: Surroundings, world: MemoryWorld) -> None:
    def cells(seen: Observation) -> list[tuple[str, str, int]]:
        return [(cell.name, cell.revision, cell.replicas) for cell in seen.cells]

    assert cells(after(around, world, Launch("web", "r1", 1))) == [("web", "r1", 1)]
    assert cells(after(around, world, Scale("web", 2))) == [("web", "r1", 2)]
    assert cells(after(around, world, Change("web", "r2", 2))) == [("web", "r2", 2)]
    assert after(around, world, Route((), held=True)).held
    assert cells(after(around, world, Retire("web"))) == []


def test_a_cell_that_somebody_changed_is_scaled_as_what_it_is(around: Surroundings, world: MemoryWorld) -> None:
    after(around, world, Launch("web", "r1", 1))
    unknown = Plan(WEB, "r2", {"r2": R2}, (), (), 0, 4)
    around.act(unknown, Scale("web", 2), around.observe(WEB), FENCE)
    assert around.observe(WEB).cells[0].replicas == 2


def test_an_edge_that_cannot_be_asked_is_in_the_look_as_such(around: Surroundings, world: MemoryWorld) -> None:
    assert [view.reachable for view in around.observe(WEB).edges] == [True]
    world.edges[0].cut_off()
    (view,) = around.observe(WEB).edges
    assert (view.reachable, bool(view.note)) == (False, True)


def test_nobody_is_asked_about_the_traffic_of_a_worker(around: Surroundings, world: MemoryWorld) -> None:
    world.edges[0].cut_off()
    seen = around.observe(Service("web", exposures=()))
    assert (seen.registrations, seen.edges, seen.held) == ((), (), False)


def test_edges_that_do_not_answer_cost_a_look_no_more_time_than_one(around: Surroundings) -> None:
    together = threading.Barrier(4)

    @define
    class Deaf:
        """Answers as late as it may, once everybody was asked."""

        name: str
        abilities = EdgeAbilities()

        def view(self, service: Service, addresses: object) -> EdgeView:
            together.wait(20.0)
            raise TemporaryError("no answer")

        def addresses(self, service: Service) -> dict[str, Address]:
            return {}

    edges = tuple(Deaf(f"edge-{number}") for number in range(4))
    seen = evolve(around, edges=edges, at_once=True).observe(WEB)
    assert [(view.edge, view.reachable) for view in seen.edges] == [(edge.name, False) for edge in edges]


def test_parts_that_are_in_the_place_of_another_are_refused():
    world = MemoryWorld()
    orchestrator, discovery, journal = MemoryOrchestrator(world), MemoryDiscovery(world), MemoryJournal()
    edge, lease = world.add_edge(), MemoryLease(world.clock)
    for parts, message in (
        ((discovery, orchestrator, [edge]), "orchestrator .* has no method observe: .* zdd.interfaces.Orchestrator"),
        ((MemoryOrchestrator, discovery, [edge]), "orchestrator <class .* has no method observe"),
        ((orchestrator, discovery, edge), "edges=.*: use a list of edges"),
        ((orchestrator, discovery, [journal]), "edge .* has no method view"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Deployer(*parts, journal=journal, lease=lease)
    with pytest.raises(ConfigurationError, match="lease_s is '5': use a number"):
        Deployer(orchestrator, discovery, [edge], journal=journal, lease=lease, lease_s="5")


@define
class Suspends:
    """A discovery that whoever asks it is suspended meanwhile: for so long at the first time, at the second…"""

    discovery: MemoryDiscovery
    clock: MemoryClock
    for_s: list[float]

    def registrations(self, service: Service) -> tuple[tuple[Registration, ...], bool]:
        self.clock.run_until(self.clock.now() + self.for_s.pop(0))
        return self.discovery.registrations(service)


@pytest.mark.parametrize(
    ("for_s", "seen", "left"),
    [
        ([3.0, 0.0], "ready", 1),
        ([16.0, 0.0], "failed", 0),
        ([16.0, 16.0], "failed", 0),
    ],
    ids=str,
)
def test_a_look_in_the_middle_of_which_somebody_was_suspended_is_made_once_again(
    around: Surroundings, world: MemoryWorld, for_s: list[float], seen: str, left: int
) -> None:
    after(around, world, Launch("web", "r1", 1))
    waits = [*for_s]
    world.clock.call_after(1.0, lambda: world.mark_failed(world.instances()[0].id))
    looks = evolve(around, discovery=Suspends(MemoryDiscovery(world), world.clock, waits))
    (cell,) = looks.observe(WEB).cells
    assert [one.state.value for one in cell.instances] == [seen]
    assert len(waits) == left
