"""Whatever ever served can serve again: earlier revisions, what was removed, other numbers of instances."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, Blame
from zdd.errors import ConfigurationError, DeploymentFailed
from zdd.events import CommandIntended, Outcome
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

STRATEGIES = [RollingUpdate(), BlueGreen(), Canary(hold_s=1)]


def release(version, **behaviour):
    return Release(version, Behaviour(**behaviour))


@pytest.fixture
def three(scene, web):
    for version in ("1.0", "2.0", "3.0"):
        scene.deployer().deploy(web(), release(version))
    return scene


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_going_back_to_any_earlier_version_is_a_deployment_like_any_other(three, web, version, strategy):
    report = three.deployer().rollback("web", version, strategy)
    assert (report.outcome, report.from_version, report.to_version) == (Outcome.SUCCEEDED, "3.0", version)
    assert report.capacity_floor >= 3
    assert three.untidy(web(), version) == []


def test_a_revision_can_be_named_by_its_id(three, web):
    first = three.deployer().history("web")[0].plan.target
    three.deployer().rollback("web", first)
    assert three.untidy(web(), "1.0") == []


def test_going_back_from_going_back_leads_to_where_one_was(three, web):
    three.deployer().rollback("web")
    assert three.untidy(web(), "2.0") == []
    three.deployer().rollback("web")
    assert three.untidy(web(), "3.0") == []


def test_going_back_after_a_deployment_that_was_taken_back_leads_before_what_serves(three, web):
    with pytest.raises(DeploymentFailed):
        three.deployer().deploy(web(), release("4.0", healthy=False))
    three.deployer().rollback("web")
    assert three.untidy(web(), "2.0") == []


def test_a_version_that_never_served_can_not_be_gone_back_to_and_those_that_did_are_named(three, web):
    with pytest.raises(DeploymentFailed):
        three.deployer().deploy(web(), release("4.0", healthy=False))
    three.events.clear()
    with pytest.raises(ConfigurationError, match=r"'4\.0' never served; these did: 1\.0 .*, 2\.0 .*, 3\.0"):
        three.deployer().rollback("web", "4.0")
    assert three.events == []


def test_one_version_alone_has_nothing_to_go_back_to(scene, web):
    scene.deployer().deploy(web(), release("1.0"))
    with pytest.raises(ConfigurationError, match="no earlier revision"):
        scene.deployer().rollback("web")


@pytest.mark.parametrize("overlap", ["allowed", "forbidden"])
def test_what_was_removed_is_gone_and_can_be_brought_back(scene, web, overlap):
    service = web(overlap=overlap)
    scene.deployer().deploy(service, release("1.0"))
    report = scene.deployer().remove("web")
    assert report.outcome is Outcome.SUCCEEDED
    assert scene.world.instances() == ()
    assert scene.world.cells.observe("web") == ()
    assert scene.world.registered("web") == ((), False)
    assert scene.world.lost(Blame.STOPPED_BY_COMMAND) == ()
    again = scene.deployer().rollback("web")
    assert scene.untidy(service, "1.0") == []
    assert again.summary.startswith("web: start of 1.0 succeeded in ")
    assert scene.deployer().report("web").summary == again.summary
    assert scene.deployer().report("web", "web-1").summary.startswith("web: first deployment of 1.0 succeeded in ")
    changes = [str(one).split("  ")[1] for one in scene.deployer().history("web")]
    assert changes == ["web: first deployment of 1.0", "web: removal of 1.0", "web: start of 1.0"]


def test_removing_what_is_gone_does_nothing(scene, web):
    scene.deployer().deploy(web(), release("1.0"))
    scene.deployer().remove("web")
    scene.events.clear()
    report = scene.deployer().remove("web")
    assert report.outcome is Outcome.UNCHANGED
    assert not [event for event in scene.events if isinstance(event, CommandIntended)]


@pytest.mark.parametrize("strategy", [*STRATEGIES, Recreate()], ids=str)
@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (1, 8), (8, 1), (4, 3)])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_another_number_of_instances_is_reached_without_losing_a_request(scene, web, strategy, before, after, version):
    settings = {"overlap": "forbidden" if strategy == Recreate() else "allowed"}
    few, many = web(replicas=before, cells=before, **settings), web(replicas=after, cells=after, **settings)
    scene.deployer().deploy(few, release("1.0"))
    report = scene.deployer().deploy(many, release(version), strategy)
    assert scene.untidy(many, version) == []
    if strategy != Recreate():
        assert report.capacity_floor >= min(before, after)
        assert scene.world.lost() == ()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2)])
def test_one_cell_grows_and_shrinks_too(scene, web, strategy, before, after):
    scene.deployer().deploy(web(replicas=before, cells=1), release("1.0"))
    scene.deployer().deploy(web(replicas=after, cells=1), release("1.0"), strategy)
    assert scene.untidy(web(replicas=after, cells=1), "1.0") == []
    assert scene.world.lost() == ()
