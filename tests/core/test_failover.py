"""A standby takes over when the primary has failed for certain, and opens only when the primary is seen gone."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, Fault
from zdd.errors import ConfigurationError, PrimaryNotConfirmed
from zdd.events import Outcome
from zdd.failover import Failover
from zdd.gates import FunctionGate
from zdd.model.release import Release
from zdd.strategies.switch_over import SwitchOver

PRIMARY, STANDBY = Release("primary", Behaviour()), Release("standby", Behaviour())
FAILOVER = Failover(STANDBY, failures=3, interval_s=1.0)


@pytest.fixture
def served(scene, web):
    """A scene in which the primary serves."""
    assert scene.deployer().deploy(web(), PRIMARY).outcome is Outcome.SUCCEEDED
    return scene


def sicken(scene, healthy=False):
    for one in scene.world.instances():
        scene.world.mark(one.id, healthy=healthy)


def most_at_once(scene, service):
    """Return in how many observed moments instances of two versions existed."""
    both = []

    def look(_):
        if len({one.version for one in scene.world.instances(service.name)}) > 1:
            both.append(scene.world.clock.now())

    scene.world.observe_changes(look)
    return both


def test_by_hand_the_standby_takes_over_and_nothing_runs_beside_it(served, web):
    both = most_at_once(served, web())
    report = served.deployer().fail_over("web", FAILOVER)
    assert report.outcome is Outcome.SUCCEEDED
    assert (report.from_version, report.to_version) == ("primary", "standby")
    assert served.untidy(web(), "standby") == []
    assert both == []
    assert served.deployer().fail_back("web").to_version == "primary"
    assert served.untidy(web(), "primary") == []
    assert both == []
    assert served.deployer().deploy(web(), STANDBY).outcome is Outcome.SUCCEEDED  # treated as it was stated
    assert both != []


def test_a_watch_switches_after_so_many_failed_looks_in_a_row(served, web):
    served.after_s(5.5, lambda: sicken(served))
    began_s = served.world.clock.now()
    report = served.deployer().watch("web", FAILOVER, for_s=60)
    assert report is not None
    assert report.to_version == "standby"
    assert 8.0 <= report.started_s - began_s < 8.5
    assert served.untidy(web(), "standby") == []


def test_a_primary_that_flaps_is_left_alone(served, web):
    for second in range(0, 58, 4):  # two looks fail, two pass, and so on
        served.after_s(second + 0.5, lambda: sicken(served))
        served.after_s(second + 2.5, lambda: sicken(served, healthy=True))
    assert served.deployer().watch("web", FAILOVER, for_s=59) is None
    assert served.untidy(web(), "primary") == []


def test_one_of_several_that_serves_is_enough(served, web):
    served.world.mark(served.world.instances()[0].id, healthy=False)
    served.world.mark(served.world.instances()[1].id, healthy=False)
    assert served.deployer().watch("web", FAILOVER, for_s=10) is None


def test_what_can_not_be_observed_is_not_taken_for_dead(served):
    sicken(served)
    served.world.add_fault(Fault("observe"), times=1000)
    assert served.deployer().watch("web", FAILOVER, for_s=10) is None


def test_nothing_is_counted_while_somebody_deploys(served):
    sicken(served)
    fence = served.lease.acquire("web", "somebody@elsewhere:1", 20)
    assert served.deployer().watch("web", FAILOVER, for_s=10) is None
    served.lease.release("web", fence)
    assert served.deployer().watch("web", FAILOVER, for_s=10) is not None


def test_the_count_begins_anew_after_a_deployment_between_two_looks(served, web):
    looks = []

    def look(_):
        looks.append(1)
        if len(looks) == 4:
            served.deployer().deploy(web(), Release("primary-2", Behaviour()))
        return False

    one = web(replicas=1, cells=1)
    served.deployer().deploy(one, PRIMARY)
    failover = Failover(STANDBY, gate=FunctionGate(look), failures=4, interval_s=1.0)
    report = served.deployer().watch("web", failover, for_s=60)
    assert report is not None
    assert report.from_version == "primary-2"
    assert len(looks) >= 4 + 4


def test_after_a_switch_nothing_switches_until_it_is_told(served):
    served.deployer().fail_over("web", FAILOVER)
    with pytest.raises(ConfigurationError, match="serves already: call fail_back"):
        served.deployer().watch("web", FAILOVER, for_s=10)


def test_a_primary_that_is_not_confirmed_asks(scene, web):
    service = web(stop_grace_s=100_000)
    scene.deployer().deploy(service, Release("primary", Behaviour(stop_s=10_000)))
    with pytest.raises(PrimaryNotConfirmed, match="may still write") as asked:
        scene.deployer().fail_over("web", Failover(STANDBY, deadline_s=30))
    assert len(asked.value.unconfirmed) == 3
    assert all("is stopping and has no traffic" in line for line in asked.value.unconfirmed)
    assert scene.of_version("standby") == []
    with pytest.raises(PrimaryNotConfirmed):
        scene.deployer().resume("web")
    assert scene.of_version("standby") == []


def test_a_person_who_has_cut_it_off_has_the_standby_opened(scene, web):
    service = web(stop_grace_s=100)  # after which it is ended by force
    scene.deployer().deploy(service, Release("primary", Behaviour(stop_s=10_000)))
    with pytest.raises(PrimaryNotConfirmed):
        scene.deployer().fail_over("web", Failover(STANDBY, deadline_s=30))
    both = most_at_once(scene, service)
    report = scene.deployer().fail_over("web", Failover(STANDBY, deadline_s=30), cut_off_confirmed=True)
    assert report.outcome is Outcome.SUCCEEDED
    assert both != []  # it was not waited for
    assert {one.version for one in scene.world.serving("web")} == {"standby"}
    assert scene.of_version("primary") == []


def test_nothing_is_left_of_a_primary_that_was_cut_off_and_can_be_stopped(served, web):
    report = served.deployer().fail_over("web", FAILOVER, cut_off_confirmed=True)
    assert report.outcome is Outcome.SUCCEEDED
    assert {one.version for one in served.world.serving("web")} == {"standby"}
    assert served.of_version("primary") == []


@pytest.mark.parametrize("call", range(5, 96, 7))
def test_a_watch_that_is_killed_in_the_middle_of_the_switch_is_finished(served, web, killed, call):
    sicken(served)
    both = most_at_once(served, web())
    with served.ended_at_call(call, killed), pytest.raises(killed):
        served.deployer().watch("web", FAILOVER, for_s=60)
    report = served.deployer().watch("web", FAILOVER, for_s=120)
    assert report is not None
    assert report.to_version == "standby"
    assert served.untidy(web(), "standby") == []
    assert both == []


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Failover("standby"), "use a zdd.Release"),
        (lambda: Failover(STANDBY, failures=0), "failures of Failover"),
        (lambda: Failover(STANDBY, interval_s=0), "interval_s of Failover"),
        (lambda: Failover(STANDBY, gate="http"), "is no gate"),
        (lambda: SwitchOver(-1), "deadline_s of SwitchOver"),
    ],
)
def test_bad_input_is_refused(make, text):
    with pytest.raises(ConfigurationError, match=text):
        make()


def test_what_was_never_deployed_is_refused(scene):
    for ask in (
        lambda: scene.deployer().fail_over("web", FAILOVER),
        lambda: scene.deployer().fail_back("web"),
        lambda: scene.deployer().watch("web", FAILOVER, for_s=1),
    ):
        with pytest.raises(ConfigurationError, match="never deployed"):
            ask()
