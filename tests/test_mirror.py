"""The mirror in a world in memory: virtual time, the same rules as everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from zdd import BlueGreen, DeploymentFailed, DeploymentInterrupted, Process, Release, Service
from zdd.adapters.memory import (
    Behaviour,
    Fault,
    HealthyGate,
    MemoryClock,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError, DeploymentInProgress, LeaseLost
from zdd.events import Event, StagePassed
from zdd.interfaces import Fence, mirror_role
from zdd.mirror import ABANDONED_AFTER_S, Mirror
from zdd.sampler import InlineSampler

TAKEOVER_S = 10.0
WEB = Service("web", replicas=3, cells=1, drain_deadline_s=5, start_deadline_s=10)


def release(version: str) -> Release:
    return Release(version, Process(["server"]))


class Scene:
    def __init__(self) -> None:
        self.world = MemoryWorld(MemoryClock())
        self.world.add_edge()
        self.clock = self.world.clock
        self.journal, self.lease = MemoryJournal(), MemoryLease(self.clock)
        self.deployer = self.make_deployer()

    def make_deployer(self, *listeners: Callable[[Event], None]) -> Deployer:
        return Deployer(
            MemoryOrchestrator(self.world),
            MemoryDiscovery(self.world),
            self.world.edges,
            journal=self.journal,
            lease=self.lease,
            clock=self.clock,
            make_sampler=InlineSampler,
            default_gates=lambda service: (HealthyGate(self.world),) if service.exposures else (),
            listeners=listeners,
        )

    def mirror(self, *services: str, actor: str = "ann@host:1") -> Mirror:
        return Mirror(self.deployer._around, services or ("web",), actor)

    def run(self, mirror: Mirror, seconds: float) -> None:
        end_s = self.clock.now() + seconds
        while self.clock.now() < end_s:
            self.clock.wait(min(end_s, mirror.look()))

    def weights(self) -> dict[str, int]:
        return {one.instance: one.weight for one in self.world.registered("web")[0]}

    def ids(self) -> set[str]:
        return {one.id for one in self.world.instances("web")}


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.deployer.deploy(WEB, release("1.0"))
    return made


def test_a_replacement_is_proven_and_registered_with_its_share_and_the_dead_one_goes(scene: Scene) -> None:
    before = scene.weights()
    dead = min(scene.ids())
    mirror = scene.mirror()
    scene.world.kill(dead)
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()
    assert dead not in scene.weights()
    assert sorted(scene.weights().values()) == sorted(before.values())
    assert len(scene.world.serving("web")) == 3


def test_a_replacement_that_does_not_pass_gets_nothing(scene: Scene) -> None:
    mirror = scene.mirror()
    scene.world.set_behaviour("1.0", Behaviour(healthy=False))
    dead = min(scene.ids())
    scene.world.kill(dead)
    scene.run(mirror, 40)
    assert set(scene.weights()) == scene.ids() - {max(scene.ids())}
    scene.world.mark(max(scene.ids()), healthy=True)
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()


def test_a_replacement_that_nobody_can_reach_is_told_and_one_that_was_known_stays(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    before, mirror = scene.weights(), scene.mirror()
    dead, known, _ = sorted(scene.ids())
    scene.world.lose_address(known)
    scene.world.set_behaviour("1.0", Behaviour(addresses_lost=1))
    scene.world.kill(dead)
    with caplog.at_level("INFO"):
        scene.run(mirror, 15)
    assert f"{max(scene.ids())} can't be reached, its address was lost: deploy again with restart" in caplog.text
    assert scene.weights()[known] >= before[known]
    assert max(scene.ids()) not in scene.weights()


def test_it_serves_again_after_all_of_them_died_and_one_is_let_in_before_the_others_are_ready(scene: Scene) -> None:
    mirror = scene.mirror()
    for name in scene.ids():
        scene.world.kill(name)
    scene.run(mirror, 20)
    assert len(scene.world.serving("web")) == 3
    assert set(scene.weights()) == scene.ids()


def test_of_two_copies_one_is_active_and_the_other_takes_over_when_it_has_died(scene: Scene) -> None:
    first, second = scene.mirror(), scene.mirror(actor="bob@host:2")
    first.look()
    second.look()
    holder = scene.lease.holder(mirror_role("web"))
    assert holder is not None
    assert holder.name == "mirror ann@host:1"
    scene.world.kill(min(scene.ids()))
    scene.run(second, TAKEOVER_S - 1)  # the first one hangs or is dead
    assert set(scene.weights()) != scene.ids()
    scene.run(second, 10)
    assert set(scene.weights()) == scene.ids()


def test_a_copy_that_was_closed_is_replaced_at_once(scene: Scene) -> None:
    first, second = scene.mirror(), scene.mirror(actor="bob@host:2")
    first.look()
    first.close()
    second.look()
    holder = scene.lease.holder(mirror_role("web"))
    assert holder is not None
    assert holder.name == "mirror bob@host:2"


def test_a_copy_that_was_paused_in_the_middle_of_a_change_and_wakes_changes_nothing(scene: Scene) -> None:
    first, second = scene.mirror(), scene.mirror(actor="bob@host:2")
    scene.world.kill(min(scene.ids()))
    woken: list[dict[str, int]] = []

    def pause(method: str, service: str) -> None:
        if method == "apply" and not woken:
            woken.append({})
            scene.run(second, 2 * TAKEOVER_S)  # meanwhile the other copy does all of it
            woken.append(scene.weights())

    scene.world.intercept = pause
    scene.run(first, 8)
    assert woken[1] == scene.weights()
    assert set(scene.weights()) == scene.ids()


def test_a_deployer_takes_the_lease_from_a_mirror_at_once(scene: Scene) -> None:
    fence = scene.lease.acquire("web", "mirror ann@host:1", 600.0)
    scene.deployer.deploy(WEB, release("2.0"))
    with pytest.raises(LeaseLost):
        scene.lease.renew("web", fence, 600.0)


def test_a_mirror_takes_it_neither_from_a_deployer_nor_from_another_mirror(scene: Scene) -> None:
    scene.lease.acquire("web", "bob@host:2", 600.0)
    with pytest.raises(DeploymentInProgress):
        scene.lease.acquire("web", "mirror ann@host:1", 600.0)
    scene.world.kill(min(scene.ids()))
    scene.run(scene.mirror(), 20)
    assert not set(scene.weights()) >= scene.ids()


def test_it_goes_on_with_what_a_later_deployment_meant(scene: Scene) -> None:
    mirror = scene.mirror()
    scene.run(mirror, 1)
    scene.deployer.deploy(WEB, release("2.0"), BlueGreen())
    scene.run(mirror, 1)
    dead = min(scene.ids())
    scene.world.kill(dead)
    scene.run(mirror, 25)
    assert set(scene.weights()) == scene.ids()
    assert len(scene.world.serving("web")) == 3


def test_after_a_deployment_that_was_taken_back_it_keeps_what_was_before(scene: Scene) -> None:
    scene.world.set_behaviour("2.0", Behaviour(healthy=False))
    with pytest.raises(DeploymentFailed):
        scene.deployer.deploy(WEB, release("2.0"))
    scene.world.kill(min(scene.ids()))
    scene.run(scene.mirror(), 15)
    assert {one.version for one in scene.world.serving("web")} == {"1.0"}
    assert set(scene.weights()) == scene.ids()


def test_of_an_unfinished_deployment_only_the_dead_are_forgotten_and_not_at_once(scene: Scene) -> None:
    def die(event: Event) -> None:
        if isinstance(event, StagePassed):
            raise KeyboardInterrupt

    dying = scene.make_deployer(die)
    with pytest.raises(DeploymentInterrupted):
        dying.deploy(WEB, release("2.0"), BlueGreen(keep_s=5))
    before = scene.weights()
    dead = next(name for name, weight in before.items() if weight)
    scene.world.kill(dead)
    mirror = scene.mirror()
    scene.run(mirror, ABANDONED_AFTER_S - 1)
    assert scene.weights() == before
    scene.run(mirror, 5)
    assert scene.weights() == {name: weight for name, weight in before.items() if name != dead}


def test_nothing_that_is_ready_is_taken_out_even_if_its_gates_fail(scene: Scene) -> None:
    mirror, before = scene.mirror(), scene.weights()
    for name in scene.ids():
        scene.world.mark(name, healthy=False)
    scene.run(mirror, 60)
    assert scene.weights() == before


def test_more_instances_by_hand_get_their_part_and_fewer_are_left_as_they_are(scene: Scene) -> None:
    mirror = scene.mirror()
    scene.world.scale_by_hand("web", "web", 5)
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()
    assert len(scene.ids()) == 5
    scene.world.scale_by_hand("web", "web", 2)
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()
    assert len(scene.ids()) == 2


def test_it_starts_stops_and_scales_nothing(scene: Scene) -> None:
    called: list[str] = []
    scene.world.intercept = lambda *call: called.append(call[0])
    scene.world.kill(min(scene.ids()))
    scene.run(scene.mirror(), 15)
    assert set(called) <= {"observe", "registrations", "view", "claim", "apply"}


class Untidy(MemoryOrchestrator):
    """Says when it was told to tidy up, and with which lease."""

    done = True

    def __init__(self, world: MemoryWorld, lease: MemoryLease) -> None:
        super().__init__(world)
        self._lease = lease
        self.tidied_s: list[float] = []

    def tidy(self, service: Service, fence: Fence) -> bool:
        holder = self._lease.holder(service.name)
        assert holder is not None
        assert holder.name == fence.holder
        self.tidied_s.append(self._world.clock.now())
        return self.done


@pytest.fixture
def untidy(scene: Scene) -> Untidy:
    made = Untidy(scene.world, scene.lease)
    scene.deployer._around = evolve(scene.deployer._around, orchestrator=made)
    return made


def test_it_has_put_right_what_was_left_after_a_deployment_and_after_a_change(scene: Scene, untidy: Untidy) -> None:
    mirror = scene.mirror()
    scene.run(mirror, 60)
    assert len(untidy.tidied_s) == 1
    killed_s = scene.clock.now()
    scene.world.kill(min(scene.ids()))
    scene.run(mirror, 60)
    assert set(scene.weights()) == scene.ids()
    assert [at_s for at_s in untidy.tidied_s if at_s >= killed_s]
    before = len(untidy.tidied_s)
    scene.deployer.deploy(WEB, release("2.0"))
    by_the_deployer = len(untidy.tidied_s)
    assert by_the_deployer > before
    scene.run(mirror, 60)
    assert len(untidy.tidied_s) == by_the_deployer + 1


def test_it_looks_again_every_ten_seconds_whether_what_is_left_can_be_put_right(scene: Scene, untidy: Untidy) -> None:
    untidy.done = False
    mirror = scene.mirror()
    scene.run(mirror, 35)
    assert len(untidy.tidied_s) == 4
    untidy.done = True
    scene.run(mirror, 60)
    assert len(untidy.tidied_s) == 5


def test_it_leaves_that_to_a_deployer_that_works_and_keeps_what_it_has_seen(scene: Scene, untidy: Untidy) -> None:
    mirror, other = scene.mirror(), scene.lease.acquire("web", "mirror bob@host:2", 600.0)
    scene.world.kill(min(scene.ids()))
    scene.run(mirror, 5)
    assert untidy.tidied_s == []
    scene.lease.release("web", other)
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()
    assert untidy.tidied_s


def test_an_edge_that_cannot_be_reached_keeps_no_replacement_out(scene: Scene) -> None:
    scene.world.add_fault(Fault("view"), times=500)
    scene.world.kill(min(scene.ids()))
    scene.run(scene.mirror(), 15)
    assert set(scene.weights()) == scene.ids()


def test_it_goes_on_after_discovery_was_away(scene: Scene) -> None:
    scene.world.add_fault(Fault("registrations"), times=3)
    scene.world.kill(min(scene.ids()))
    scene.run(scene.mirror(), 20)
    assert set(scene.weights()) == scene.ids()


def test_a_service_without_traffic_and_one_that_was_never_deployed_are_left_alone(scene: Scene) -> None:
    scene.deployer.deploy(Service("worker", replicas=1, exposures=()), release("1.0"))
    mirror = scene.mirror("worker", "nobody")
    scene.run(mirror, 5)
    assert scene.lease.holder("worker") is None


def test_without_names_every_service_that_was_deployed_is_kept(scene: Scene) -> None:
    mirror = scene.deployer.mirror()
    scene.world.kill(min(scene.ids()))
    scene.run(mirror, 15)
    assert set(scene.weights()) == scene.ids()


def test_an_illegal_interval_is_refused(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="interval_s of the mirror"):
        scene.deployer.mirror("web", interval_s=0)
