"""What commands left behind is put right by whoever holds the lease, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd import Release, Service
from zdd.adapters.memory import (
    Behaviour,
    HealthyGate,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.errors import LeaseLost, OutcomeUnknown, TemporaryError
from zdd.events import Event, Outcome, Waited
from zdd.interfaces import Fence
from zdd.sampler import InlineSampler
from zdd.tidying import PATIENCE_S

WEB = Service("web", replicas=2, drain_deadline_s=5, start_deadline_s=10)
OLD, NEW = (Release(version, Behaviour()) for version in ("1.0", "2.0"))


class Leaving(MemoryOrchestrator):
    """Keeps the record of a retired cell until it is tidied up, and may be unable to do so."""

    def __init__(self, world: MemoryWorld) -> None:
        super().__init__(world)
        self.left: set[str] = set()
        self.tokens: list[int] = []
        self.trouble: Callable[[], None] = lambda: None

    def retire(self, service: Service, command: Any, fence: Fence) -> None:
        super().retire(service, command, fence)
        self.left.add(command.cell)

    def tidy(self, service: Service, fence: Fence) -> bool:
        self.tokens.append(fence.token)
        gone = self.left - {cell.name for cell in self.observe(service)}
        if gone:
            self.trouble()
        self.left -= gone
        return not self.left


class Scene:
    def __init__(self) -> None:
        self.world = MemoryWorld()
        self.world.add_edge()
        self.orchestrator = Leaving(self.world)
        self.events: list[Event] = []
        self.deployer = Deployer(
            self.orchestrator,
            MemoryDiscovery(self.world),
            self.world.edges,
            journal=MemoryJournal(),
            lease=MemoryLease(self.world.clock),
            clock=self.world.clock,
            make_sampler=InlineSampler,
            default_gates=lambda _: (HealthyGate(self.world),),
            listeners=[self.events.append],
        )

    def fail(self, error: Exception, times: int = 10**6) -> None:
        """Let it be impossible to tidy up for so many times."""
        left = [times]

        def trouble() -> None:
            left[0] -= 1
            if left[0] >= 0:
                raise error

        self.orchestrator.trouble = trouble

    def waits(self) -> set[str]:
        return {reason for event in self.events if isinstance(event, Waited) for reason in event.reasons}


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.deployer.deploy(WEB, OLD)
    made.orchestrator.tokens.clear()
    return made


def test_a_deployment_puts_right_what_it_leaves_before_it_ends(scene: Scene) -> None:
    report = scene.deployer.deploy(WEB, NEW)
    assert report.outcome is Outcome.SUCCEEDED
    assert scene.orchestrator.left == set()
    assert set(scene.orchestrator.tokens) == {2}
    assert not report.unproven


def test_who_only_looks_puts_nothing_right(scene: Scene) -> None:
    scene.orchestrator.left = {"web-9"}
    scene.deployer.plan(WEB, NEW)
    scene.deployer.checkup("web")
    scene.deployer.history("web")
    scene.deployer.report("web")
    assert scene.orchestrator.tokens == []


def test_what_a_deployer_that_died_left_goes_with_the_next_call_although_there_is_nothing_to_deploy(
    scene: Scene,
) -> None:
    scene.orchestrator.left = {"web-9"}
    assert scene.deployer.deploy(WEB, OLD).outcome is Outcome.UNCHANGED
    assert scene.orchestrator.left == set()
    scene.deployer.remove("web")
    scene.orchestrator.left = {"web-9"}
    assert scene.deployer.remove("web").outcome is Outcome.UNCHANGED
    assert scene.orchestrator.left == set()


@pytest.mark.parametrize("error", [TemporaryError("no leader"), OutcomeUnknown("no answer", settles_within_s=5)])
def test_what_can_not_be_put_right_now_is_waited_for(scene: Scene, error: Exception) -> None:
    scene.fail(error, times=4)
    report = scene.deployer.deploy(WEB, NEW)
    assert report.outcome is Outcome.SUCCEEDED
    assert scene.orchestrator.left == set()
    assert not report.unproven
    assert f"what commands left behind to be put right: {error}" in scene.waits()


def test_what_can_not_be_put_right_at_all_is_told_by_the_deadline(scene: Scene) -> None:
    scene.fail(TemporaryError("no leader"))
    began_s = scene.world.clock.now()
    report = scene.deployer.deploy(WEB, NEW)
    assert report.outcome is Outcome.SUCCEEDED
    assert report.unproven == ("what commands left behind was not put right: no leader",)
    assert scene.world.clock.now() - began_s < PATIENCE_S + 10
    scene.orchestrator.trouble = lambda: None
    assert scene.deployer.deploy(WEB, NEW).outcome is Outcome.UNCHANGED
    assert scene.orchestrator.left == set()


def test_one_that_finds_nothing_to_deploy_tells_what_it_could_not_put_right(scene: Scene) -> None:
    scene.orchestrator.left = {"web-9"}
    scene.fail(TemporaryError("no leader"))
    report = scene.deployer.deploy(WEB, OLD)
    assert report.outcome is Outcome.UNCHANGED
    assert report.reason == "1.0 runs already; what commands left behind was not put right: no leader"


def test_a_deployer_that_is_shut_out_does_nothing_further(scene: Scene) -> None:
    scene.fail(LeaseLost("a newer deployer has taken over web"))
    with pytest.raises(LeaseLost):
        scene.deployer.deploy(WEB, NEW)
