"""Replacing instances of a cell that serves: forward, back, interrupted, and gone on with in another way."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, MemoryOrchestrator, MemoryWorld
from zdd.errors import ConfigurationError, DeploymentFailed
from zdd.events import CommandIntended, Outcome
from zdd.gates import FunctionGate
from zdd.interfaces import OrchestratorAbilities
from zdd.model.cell import InstanceState
from zdd.model.command import Change
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.rolling_update import RollingUpdate

ORDERS = ["start-first", "stop-first"]


def release(version, **behaviour):
    return Release(version, Behaviour(**behaviour))


@pytest.fixture
def shop(web):
    return web(replicas=4, cells=1)


def in_place(scene):
    """Return how far each change in place went."""
    sent = [event.command for event in scene.events if isinstance(event, CommandIntended)]
    return [(one.revision, one.in_place.changed) for one in sent if isinstance(one, Change) and one.in_place]


def revisions(scene):
    return sorted(one.version for one in scene.world.instances("web") if one.state is not InstanceState.STOPPING)


@pytest.mark.parametrize("order", ORDERS)
def test_batch_after_batch_is_replaced_and_judged_in_between(scene, shop, order):
    scene.deployer().deploy(shop, release("1.0"))
    judged = []

    def gate(target):
        judged.append((scene.world.clock.now(), revisions(scene)))
        return True

    strategy = InPlaceUpdate(order=order, gates=[FunctionGate(gate, name="clients are content")], hold_s=3)
    report = scene.deployer().deploy(shop, release("2.0"), strategy)
    assert report.outcome is Outcome.SUCCEEDED
    assert (report.floor, report.capacity_floor) == (3, 3)
    assert in_place(scene) == [("r2", 1), ("r2", 2), ("r2", 3), ("r2", 4)]
    assert {tuple(seen) for _, seen in judged} == {tuple(["1.0"] * (4 - n) + ["2.0"] * n) for n in (1, 2, 3, 4)}
    lost = [] if order == "start-first" else [x for x in scene.untidy(shop, "2.0") if "lost" in x]  # told: no drain
    assert scene.untidy(shop, "2.0") == lost


def test_what_starts_first_is_drained_before_it_is_stopped(scene, shop):
    scene.deployer().deploy(shop, release("1.0", request_s=0.5))
    report = scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate("50%"))
    assert report.outcome is Outcome.SUCCEEDED
    assert report.capacity_floor == 2
    assert scene.untidy(shop, "2.0") == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "bad", [{"never_ready": True}, {"healthy": False}, {"crashes_after_s": 0.5}, {"fails_after_s": 0.5}], ids=str
)
def test_a_bad_release_is_taken_back_in_place(scene, shop, order, bad):
    scene.deployer().deploy(shop, release("1.0"))
    with pytest.raises(DeploymentFailed) as caught:
        scene.deployer().deploy(shop, release("2.0", **bad), InPlaceUpdate(order=order))
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    report = caught.value.report
    assert report.ended_s - report.started_s < 40
    assert [changed for revision, changed in in_place(scene) if revision == "r1"] == [4]
    assert [x for x in scene.untidy(shop, "1.0") if order == "start-first" or "lost" not in x] == []


def test_a_gate_between_the_batches_that_fails_takes_back_what_was_done_batch_by_batch(scene, shop):
    scene.deployer().deploy(shop, release("1.0"))

    def gate(target):
        return revisions(scene).count("2.0") < 3

    with pytest.raises(DeploymentFailed, match="clients are content failed"):
        scene.deployer().deploy(
            shop, release("2.0"), InPlaceUpdate(gates=[FunctionGate(gate, name="clients are content")])
        )
    assert in_place(scene) == [("r2", 1), ("r2", 2), ("r2", 3), ("r1", 2), ("r1", 3), ("r1", 4)]
    assert scene.untidy(shop, "1.0") == []


def ends_well(scene, shop, number, killed, order):
    """Kill the deployer at its call of that number, and let another one go on."""
    scene.deployer().deploy(shop, release("1.0"))
    ended = False
    with scene.ended_at_call(number, killed):
        try:
            scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate(order=order))
        except killed:
            ended = True
    if ended:
        scene.pass_s(20)
        report = scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate(order=order))
        assert report.outcome is Outcome.SUCCEEDED
    # While nobody runs, a victim is stopped in traffic.
    assert [x for x in scene.untidy(shop, "2.0") if "lost" not in x] == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("number", range(3, 120, 9))
def test_a_deployer_killed_in_the_middle_is_gone_on_with(make_scene, shop, killed, number, order):
    scene = make_scene()
    ends_well(scene, shop, number, killed, order)
    changed = [far for revision, far in in_place(scene) if revision == "r2"]
    assert all(after - before <= 1 for before, after in zip([0, *changed], changed, strict=False)), changed


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), InPlaceUpdate()], ids=str)
@pytest.mark.parametrize("version", ["1.0", "2.0", "3.0"])
def test_what_was_left_half_done_can_be_gone_on_with_in_any_way(scene, shop, killed, strategy, version):
    scene.deployer().deploy(shop, release("1.0"))
    with scene.ended_at_call(60, killed), pytest.raises(killed):
        scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate())
    scene.pass_s(20)
    assert set(revisions(scene)) == {"1.0", "2.0"}
    report = scene.deployer().deploy(shop, release(version), strategy)
    assert report.outcome is Outcome.SUCCEEDED
    assert scene.untidy(shop, version) == []


def test_an_instance_that_dies_meanwhile_does_not_let_another_one_be_replaced(scene, shop):
    scene.deployer().deploy(shop, release("1.0"))
    scene.after_s(1.5, lambda: scene.world.cells.crash(scene.of_version("2.0")[0]))
    scene.after_s(4.5, lambda: scene.world.cells.crash(scene.of_version("1.0")[0]))
    report = scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate(hold_s=2))
    assert report.outcome is Outcome.SUCCEEDED
    assert len(scene.world.instances("web")) == 4
    assert [x for x in scene.untidy(shop, "2.0") if "lost" not in x] == []


def test_going_back_from_a_mixed_cell_leads_to_what_most_of_it_runs(scene, shop, killed):
    scene.deployer().deploy(shop, release("1.0"))
    with scene.ended_at_call(40, killed), pytest.raises(killed):
        scene.deployer().deploy(shop, release("2.0"), InPlaceUpdate())
    scene.pass_s(20)
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(shop, release("3.0", healthy=False), InPlaceUpdate())
    assert scene.untidy(shop, "1.0") == []


def test_a_worker_is_replaced_in_place(scene, web):
    worker = web(replicas=3, cells=1, exposures=())
    scene.deployer().deploy(worker, release("1.0"))
    report = scene.deployer().deploy(worker, release("2.0"), InPlaceUpdate())
    assert (report.outcome, report.capacity_floor) == (Outcome.SUCCEEDED, 2)
    assert scene.untidy(worker, "2.0") == []


def test_an_orchestrator_that_can_not_is_not_asked(shop):
    world = MemoryWorld()
    world.add_edge()
    orchestrator = MemoryOrchestrator(world, OrchestratorAbilities(in_place=False))
    assert not orchestrator.abilities.in_place
    from zdd import Deployer
    from zdd.adapters.memory import MemoryDiscovery, MemoryJournal, MemoryLease
    from zdd.sampler import InlineSampler

    deployer = Deployer(
        orchestrator,
        MemoryDiscovery(world),
        tuple(world.edges),
        journal=MemoryJournal(),
        lease=MemoryLease(world.clock),
        clock=world.clock,
        make_sampler=InlineSampler,
    )
    deployer.deploy(shop, release("1.0"), BlueGreen())
    with pytest.raises(ConfigurationError, match=r"while the others of their cell serve, which .* can't: use Rolling"):
        deployer.plan(shop, release("2.0"), InPlaceUpdate())


def test_the_plan_says_what_is_replaced_and_how_low_it_gets(scene, shop):
    scene.deployer().deploy(shop, release("1.0"))
    text = str(scene.deployer().plan(shop, release("2.0"), InPlaceUpdate()))
    print(text)
    assert "replace 1 of 4 in place" in text
    assert "at least 3 of 4 instances useful" in text
