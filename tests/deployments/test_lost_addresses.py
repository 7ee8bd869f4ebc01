"""Instances that run, and of which nobody ever learns where: they are started anew, and not for ever."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour
from zdd.errors import DeploymentFailed
from zdd.events import CommandIntended, Outcome
from zdd.model.command import Scale
from zdd.model.release import Release
from zdd.model.service import Overlap
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.rolling_update import RollingUpdate

OLD = Release("1.0", Behaviour())


def new(lost: int) -> Release:
    return Release("2.0", Behaviour(addresses_lost=lost))


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), Canary(hold_s=1)], ids=str)
@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("cells", [1, 3])
def test_what_nobody_can_reach_is_started_anew(scene, web, strategy, lost, cells):
    scene.deployer().deploy(web(cells=cells), OLD)
    report = scene.deployer().deploy(web(cells=cells), new(lost), strategy)
    assert report.outcome is Outcome.SUCCEEDED
    assert scene.untidy(web(), "2.0") == []


def test_a_first_deployment_does_it_too(scene, web):
    assert scene.deployer().deploy(web(), new(2)).outcome is Outcome.SUCCEEDED
    assert scene.untidy(web(), "2.0") == []


def test_a_singleton_is_started_anew_when_the_first_one_has_gone(scene, web):
    single = web(replicas=1, cells=1, overlap=Overlap.FORBIDDEN)
    scene.deployer().deploy(single, OLD)
    assert scene.deployer().deploy(single, new(1)).outcome is Outcome.SUCCEEDED
    assert scene.untidy(single, "2.0") == []


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen()], ids=str)
def test_after_three_attempts_it_goes_back_and_says_why(scene, web, strategy):
    scene.deployer().deploy(web(), OLD)
    with pytest.raises(DeploymentFailed, match="can't be reached, nor could those before it: its address was lost"):
        scene.deployer().deploy(web(), new(1_000), strategy)
    assert scene.untidy(web(), "1.0") == []


def test_in_place_nothing_is_started_anew_and_it_goes_back_at_once(scene, web):
    one = web(cells=1, start_deadline_s=300)
    scene.deployer().deploy(one, OLD)
    began_s = scene.world.clock.now()
    with pytest.raises(DeploymentFailed, match="can't be reached: its address was lost"):
        scene.deployer().deploy(one, new(1), InPlaceUpdate())
    assert scene.world.clock.now() - began_s < 100
    assert scene.untidy(one, "1.0") == []


@pytest.mark.parametrize("strategy", [RollingUpdate(), BlueGreen(), Canary(hold_s=1)], ids=str)
@pytest.mark.parametrize("cells", [1, 3])
def test_what_serves_goes_on_to_count_where_discovery_knows_its_address(scene, web, strategy, cells):
    scene.deployer().deploy(web(cells=cells, replicas=4), OLD)
    served = []
    deployer = scene.deployer(None, lambda _: served.append(len(scene.world.serving("web"))))
    for instance in scene.world.instances():
        scene.world.lose_address(instance.id)
    deployer.deploy(web(cells=cells, replicas=4), Release("2.0", Behaviour()), strategy)
    assert min(served) >= 3
    assert scene.untidy(web(replicas=4), "2.0") == []


def test_what_serves_is_never_stopped_for_it(scene, web):
    scene.deployer().deploy(web(cells=1), OLD)
    scene.world.set_behaviour("1.0", Behaviour(addresses_lost=1_000))
    scene.world.kill(scene.world.instances()[0].id)
    scene.pass_s(5)
    scene.events.clear()
    scene.deployer().deploy(web(cells=1), Release("2.0", Behaviour()), RollingUpdate())
    assert scene.untidy(web(), "2.0") == []
    assert [one.command for one in scene.events if isinstance(one, CommandIntended)] != []
    assert [one for one in scene.events if isinstance(one, CommandIntended) and isinstance(one.command, Scale)] == []
