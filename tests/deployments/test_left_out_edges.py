"""An edge behind which a service was deployed is not left out by mistake: it would not be asked whether it let go."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.adapters.memory import Behaviour
from zdd.errors import ConfigurationError, DeploymentInterrupted
from zdd.events import Outcome
from zdd.model.release import Release
from zdd.model.service import Service

OLD, NEW, NEXT = (Release(version, Behaviour()) for version in ("1.0", "2.0", "3.0"))
LEFT_OUT = (
    "web was deployed behind edge-1, which is not named now, so nobody would see when it sends no more requests: "
    r"name it too; if it is gone for good, give Deployer\(…, edges_gone=…\) its name, 'edge-1'"
)


@pytest.fixture
def scene(make_scene):
    """A world with two edges, of which a call may name fewer."""
    return make_scene((0.1, 0.2))


def naming(scene, count, gone=()):
    """Return a deployer that knows so many of the edges."""
    deployer = scene.deployer()
    deployer._around = evolve(deployer._around, edges=deployer._around.edges[:count], edges_gone=gone)
    return deployer


def calls(web):
    return {
        "plan": lambda deployer: deployer.plan(web(), NEXT),
        "deploy": lambda deployer: deployer.deploy(web(), NEXT),
        "deploy of what runs": lambda deployer: deployer.deploy(web(), NEW),
        "rollback": lambda deployer: deployer.rollback("web"),
        "remove": lambda deployer: deployer.remove("web"),
    }


@pytest.mark.parametrize("name", calls(Service))
def test_a_call_that_leaves_out_one_of_two_is_refused_and_nothing_is_touched(scene, web, name):
    naming(scene, 2).deploy(web(), OLD)
    naming(scene, 2).deploy(web(), NEW)
    log, events = scene.world.log, len(scene.journal.read("web"))
    fences = dict(scene.world.orchestrator_fences._greatest)
    with pytest.raises(ConfigurationError, match=LEFT_OUT):
        calls(web)[name](naming(scene, 1))
    assert (scene.world.log, len(scene.journal.read("web"))) == (log, events)
    assert scene.world.orchestrator_fences._greatest == fences
    assert scene.lease.holder("web") is None


def test_one_that_is_said_to_be_gone_for_good_is_not_asked_for_again(scene, web):
    naming(scene, 2).deploy(web(), OLD)
    assert naming(scene, 1, ("edge-1",)).deploy(web(), NEW).outcome is Outcome.SUCCEEDED
    assert naming(scene, 1).deploy(web(), NEXT).outcome is Outcome.SUCCEEDED
    assert [one.edges for one in scene.deployer().history("web")] == [("edge", "edge-1"), ("edge",), ("edge",)]


def test_another_one_more_is_fine(scene, web):
    naming(scene, 1).deploy(web(), OLD)
    assert naming(scene, 2).deploy(web(), NEW).outcome is Outcome.SUCCEEDED


def test_what_was_interrupted_is_neither_finished_nor_taken_back_without_it(scene, web):
    naming(scene, 2).deploy(web(), OLD)
    with scene.ended_at_call(60, KeyboardInterrupt), pytest.raises(DeploymentInterrupted):
        naming(scene, 2).deploy(web(), NEW)
    with pytest.raises(ConfigurationError, match=LEFT_OUT):
        naming(scene, 1).resume("web")
    (left,) = naming(scene, 1).recover()
    assert "was deployed behind edge-1" in left.reason
    assert naming(scene, 2).resume("web").outcome is Outcome.SUCCEEDED


def test_a_service_that_was_taken_out_or_has_no_way_in_may_come_behind_any_edge(scene, web):
    naming(scene, 2).deploy(web(), OLD)
    naming(scene, 2).remove("web")
    assert naming(scene, 1).deploy(web(), NEW).outcome is Outcome.SUCCEEDED
    naming(scene, 2).deploy(web(exposures=()), NEXT)
    assert naming(scene, 0).deploy(web(exposures=()), OLD).outcome is Outcome.SUCCEEDED


def test_who_does_not_ask_for_it_is_not_refused(scene, web):
    naming(scene, 2, None).deploy(web(), OLD)
    assert naming(scene, 1, None).deploy(web(), NEW).outcome is Outcome.SUCCEEDED
