"""What a person, or an earlier deployer, left behind is put in order."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour
from zdd.errors import DeploymentInterrupted
from zdd.model.release import Release
from zdd.strategies.canary import Canary
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())


def test_a_cell_that_a_person_scales_after_it_was_changed_is_put_right(scene, web):
    service = web(cells=1)
    scene.deployer().deploy(service, OLD)

    def by_hand():
        assert scene.world.cells.get("web", "web").revision.version == "2.0"
        scene.world.scale_by_hand("web", "web", 2)

    scene.after_s(5, by_hand)
    scene.deployer().deploy(service, NEW, RollingUpdate(hold_s=2))
    assert scene.untidy(service, "2.0") == []


def test_cells_that_were_emptied_before_an_interruption_are_cleared_away_when_fewer_are_wanted(scene, web):
    def interrupt(method, name):
        if method == "change":
            raise KeyboardInterrupt

    scene.deployer().deploy(web(overlap="forbidden"), OLD)
    scene.world.intercept = interrupt
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(web(overlap="forbidden"), NEW)
    scene.world.intercept = None
    fewer = web(replicas=2, cells=2, overlap="forbidden")
    scene.deployer().deploy(fewer, NEW)
    assert scene.untidy(fewer, "2.0") == []


def test_one_crash_long_after_the_start_does_not_count_as_not_having_started(scene, web):
    scene.deployer().deploy(web(), OLD)
    scene.after_s(20, lambda: scene.world.kill(scene.of_version("2.0")[0].id))
    scene.deployer().deploy(web(), NEW, Canary(hold_s=60))
    assert scene.untidy(web(), "2.0") == []
