"""A stack ends as a whole: every service as wanted, or every one as it was, wherever its deployer was ended."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, MemoryJournal
from zdd.errors import ConfigurationError, DeploymentInProgress, StackFailed, TemporaryError
from zdd.events import Outcome
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.record import record_name
from zdd.stacks.stack import Stack, StackObject, StackService
from zdd.strategies.blue_green import BlueGreen

NAMES = ("shop-db", "shop-api", "shop-web")
DEPENDS = {"shop-db": (), "shop-api": ("shop-db",), "shop-web": ("shop-api",)}


def stack(versions, **behaviour):
    """Return a stack whose services have these versions; the last one behaves as stated."""
    services = []
    for name, version in versions.items():
        service = Service(name, replicas=2, cells=2, drain_deadline_s=5, start_deadline_s=10)
        kept = behaviour if name == list(versions)[-1] else {}
        services.append(StackService(service, Release(version, Behaviour(**kept)), depends_on=DEPENDS[name]))
    return Stack("shop", reversed(services))


def whole(version, **behaviour):
    return stack(dict.fromkeys(NAMES, version), **behaviour)


def serving(scene):
    return {name: sorted({one.version for one in scene.world.instances(name)}) for name in NAMES}


def deploy(scene, wanted, **options):
    return StackDeployer(scene.deployer()).deploy(wanted, **options)


def started(scene):
    return [event.service for event in scene.events if type(event).__name__ == "DeploymentStarted"]


def test_services_are_deployed_each_after_those_that_it_depends_on(scene):
    report = deploy(scene, whole("1"))
    assert report.outcome is Outcome.SUCCEEDED
    assert started(scene) == list(NAMES)
    assert report.changed == NAMES


def test_what_did_not_change_is_not_touched(scene):
    deploy(scene, whole("1"))
    before = {one.id for one in scene.world.instances()}
    report = deploy(scene, whole("1"))
    assert report.outcome is Outcome.UNCHANGED
    assert {one.id for one in scene.world.instances()} == before
    report = deploy(scene, stack({**dict.fromkeys(NAMES, "1"), "shop-api": "2"}))
    assert report.changed == ("shop-api",)
    assert len({one.id for one in scene.world.instances()} & before) == 4


def test_a_restart_replaces_every_instance(scene):
    deploy(scene, whole("1"))
    before = {one.id for one in scene.world.instances()}
    assert deploy(scene, whole("1"), restart=True).changed == NAMES
    assert not {one.id for one in scene.world.instances()} & before


def test_when_one_fails_those_before_it_are_taken_back_in_reverse_order(scene):
    deploy(scene, whole("1"))
    scene.events.clear()
    with pytest.raises(StackFailed) as caught:
        deploy(scene, whole("2", healthy=False))
    report = caught.value.report
    assert report.outcome is Outcome.ROLLED_BACK
    assert serving(scene) == {name: ["1"] for name in NAMES}
    back = started(scene)[-2:]
    assert back == ["shop-api", "shop-db"]
    assert [one.back is not None for one in report.services] == [True, True, False]
    assert "taken back" in str(report)
    assert report.to_data()["services"][2]["outcome"] == "rolled back"


def test_what_is_new_is_removed_again_when_another_fails(scene):
    with pytest.raises(StackFailed):
        deploy(scene, whole("1", healthy=False))
    assert scene.world.instances() == ()


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


def calls_needed(scene, wanted):
    deploy(scene, whole("1"))
    with scene.ended_at_call(0, KeyboardInterrupt):
        deploy(scene, wanted)
        return scene.calls


@pytest.mark.parametrize("end", ["ctrl-c", "kill -9"])
def test_wherever_it_ends_running_it_again_finishes(make_scene, killed, end):
    kind = killed if end == "kill -9" else KeyboardInterrupt
    most = calls_needed(make_scene(), whole("2"))
    assert most > 100
    for number in range(7, most, 61):
        scene = make_scene()
        deploy(scene, whole("1"))
        with scene.ended_at_call(number, kind), pytest.raises((kind, StackFailed)):
            deploy(scene, whole("2"))
        scene.pass_s(16)
        assert deploy(scene, whole("2")).succeeded, number
        assert serving(scene) == {name: ["2"] for name in NAMES}, number


def test_what_an_ended_deployer_had_changed_is_taken_back_when_the_next_one_fails(make_scene, killed):
    for number in (30, 160, 300, 455):
        scene = make_scene()
        deploy(scene, whole("1"))
        with scene.ended_at_call(number, killed), pytest.raises(killed):
            deploy(scene, whole("2"))
        scene.pass_s(16)
        with pytest.raises(StackFailed) as caught:
            deploy(scene, whole("3", healthy=False))
        assert caught.value.report.outcome is Outcome.ROLLED_BACK, number
        assert serving(scene) == {name: ["1"] for name in NAMES}, number


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


class Host:
    """Makes nothing, and fails where it is told to."""

    def __init__(self, **failures):
        self.failures = failures

    def fail(self, where):
        if where in self.failures:
            raise self.failures[where]

    def check(self, stack, *, adopt): ...

    def adopt(self, stack): ...

    def pull(self, services):
        return ()

    def prepare(self, stack):
        self.fail("prepare")
        return (("network", "shop_default"),)

    def complete(self, stack):
        return {}

    def discard(self, stack, made):
        self.fail("discard")
        return ()


@pytest.mark.parametrize("error", [TemporaryError("no answer"), ConfigurationError("it is too long")])
def test_what_can_not_be_made_for_the_services_leaves_them_as_they_are(scene, error):
    deploy(scene, whole("1"))
    with pytest.raises(StackFailed) as caught:
        StackDeployer(scene.deployer(), Host(prepare=error)).deploy(whole("2"))
    assert caught.value.report.outcome is Outcome.INTERRUPTED
    assert caught.value.report.reason == f"what the services share could not be made: {error}"
    assert serving(scene) == {name: ["1"] for name in NAMES}
    assert StackDeployer(scene.deployer()).record("shop").deployments[-1].outcome is Outcome.INTERRUPTED


def test_what_can_not_be_removed_again_is_told_and_the_services_are_as_they_were(scene):
    deploy(scene, whole("1"))
    with pytest.raises(StackFailed) as caught:
        StackDeployer(scene.deployer(), Host(discard=TemporaryError("no answer"))).deploy(whole("2", healthy=False))
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    assert caught.value.report.notes == ("what was made for the services is still there: no answer",)
    assert serving(scene) == {name: ["1"] for name in NAMES}


class LostInTheMiddle(MemoryJournal):
    """A journal that can't be read for a while, after so many events."""

    def __init__(self, events):
        super().__init__()
        self.left = events

    def append(self, service, event, fence):
        super().append(service, event, fence)
        self.left -= 1

    def read(self, service):
        if self.left == 0:
            raise TemporaryError("no answer")
        return super().read(service)


@pytest.mark.parametrize("change", ["deploy", "rollback"])
def test_a_journal_that_can_not_be_read_in_the_middle_interrupts(scene, change):
    scene.journal = LostInTheMiddle(-1)
    deploy(scene, whole("1"))
    deploy(scene, whole("2"))
    scene.journal.left = 1  # the first event says that the stack's deployment has begun
    stacks = StackDeployer(scene.deployer())
    with pytest.raises(StackFailed) as caught:
        stacks.deploy(whole("3")) if change == "deploy" else stacks.rollback("shop")
    assert caught.value.report.outcome is Outcome.INTERRUPTED
    assert caught.value.report.reason == "it could not go on: no answer"
    assert serving(scene) == {name: ["2"] for name in NAMES}


ENDED_AFTER_THE_FIRST = 150
"""A call in the deployment of the second service."""


def run_before_zdd_knew_it(scene):
    found = whole("0").services[0]
    ours, scene.journal = scene.journal, MemoryJournal()
    scene.deployer().deploy(found.service, found.release)
    scene.journal = ours


def test_what_ran_before_zdd_knew_it_runs_again_when_another_fails(scene):
    """No deployment of its journal leads there: its first one is taken back."""
    run_before_zdd_knew_it(scene)
    before = {one.revision for one in scene.world.instances("shop-db")}
    with pytest.raises(StackFailed) as caught:
        deploy(scene, whole("1", healthy=False))
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    assert {one.revision for one in scene.world.instances("shop-db")} == before
    assert serving(scene)["shop-api"] == serving(scene)["shop-web"] == []
    back = caught.value.report.services[0].back
    assert back is not None
    assert back.outcome is Outcome.ROLLED_BACK
    assert deploy(scene, whole("1")).outcome is Outcome.SUCCEEDED
    assert serving(scene) == {name: ["1"] for name in NAMES}


def test_what_ran_before_is_found_again_behind_several_deployments(scene):
    run_before_zdd_knew_it(scene)
    before = {one.revision for one in scene.world.instances("shop-db")}
    for version in ("1", "2"):
        with scene.ended_at_call(ENDED_AFTER_THE_FIRST, KeyboardInterrupt), pytest.raises(StackFailed):
            deploy(scene, whole(version))
        assert serving(scene)["shop-db"] == [version]
    with pytest.raises(StackFailed) as caught:
        deploy(scene, whole("3", healthy=False))
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    assert {one.revision for one in scene.world.instances("shop-db")} == before
