"""What may be done with a stack, what is refused, and how it goes back to what served before."""

from __future__ import annotations

import pytest
from shops import NAMES, calls_needed, deploy, serving, stack, whole

from zdd.adapters.memory import Behaviour
from zdd.errors import ConfigurationError, DeploymentInProgress, StackFailed
from zdd.events import Outcome
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.record import record_name
from zdd.stacks.stack import Stack, StackObject, StackService
from zdd.strategies.blue_green import BlueGreen


def test_a_service_that_left_the_stack_is_removed_only_when_asked(scene):
    deploy(scene, whole("1"))
    smaller = stack({"shop-db": "1", "shop-api": "1"})
    report = deploy(scene, smaller)
    assert (report.gone, report.removed) == (("shop-web",), ())
    assert serving(scene)["shop-web"] == ["1"]
    report = deploy(scene, smaller, prune=True)
    assert (report.gone, report.removed) == ((), ("shop-web",))
    assert serving(scene)["shop-web"] == []
    assert deploy(scene, smaller, prune=True).outcome is Outcome.UNCHANGED


def test_a_stack_is_removed_in_reverse_order(scene):
    deploy(scene, whole("1"))
    report = StackDeployer(scene.deployer()).remove("shop")
    assert report.removed == ("shop-web", "shop-api", "shop-db")
    assert scene.world.instances() == ()


def test_nothing_is_touched_when_one_of_the_services_can_not_be_deployed(scene):
    wanted = whole("1")
    other = StackService(Service("shop-x", overlap="forbidden"), Release("1", Behaviour()), BlueGreen())
    with pytest.raises(ConfigurationError, match="its overlap is forbidden"):
        deploy(scene, Stack("shop", (*wanted.services, other)))
    with pytest.raises(ConfigurationError, match="give StackDeployer a host"):
        deploy(scene, Stack("shop", wanted.services, (StackObject("network", "shop_default"),)))
    assert scene.events == []
    assert scene.journal.services() == ()


def test_two_deployers_of_one_stack_do_not_meet(scene):
    around = scene.deployer()
    scene.lease.acquire(record_name("shop"), "somebody", 60)
    with pytest.raises(DeploymentInProgress):
        StackDeployer(around).deploy(whole("1"))
    assert scene.world.instances() == ()


def test_a_stack_goes_back_to_what_served_before_its_last_deployment(scene):
    deploy(scene, stack(dict.fromkeys(NAMES[:2], "1")))
    both = {"shop-db": "1", "shop-api": "2", "shop-web": "2"}
    deploy(scene, stack(both))
    deploy(scene, stack(both))  # changes nothing, so it does not count
    back = StackDeployer(scene.deployer()).rollback("shop")
    assert back.outcome is Outcome.SUCCEEDED
    assert [one.service for one in back.services] == ["shop-web", "shop-api", "shop-db"]
    assert [one.outcome for one in back.services] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.UNCHANGED]
    assert serving(scene) == {"shop-db": ["1"], "shop-api": ["1"], "shop-web": []}
    StackDeployer(scene.deployer()).rollback("shop")
    assert serving(scene) == {name: [version] for name, version in both.items()}
    record = StackDeployer(scene.deployer()).record("shop")
    outcomes = [one.outcome for one in record.deployments]
    assert outcomes == [Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.UNCHANGED, Outcome.SUCCEEDED, Outcome.SUCCEEDED]


@pytest.mark.parametrize("end", ["ctrl-c", "kill -9"])
def test_wherever_it_ends_it_goes_back_to_what_served(make_scene, killed, end):
    """A service that was left in between serves as before by its history, and has instances of both releases."""
    kind = killed if end == "kill -9" else KeyboardInterrupt
    mixed = 0
    for number in range(12, calls_needed(make_scene(), whole("2")), 37):
        scene = make_scene()
        deploy(scene, whole("1"))
        with scene.ended_at_call(number, kind), pytest.raises((kind, StackFailed)):
            deploy(scene, whole("2"))
        scene.pass_s(16)
        stacks = StackDeployer(scene.deployer())
        if stacks.half_done("shop") is None:
            continue
        mixed += ["1", "2"] in serving(scene).values()
        assert stacks.rollback("shop").outcome is Outcome.SUCCEEDED, number
        assert serving(scene) == {name: ["1"] for name in NAMES}, number
    assert mixed


def test_what_was_removed_or_pruned_comes_back_with_a_rollback(scene):
    stacks = StackDeployer(scene.deployer())
    stacks.deploy(whole("1"))
    stacks.remove("shop")
    stacks.rollback("shop")
    assert serving(scene) == {name: ["1"] for name in NAMES}
    stacks.deploy(stack(dict.fromkeys(NAMES[:2], "1")), prune=True)
    assert serving(scene)["shop-web"] == []
    stacks.rollback("shop")
    assert serving(scene) == {name: ["1"] for name in NAMES}


def test_a_deployment_that_was_left_half_done_is_told(scene):
    stacks = StackDeployer(scene.deployer())
    assert stacks.half_done("shop") is None
    with scene.ended_at_call(60, KeyboardInterrupt), pytest.raises(StackFailed):
        deploy(scene, whole("1"))
    left = stacks.half_done("shop")
    assert left is not None
    assert left.outcome is Outcome.INTERRUPTED
    scene.lease.acquire(record_name("shop"), "somebody", 60)
    assert stacks.half_done("shop") is None


def test_a_stack_before_which_nothing_served_does_not_go_back(scene):
    with pytest.raises(ConfigurationError, match="nothing of stack shop served before now, as it was never deployed"):
        StackDeployer(scene.deployer()).rollback("shop")
    deploy(scene, whole("1"))
    with pytest.raises(ConfigurationError, match="nothing of stack shop served before its last deployment"):
        StackDeployer(scene.deployer()).rollback("shop")
    assert serving(scene) == {name: ["1"] for name in NAMES}


def test_one_that_cannot_be_removed_is_not_called_left_out_of_the_stack_and_remove_is_what_goes_on(scene):
    deploy(scene, whole("1"))
    scene.world.edges[0].cut_off()
    with pytest.raises(StackFailed, match="could not be removed: edge can't be reached") as failed:
        StackDeployer(scene.deployer()).remove("shop")
    assert failed.value.report.outcome is Outcome.FROZEN
    assert "serves" not in str(failed.value)
    assert "not in the stack" not in str(failed.value)
    assert failed.value.next_steps.endswith("when what is in the way has gone, call remove again")
    scene.world.edges[0].reconnect()
    assert set(StackDeployer(scene.deployer()).remove("shop").removed) == set(NAMES)


class DeployedMeanwhile:
    """A lease that somebody else had, and has used, right before it was got."""

    def __init__(self, lease, use):
        self.lease, self.use = lease, use
        self.renew, self.release, self.holder = lease.renew, lease.release, lease.holder

    def acquire(self, service, holder, ttl_s):
        use, self.use = self.use, lambda: None
        use()
        return self.lease.acquire(service, holder, ttl_s)


def test_what_somebody_has_deployed_in_the_meantime_is_not_taken_back(scene):
    deploy(scene, whole("1"))
    deploy(scene, whole("2"))
    lease = DeployedMeanwhile(scene.lease, lambda: deploy(scene, whole("3")))
    with pytest.raises(ConfigurationError, match="stack shop was deployed by somebody else meanwhile"):
        StackDeployer(scene.deployer()._under(lease)).rollback("shop")
    assert serving(scene) == {name: ["3"] for name in NAMES}
