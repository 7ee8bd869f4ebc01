"""After a crash, one call finishes or undoes everything that was left, and says of the rest why not."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, Fault
from zdd.errors import DeploymentFailed, RollbackFailed
from zdd.events import Outcome, StageEntered, StageFailed
from zdd.model.plan import Direction
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())
BAD = Release("2.0", Behaviour(healthy=False))


def end_in(scene, killed, service, release, call):
    with scene.ended_at_call(call, killed), pytest.raises(killed):
        scene.deployer().deploy(service, release)


def test_every_service_that_was_left_unfinished_is_finished(scene, web, killed):
    shop = Service("shop", replicas=2, drain_deadline_s=5, start_deadline_s=10)
    for service in (web(), shop):
        scene.deployer().deploy(service, OLD)
        end_in(scene, killed, service, NEW, 40)
    scene.deployer().deploy(Service("mail"), OLD)  # this one is well
    scene.pass_s(16)
    done = scene.deployer().recover()
    assert [(one.service, one.report.outcome, one.reason) for one in done] == [
        ("shop", Outcome.SUCCEEDED, ""),
        ("web", Outcome.SUCCEEDED, ""),
    ]
    assert scene.untidy(shop, "2.0") == []
    assert scene.untidy(web(), "2.0") == []
    assert scene.deployer().recover() == ()


@pytest.mark.parametrize("going_back", [False, True])
def test_what_was_failing_or_being_taken_back_is_undone(scene, web, killed, going_back):
    scene.deployer().deploy(web(), OLD)

    def die(event):
        back = isinstance(event, StageEntered) and event.direction is Direction.BACK
        if back if going_back else isinstance(event, StageFailed):
            scene.process.killed = True
            raise killed(f"at {event}")

    with pytest.raises(killed):
        scene.deployer(None, die).deploy(web(), BAD)
    scene.pass_s(16)
    (done,) = scene.deployer().recover("web")
    assert done.report.outcome is Outcome.ROLLED_BACK
    assert scene.untidy(web(), "1.0") == []


@pytest.mark.parametrize("call", range(13, 69, 3))  # requests are held before each
def test_requests_are_held_no_longer_after_a_crash_than_without_one(scene, web, killed, call):
    singleton = web(overlap="forbidden", replicas=2, cells=1)
    scene.deployer().deploy(singleton, Release("0.9", Behaviour()))
    scene.deployer().deploy(singleton, OLD, Recreate())  # what it held back goes on a moment before
    with scene.ended_at_call(call, killed), pytest.raises(killed):
        scene.deployer().deploy(singleton, NEW, Recreate())
    assert scene.world.registered("web")[1]
    scene.pass_s(16)
    began_s = scene.world.clock.now()
    (done,) = scene.deployer().recover()
    assert done.report.outcome is Outcome.SUCCEEDED
    assert scene.world.clock.now() - began_s < 2.3  # so long as a deployment that nobody disturbs
    assert scene.untidy(singleton, "2.0") == []


def test_what_somebody_deploys_is_left_to_them_and_the_others_are_recovered(scene, web, killed):
    shop = Service("shop", replicas=1, drain_deadline_s=5, start_deadline_s=10)
    for service in (shop, web()):
        scene.deployer().deploy(service, OLD)
    end_in(scene, killed, shop, NEW, 20)
    scene.pass_s(16)
    end_in(scene, killed, web(), NEW, 20)
    first, second = scene.deployer().recover()
    assert first.report.outcome is Outcome.SUCCEEDED
    assert second.report is None
    assert "its lease ends in 1" in second.reason
    assert str(second).startswith("web-2: left as it is, ")


def test_what_is_left_to_a_person_is_not_touched(scene, web):
    frozen = web()
    scene.deployer().deploy(frozen, OLD)
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(frozen, BAD, RollingUpdate(on_failure="freeze"))
    before = scene.world.log
    (done,) = scene.deployer().recover()
    assert done.report is None
    assert done.reason.startswith("it is frozen until a person decides: ")
    assert scene.world.log == before


def test_a_failed_rollback_is_not_tried_for_ever(scene, web):
    scene.deployer().deploy(web(), OLD)
    scene.world.add_fault(Fault("retire", kind="permanent"))
    with pytest.raises(RollbackFailed):
        scene.deployer().deploy(web(), BAD)
    (done,) = scene.deployer().recover()
    assert done.reason.startswith("it is stuck until a person decides: ")
