"""A stack ends as a whole: every service as wanted, or every one as it was, wherever its deployer was ended."""

from __future__ import annotations

import pytest
from shops import NAMES, calls_needed, deploy, serving, stack, started, whole

from zdd.adapters.memory import MemoryJournal
from zdd.errors import ConfigurationError, StackFailed, TemporaryError
from zdd.events import Outcome
from zdd.stacks.deployer import StackDeployer


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
