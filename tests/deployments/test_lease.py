"""One deployer at a time changes a service, and one that lost its lease changes nothing more."""

from __future__ import annotations

import os

import pytest

from zdd.adapters.memory import Behaviour, Fault
from zdd.errors import (
    ConfigurationError,
    DeploymentError,
    DeploymentFailed,
    DeploymentInProgress,
    DeploymentInterrupted,
    LeaseLost,
    LeaseNotRenewed,
)
from zdd.events import DeploymentEnded, InstanceMoved, Moment, Outcome
from zdd.gates import FunctionGate
from zdd.model.release import Release
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW, NEXT = (Release(version, Behaviour()) for version in ("1.0", "2.0", "3.0"))
SICK = Release("2.0", Behaviour(healthy=False))


def refuses(target):
    return False


def when_launched(version, happens):
    """Return a listener that does something once, when the first instance of a version is there."""
    done = []

    def listen(event):
        launched = isinstance(event, InstanceMoved) and (event.version, event.moment) == (version, Moment.LAUNCHED)
        if launched and not done:
            done.append(event)
            happens()

    return listen


# -- somebody else deploys ---------------------------------------------------------------------------------------------


def test_a_second_deployer_is_told_who_deploys_and_since_when(scene, web):
    scene.deployer().deploy(web(), OLD)
    refusals = []

    def deploy_too():
        with pytest.raises(DeploymentInProgress) as caught:
            scene.deployer().deploy(web(), NEXT)
        refusals.append(caught.value)

    began_s = scene.world.clock.now()
    scene.deployer(None, when_launched("2.0", deploy_too)).deploy(web(), NEW)
    assert refusals[0].since_s == began_s
    assert refusals[0].holder.endswith(f":{os.getpid()}")
    assert refusals[0].holder in str(refusals[0])
    assert scene.untidy(web(), "2.0") == []
    assert [one.to_version for one in scene.deployer().history("web")] == ["1.0", "2.0"]


@pytest.mark.parametrize("call", ["rollback", "remove"])
def test_going_back_and_removing_need_the_lease_too(scene, web, call):
    scene.deployer().deploy(web(), OLD)
    scene.deployer().deploy(web(), NEW)
    scene.lease.acquire("web", "ann@there:7", 15)
    before = scene.world.log
    with pytest.raises(DeploymentInProgress, match="ann@there:7"):
        getattr(scene.deployer(), call)("web")
    assert scene.world.log == before


def test_another_service_can_be_deployed_meanwhile(scene, web):
    scene.lease.acquire("other", "ann@there:7", 15)
    assert scene.deployer().deploy(web(), OLD).outcome is Outcome.SUCCEEDED


def test_a_lease_that_nobody_renews_keeps_others_out_only_until_it_ends(scene, web):
    scene.lease.acquire("web", "ann@there:7", 15)
    scene.pass_s(14.9)
    with pytest.raises(DeploymentInProgress):
        scene.deployer().deploy(web(), OLD)
    scene.pass_s(0.1)
    assert scene.deployer().deploy(web(), OLD).outcome is Outcome.SUCCEEDED


def test_a_deployment_that_takes_longer_than_the_lease_keeps_it(scene, web):
    slow = Release("2.0", Behaviour(startup_s=40))
    service = web(start_deadline_s=60)
    scene.deployer().deploy(service, OLD)
    held = []
    scene.after_s(39, lambda: held.append(scene.lease.holder("web")))
    scene.deployer().deploy(service, slow)
    assert held[0] is not None
    assert scene.untidy(service, "2.0") == []


# -- somebody else has taken over --------------------------------------------------------------------------------------


@pytest.fixture
def overtaken(scene, web):
    """A deployer of 2.0 stands still for longer than its lease, in a call; meanwhile another one deploys 3.0."""

    def play(method):
        scene.deployer().deploy(web(), OLD)
        marks = []

        def stand_still(name, service):
            if name == method and scene.of_version("2.0"):
                scene.world.intercept = None
                scene.pass_s(20)
                scene.deployer().deploy(web(), NEXT)
                marks.extend([len(scene.world.log), len(scene.journal.read("web"))])

        scene.world.intercept = stand_still
        with pytest.raises(LeaseLost) as caught:
            scene.deployer().deploy(web(), NEW)
        return caught.value, marks

    return play


@pytest.mark.parametrize("method", ["observe", "registrations", "view", "apply", "change"])
def test_a_deployer_that_stood_still_while_another_took_over_changes_nothing_more(scene, web, overtaken, method):
    _, (changes, written) = overtaken(method)
    assert scene.world.log[changes:] == ()
    assert len(scene.journal.read("web")) == written
    assert scene.untidy(web(), "3.0") == []


def test_the_deployment_of_the_deployer_that_was_overtaken_is_taken_over_and_nothing_is_lost(scene, web, overtaken):
    why, _ = overtaken("observe")
    assert not isinstance(why, LeaseNotRenewed)
    assert ": web-3 by " in scene.deployer().report("web", "web-2").summary
    assert [(one.to_version, one.outcome) for one in scene.deployer().history("web")] == [
        ("1.0", Outcome.SUCCEEDED),
        ("2.0", None),
        ("3.0", Outcome.SUCCEEDED),
    ]
    assert scene.world.lost() == ()


def test_what_is_done_before_the_first_look_takes_its_time_from_the_lease(scene, web):
    scene.deployer().deploy(web(), OLD)
    held = []

    def claims_take_their_time(method, service):
        if method == "claim":
            scene.pass_s(6)

    scene.world.intercept = claims_take_their_time
    scene.deployer(None, lambda _: held.append(scene.lease.holder("web") is not None)).deploy(web(), NEW)
    assert len(held) > 20
    assert all(held)


def test_a_lease_that_can_not_be_renewed_in_time_is_given_up_before_it_can_have_expired(scene, web, monkeypatch):
    scene.deployer().deploy(web(), OLD)
    began_s = scene.world.clock.now()
    deployer = scene.deployer()

    def not_now(service, fence, ttl_s):
        raise Fault("renew").error("renew")

    monkeypatch.setattr(scene.lease, "renew", not_now)
    service, slow = web(start_deadline_s=60), Release("2.0", Behaviour(startup_s=40))
    with pytest.raises(LeaseNotRenewed, match=r"could not be renewed in time, .* taken over: renew: not now"):
        deployer.deploy(service, slow)
    assert 10 <= scene.world.clock.now() - began_s < 15
    changes, written = scene.world.log, scene.journal.read("web")
    scene.pass_s(20)
    assert (scene.world.log, scene.journal.read("web")) == (changes, written)
    assert "has no end on record" in scene.deployer().report("web").summary
    monkeypatch.undo()
    assert scene.deployer().resume("web").outcome is Outcome.SUCCEEDED
    assert scene.untidy(service, "2.0") == []


# -- afterwards --------------------------------------------------------------------------------------------------------


def test_the_lease_is_free_after_a_deployment_that_succeeded_and_after_one_that_had_nothing_to_do(scene, web):
    scene.deployer().deploy(web(), OLD)
    assert scene.lease.holder("web") is None
    scene.deployer().deploy(web(), OLD)
    assert scene.lease.holder("web") is None


ENDINGS = {
    Outcome.ROLLED_BACK: (SICK, None, ()),
    Outcome.FROZEN: (NEW, RollingUpdate(gates=[FunctionGate(refuses)], on_failure="freeze"), ()),
    Outcome.STUCK: (SICK, None, [Fault("retire", kind="permanent")]),
}


@pytest.mark.parametrize("outcome", ENDINGS, ids=lambda outcome: outcome.value)
def test_the_lease_is_free_after_a_deployment_that_failed(scene, web, outcome):
    release, strategy, faults = ENDINGS[outcome]
    scene.deployer().deploy(web(), OLD)
    for fault in faults:
        scene.world.add_fault(fault)
    with pytest.raises(DeploymentError) as caught:
        scene.deployer().deploy(web(), release, strategy)
    assert caught.value.report.outcome is outcome
    assert scene.lease.holder("web") is None


def test_the_lease_is_free_after_an_interruption(scene, web):
    def interrupt(method, name):
        if scene.world.instances():
            scene.world.intercept = None
            raise KeyboardInterrupt

    scene.world.intercept = interrupt
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(web(), OLD)
    assert scene.lease.holder("web") is None


def test_the_lease_is_free_after_a_refusal_under_it(scene, web):
    scene.deployer().deploy(web(), OLD)
    with pytest.raises(ConfigurationError):
        scene.deployer().rollback("web", "9.9")
    assert scene.lease.holder("web") is None
    scene.world.edges[0].stick()
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(web(), NEW)
    assert scene.lease.holder("web") is None
    assert [e.outcome for e in scene.events if isinstance(e, DeploymentEnded)][-1] is Outcome.ROLLED_BACK
