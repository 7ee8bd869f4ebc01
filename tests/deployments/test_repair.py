"""A broken old version does not block its own repair."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())


def sick(scene):
    for instance in scene.world.instances():
        scene.world.mark(instance.id, healthy=False)


def never_ready_again(scene):
    scene.world.set_behaviour("1.0", Behaviour(never_ready=True))
    for instance in scene.world.instances():
        scene.world.kill(instance.id)


def crash_looping(scene):
    scene.world.set_behaviour("1.0", Behaviour(crashes_after_s=2))
    for instance in scene.world.instances():
        scene.world.kill(instance.id)


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), Canary(hold_s=1)], ids=str)
@pytest.mark.parametrize("breaks", [sick, never_ready_again, crash_looping])
@pytest.mark.parametrize("since_s", [0, 60])
def test_a_healthy_version_replaces_a_broken_one(scene, web, strategy, breaks, since_s):
    scene.deployer().deploy(web(), OLD)
    breaks(scene)
    scene.pass_s(since_s)
    scene.deployer().deploy(web(), NEW, strategy)
    assert scene.untidy(web(), "2.0") == []


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), Canary(hold_s=1)], ids=str)
def test_one_broken_instance_of_the_old_version_is_enough_to_try(scene, web, strategy):
    scene.deployer().deploy(web(), OLD)
    scene.world.mark(scene.world.instances()[0].id, healthy=False)
    scene.deployer().deploy(web(), NEW, strategy)
    assert scene.untidy(web(), "2.0") == []


@pytest.mark.parametrize("broken", ["web", "web-2"])
def test_what_has_ended_of_a_worker_is_replaced_first_since_the_others_have_to_serve_meanwhile(scene, web, broken):
    worker = web(exposures=(), replicas=2, cells=2)
    scene.deployer().deploy(worker, OLD)
    scene.world.set_behaviour("1.0", Behaviour(fails_after_s=1))
    for instance in scene.world.instances():
        if instance.cell == broken:
            scene.world.kill(instance.id)
    scene.pass_s(10)
    scene.deployer().deploy(worker, NEW, RollingUpdate())
    assert scene.untidy(worker, "2.0") == []
