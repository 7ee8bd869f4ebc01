"""Faults that there once were. Each test failed before its fault was mended."""

from __future__ import annotations

import pytest
from attrs import frozen

from zdd.adapters.memory import Behaviour, Blame, Fault, What
from zdd.errors import DeploymentError, DeploymentFailed, DeploymentInterrupted
from zdd.events import CommandIntended, InstanceMoved, Moment, Outcome
from zdd.gates import FunctionGate
from zdd.model.command import Route
from zdd.model.plan import Stage
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())
BAD = Release("2.0", Behaviour(healthy=False))


# 1
def test_what_serves_since_an_interrupted_first_deployment_goes_on_serving_when_the_next_release_fails(scene, web):
    service = web(replicas=1, cells=1)

    def interrupt(method, name):
        if scene.world.serving("web"):
            scene.world.intercept = None
            raise KeyboardInterrupt

    scene.world.intercept = interrupt
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(service, OLD)
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(service, BAD)
    assert scene.world.lost(Blame.GAP) == ()
    assert [one.version for one in scene.world.serving("web")] == ["1.0"]


# 2
def test_cells_without_traffic_that_a_stuck_deployment_left_do_not_stand_in_for_a_spare_one(scene, web):
    service = web()
    scene.deployer().deploy(service, OLD)
    scene.world.add_fault(Fault("retire", kind="permanent"))
    with pytest.raises(DeploymentError):
        scene.deployer().deploy(service, BAD)  # stuck: web-4 can't be retired
    scene.deployer().deploy(service, Release("3.0", Behaviour()))
    assert scene.untidy(service, "3.0") == []


# 3
def test_a_deployment_ends_when_the_instances_that_were_changed_are_gone_too(scene, web):
    slow = Release("1.0", Behaviour(stop_s=5))
    scene.deployer().deploy(web(), slow)
    scene.deployer().deploy(web(), NEW)
    assert scene.untidy(web(), "2.0") == []


# 4
def test_a_worker_has_no_requests_that_could_be_held(scene, web):
    worker = web(exposures=(), overlap="forbidden")
    scene.deployer().deploy(worker, OLD)
    scene.deployer().deploy(worker, NEW)
    assert not [e for e in scene.events if isinstance(e, CommandIntended) and isinstance(e.command, Route)]
    assert scene.world.registered("web") == ((), False)


# 5
def test_a_canary_whose_instance_dies_gets_no_more_than_its_share(scene, web):
    service = web(replicas=6, cells=2)
    scene.deployer().deploy(service, OLD)
    shares = []

    def look(entry):
        if entry.what is What.REGISTERED:
            weights = {"1.0": 0, "2.0": 0}
            for one in scene.world.registered("web")[0]:
                weights[one.version] += one.weight
            shares.append(weights["2.0"] / sum(weights.values()))

    scene.world.observe_changes(look)
    scene.after_s(5, lambda: scene.world.kill(scene.of_version("2.0")[0].id))
    scene.after_s(8, lambda: shares.append("end"))
    scene.deployer().deploy(service, NEW, Canary(steps=(50, 100), hold_s=20))
    assert max(shares[: shares.index("end")]) <= 0.5001


# 6
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(("before", "after"), [(3, 2), (3, 1)])
def test_a_service_without_overlap_can_have_fewer_instances(scene, web, version, before, after):
    few = web(replicas=after, cells=after, overlap="forbidden")
    scene.deployer().deploy(web(replicas=before, cells=before, overlap="forbidden"), OLD)
    scene.deployer().deploy(few, Release(version, Behaviour()))
    assert scene.untidy(few, version) == []


# 7
@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), Canary(hold_s=1)], ids=str)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_service_that_is_one_cell_can_have_fewer_instances(scene, web, strategy, version):
    few = web(replicas=2, cells=1)
    scene.deployer().deploy(web(replicas=5, cells=1), OLD)
    scene.deployer().deploy(few, Release(version, Behaviour()), strategy)
    assert scene.untidy(few, version) == []


# 8
def test_an_edge_that_fails_to_answer_once_is_not_taken_for_one_that_has_let_go(make_scene, web):
    service = web(drain_deadline_s=2)
    scene = make_scene()
    scene.deployer().deploy(service, OLD)
    edge = scene.world.edges[0]
    scene.after_s(1.15, edge.stick)  # it goes on sending requests to what it is told to leave
    scene.after_s(6, lambda: scene.world.add_fault(Fault("view", kind="temporary")))
    scene.after_s(9, edge.loosen)
    scene.deployer().deploy(service, NEW)
    assert not [one for one in scene.world.lost(Blame.STOPPED_BY_COMMAND) if one.out_for_s is None]


# 9
def test_an_instance_that_discovery_was_just_told_of_is_not_stopped_unseen(make_scene, web):
    @frozen
    class Hasty:
        """Its first stage fails by its deadline before discovery shows what it was told."""

        def surge(self, situation):
            return 1

        def stages(self, situation):
            old = situation.cells[0]
            add = Stage("add", (situation.serve("web-2", 1),), deadline_s=1.5)
            return (add, Stage("retire", (situation.gone(old),)))

    service = web(replicas=1, cells=1)
    scene = make_scene(discovery_lag_s=2)
    scene.deployer().deploy(service, OLD)
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(service, NEW, Hasty())
    scene.pass_s(10)
    assert scene.world.lost(Blame.STOPPED_BY_COMMAND) == ()


# 10
def test_an_old_version_that_the_orchestrator_calls_failed_does_not_block_its_own_repair(scene, web):
    scene.deployer().deploy(web(), OLD)
    for one in scene.world.instances():
        scene.world.mark_failed(one.id)
    scene.deployer().deploy(web(), NEW, BlueGreen())
    assert scene.untidy(web(), "2.0") == []


# 11
@pytest.mark.parametrize("settings", [{}, {"exposures": ()}], ids=["served", "worker"])
def test_spare_cells_do_not_leave_before_those_that_change_back_beside_them(scene, web, settings):
    service = web(replicas=10, cells=10, **settings)
    scene.deployer().deploy(service, OLD)

    def half_is_enough(target):
        return sum(one.version == "2.0" for one in scene.world.instances()) < 10

    strategy = RollingUpdate(5, gates=[FunctionGate(half_is_enough, "half is enough")])
    with pytest.raises(DeploymentFailed) as failed:
        scene.deployer().deploy(service, NEW, strategy)
    assert failed.value.report.outcome is Outcome.ROLLED_BACK
    assert scene.world.lost(Blame.GAP) == scene.world.lost(Blame.STOPPED_BY_COMMAND) == ()
    assert scene.untidy(service, "1.0") == []


# 12
def test_an_edge_that_never_answers_again_after_it_has_shown_the_new_ones_does_not_keep_the_deployment_from_its_end(
    make_scene, web
):
    service = web(drain_deadline_s=20)
    scene = make_scene(edge_lags_s=(0.1, 0.1))
    scene.deployer().deploy(service, OLD)

    def cut_off(event):
        if isinstance(event, InstanceMoved) and event.moment is Moment.OUT and event.version == "1.0":
            scene.world.edges[1].cut_off()

    report = scene.deployer(None, cut_off).deploy(service, NEW, BlueGreen())
    removed = [one.times for one in report.instances if one.version == "1.0"]
    assert min(times[Moment.STOPPED] - times[Moment.OUT] for times in removed) >= service.drain_deadline_s
    assert [line for line in report.unproven if line.startswith("edge-1 could not be reached")]
    assert scene.untidy(service, "2.0") == []


# 13
def test_what_an_edge_that_never_answers_again_keeps_from_being_admitted_is_taken_back(make_scene, web):
    service = web(drain_deadline_s=20)
    scene = make_scene()
    scene.deployer().deploy(service, OLD)
    scene.after_s(0.5, scene.world.edges[0].cut_off)
    with pytest.raises(DeploymentFailed, match="to be reached before") as failed:
        scene.deployer().deploy(service, NEW)
    assert failed.value.report.outcome is Outcome.ROLLED_BACK
    assert scene.untidy(service, "1.0") == []
