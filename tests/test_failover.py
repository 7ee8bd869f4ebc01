"""A standby takes over when the primary has failed for certain, and opens only when the primary is seen gone."""

from __future__ import annotations

import pytest

from zdd.actions import CommandAction, FunctionAction
from zdd.adapters.memory import Behaviour, Fault
from zdd.errors import ConfigurationError, DeploymentFailed, PrimaryNotConfirmed
from zdd.events import Outcome
from zdd.failover import Failover
from zdd.gates import FunctionGate, TcpGate
from zdd.model.cell import InstanceState
from zdd.model.release import Release
from zdd.model.traffic import EdgeAbilities
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
    assert report.summary.endswith("; down to none of 3 (floor 0)")
    assert served.untidy(web(), "standby") == []
    assert both == []
    assert served.deployer().fail_back("web").to_version == "primary"
    assert served.untidy(web(), "primary") == []
    assert both == []
    assert served.deployer().deploy(web(), STANDBY).outcome is Outcome.SUCCEEDED  # treated as it was stated
    assert both != []


def refused(scene, to=None):
    """Return why nothing is gone back from; nothing is touched meanwhile."""
    before, told = scene.world.log, len(scene.events)
    with pytest.raises(ConfigurationError) as refusal:
        scene.deployer().fail_back("web", to)
    assert (scene.world.log, len(scene.events)) == (before, told)
    return str(refusal.value)


def test_where_no_failover_happened_there_is_nothing_to_go_back_from(served, web):
    why = "web was never switched to a standby, so there is nothing to go back from; "
    assert refused(served) == why + "deployer.rollback('web') brings back what served before"
    served.deployer().deploy(web(), Release("2.0", Behaviour()))
    assert refused(served).startswith(why)
    assert refused(served, "primary").startswith(why)
    served.deployer().stand_by("web", Failover(STANDBY, warm=True))
    assert refused(served).startswith(why)


def test_what_was_gone_back_from_already_is_not_gone_back_from_again(served, web):
    served.deployer().fail_over("web", FAILOVER)
    served.deployer().fail_back("web")
    assert refused(served) == (
        "web went back from its standby already, and primary serves; name the version that is to serve, "
        "if another one is"
    )
    served.deployer().stand_by("web", Failover(STANDBY, warm=True))
    assert "already, and primary serves" in refused(served)
    assert served.deployer().fail_back("web", "standby").to_version == "standby"
    served.deployer().fail_over("web", Failover(Release("another", Behaviour())))
    assert served.deployer().fail_back("web").to_version == "standby"


def test_where_another_version_was_deployed_since_the_failover_it_is_said_which_one_is_to_serve(served, web):
    served.deployer().fail_over("web", FAILOVER)
    served.deployer().deploy(web(), Release("standby-2", Behaviour()))
    assert refused(served) == (
        "standby-2 of web was deployed after the last switch, so there is nothing to go back from; "
        "name the version that is to serve, if another one is"
    )
    with pytest.raises(DeploymentFailed):
        served.deployer().deploy(web(), Release("bad", Behaviour(healthy=False)))
    assert refused(served).startswith("standby-2 of web was deployed after")
    assert served.deployer().fail_back("web", "primary").to_version == "primary"


def test_a_switch_that_did_not_come_to_its_end_is_gone_back_from(served, web):
    with pytest.raises(DeploymentFailed):
        served.deployer().fail_over("web", Failover(Release("standby", Behaviour(healthy=False)), deadline_s=30))
    assert served.deployer().fail_back("web").to_version == "primary"
    assert served.untidy(web(), "primary") == []


def test_what_was_taken_back_after_a_failover_does_not_keep_from_going_back(served, web):
    served.deployer().fail_over("web", FAILOVER)
    with pytest.raises(DeploymentFailed):
        served.deployer().deploy(web(), Release("bad", Behaviour(healthy=False)))
    assert served.deployer().fail_back("web").to_version == "primary"


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
        (lambda: Failover(STANDBY, warm="no"), "warm of Failover is 'no': use True or False"),
        (lambda: SwitchOver(-1), "deadline_s of SwitchOver"),
        (lambda: Failover(STANDBY, return_after_s=30), "needs healthy="),
        (lambda: Failover(STANDBY, return_after_s=-1), "return_after_s of Failover"),
        (lambda: Failover(STANDBY, actions="promote"), "use a list of actions"),
    ],
)
def test_bad_input_is_refused(make, text):
    with pytest.raises(ConfigurationError, match=text):
        make()


@pytest.mark.parametrize(
    ("failover", "text"),
    [
        (Failover(STANDBY, actions=[CommandAction(["no-such-program"])]), "'no-such-program' of action"),
        (
            Failover(
                STANDBY, return_after_s=9, healthy=TcpGate(), return_actions=[CommandAction(["true"], directory="/no")]
            ),
            "directory /no of action true",
        ),
        (Failover(Release("standby", {"kind": "memory", "odd": 1})), "has no 'odd'"),
    ],
)
def test_what_can_not_be_done_is_refused_while_the_primary_serves(served, failover, text):
    with pytest.raises(ConfigurationError, match=text):
        served.deployer().watch("web", failover, for_s=2)
    with pytest.raises(ConfigurationError, match=text):
        served.deployer().fail_over("web", failover)
    assert {one.version for one in served.world.serving("web")} == {"primary"}


def test_what_was_never_deployed_is_refused(scene):
    for ask in (
        lambda: scene.deployer().fail_over("web", FAILOVER),
        lambda: scene.deployer().fail_back("web"),
        lambda: scene.deployer().watch("web", FAILOVER, for_s=1),
    ):
        with pytest.raises(ConfigurationError, match="never deployed"):
            ask()


@pytest.fixture
def promoted(scene):
    """What existed each time when the standby was promoted."""
    found = []

    def promote(_):
        found.append(sorted(one.version for one in scene.world.instances()))
        return "promoted"

    return found, FunctionAction(promote)


def test_a_warm_standby_runs_beside_what_serves_and_has_no_traffic_until_the_primary_is_gone(served, web, promoted):
    seen, action = promoted
    failover = Failover(STANDBY, warm=True, actions=[action])
    report = served.deployer().stand_by("web", failover)
    assert report.outcome is Outcome.SUCCEEDED
    assert len(served.of_version("standby")) == 3
    assert {one.version for one in served.world.serving("web")} == {"primary"}
    assert report.summary.startswith("web: standby standby beside primary succeeded in ")
    assert "3 found, 3 launched to stand by, 0 stopped, 0 lost" in str(report)
    known = served.deployer().history("web")[-1]
    assert str(known).startswith("web-2  web: standby standby beside primary  StandBy()  succeeded")
    again = served.deployer().stand_by("web", failover)
    assert again.outcome is Outcome.UNCHANGED
    assert again.reason == "standby stands by already, beside what serves"
    waiting = sorted(one.id for one in served.of_version("standby"))
    report = served.deployer().fail_over("web", failover)
    assert report.outcome is Outcome.SUCCEEDED
    assert (report.from_version, report.to_version) == ("primary", "standby")
    assert sorted(one.id for one in served.of_version("standby")) == waiting  # nothing was started
    assert seen == [["standby"] * 3]
    assert served.untidy(web(), "standby") == []
    assert served.deployer().fail_back("web").to_version == "primary"


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("acts", [True, False])
def test_a_warm_standby_opens_when_the_primary_is_gone_and_requests_are_held_until_then(make_scene, web, holds, acts):
    scene = make_scene(edge_lags_s=())
    edge = scene.world.add_edge("edge", lag_s=3.0, abilities=EdgeAbilities(holds=holds))
    scene.deployer().deploy(web(stop_grace_s=60), Release("primary", Behaviour(stop_s=5)))
    failover = Failover(STANDBY, warm=True, actions=[FunctionAction(lambda _: "promoted")] if acts else [])
    scene.deployer().stand_by("web", failover)
    both, open_to_nobody = [], []

    def look(_):
        registrations, _ = scene.world.registered("web")
        sent = {one.version for one in registrations if one.weight}
        if "standby" in sent and scene.of_version("primary"):
            both.append(scene.world.clock.now())
        if not sent and not edge.view(web(), ()).held:
            open_to_nobody.append(scene.world.clock.now())

    scene.world.observe_changes(look)
    assert scene.deployer().fail_over("web", failover).outcome is Outcome.SUCCEEDED
    assert scene.untidy(web(), "standby") == []
    assert both == []
    assert holds == (open_to_nobody == [])


def test_a_warm_standby_is_neither_promoted_nor_opened_while_the_primary_may_still_write(scene, web, promoted):
    seen, action = promoted
    scene.deployer().deploy(web(stop_grace_s=100), Release("primary", Behaviour(stop_s=10_000)))
    failover = Failover(STANDBY, deadline_s=30, warm=True, actions=[action])
    scene.deployer().stand_by("web", failover)
    with pytest.raises(PrimaryNotConfirmed, match="may still write") as asked:
        scene.deployer().fail_over("web", failover)
    assert len(asked.value.unconfirmed) == 3
    assert all("is stopping and has no traffic" in line for line in asked.value.unconfirmed)
    assert len(scene.of_version("standby")) == 3
    assert scene.world.serving("web") == ()
    with pytest.raises(PrimaryNotConfirmed):
        scene.deployer().resume("web")
    assert seen == []
    scene.deployer().fail_over("web", failover, cut_off_confirmed=True)
    assert len(seen) == 1
    assert {one.version for one in scene.world.serving("web")} == {"standby"}


@pytest.mark.parametrize("call", range(5, 96, 13))
def test_a_switch_to_a_warm_standby_that_is_killed_in_the_middle_is_finished(served, web, promoted, killed, call):
    seen, action = promoted
    failover = Failover(STANDBY, warm=True, actions=[action], failures=3, interval_s=1.0)
    served.deployer().stand_by("web", failover)
    sicken(served)
    for one in served.of_version("standby"):
        served.world.mark(one.id, healthy=True)
    with served.ended_at_call(call, killed), pytest.raises(killed):
        served.deployer().watch("web", failover, for_s=60)
    report = served.deployer().watch("web", failover, for_s=120)
    assert report is not None
    assert report.to_version == "standby"
    assert served.untidy(web(), "standby") == []
    assert all(found == ["standby"] * 3 for found in seen)


def test_a_watch_starts_a_warm_standby_that_is_not_there_and_switches_to_it(served, web):
    failover = Failover(STANDBY, warm=True, failures=3, interval_s=1.0)
    served.after_s(20, lambda: sicken_version(served, "primary"))
    report = served.deployer().watch("web", failover, for_s=60)
    assert report is not None
    assert {one.version for one in served.world.serving("web")} == {"standby"}
    assert len(served.deployer().history("web")) == 3  # primary, stand by, switch


def test_an_ordinary_deployment_clears_the_standby_away(served, web):
    served.deployer().stand_by("web", FAILOVER)
    served.deployer().deploy(web(), Release("primary-2", Behaviour()))
    assert served.untidy(web(), "primary-2") == []
    assert served.deployer().rollback("web").to_version == "primary"


def sicken_version(scene, version):
    for one in scene.of_version(version):
        scene.world.mark(one.id, healthy=False)


class Primary:
    """Whether the primary's machine is well, by virtual time."""

    def __init__(self, scene, web):
        self.scene, self.well, self.asked = scene, True, 0
        self.switches = [(scene.world.clock.now(), "primary")]
        scene.world.observe_changes(self.look)

    def look(self, _):
        serving = {one.version for one in self.scene.world.serving("web")}
        if len(serving) == 1 and {self.switches[-1][1]} != serving:
            self.switches.append((self.scene.world.clock.now(), *serving))

    def healthy(self, _):
        self.asked += 1
        return self.well

    def dies(self):
        self.well = False
        sicken_version(self.scene, "primary")

    def recovers(self):
        self.well = True

    def failover(self, **options):
        gate = FunctionGate(self.healthy)
        return Failover(STANDBY, failures=3, interval_s=1.0, return_after_s=30, healthy=gate, **options)

    def began_s(self, number):
        return self.switches[number][0]


@pytest.fixture
def primary(served, web):
    return Primary(served, web)


def test_it_goes_back_by_itself_after_the_stated_healthy_time_and_not_before(served, web, primary):
    served.after_s(5.5, primary.dies)
    served.after_s(50.5, primary.recovers)
    served.after_s(70.5, lambda: setattr(primary, "well", False))  # one bad look: the time begins anew
    served.after_s(71.5, primary.recovers)
    start_s = served.world.clock.now()
    report = served.deployer().watch("web", primary.failover(), for_s=130)
    assert report is not None
    assert report.to_version == "primary"
    assert [version for _, version in primary.switches] == ["primary", "standby", "primary"]
    assert 72 + 30 <= primary.began_s(2) - start_s < 72 + 30 + 12
    assert served.untidy(web(), "primary") == []


def test_a_primary_that_comes_and_goes_is_gone_back_to_less_and_less_often(served, primary):
    def new_primary_dies(seconds):
        served.after_s(seconds, primary.dies)
        served.after_s(seconds + 8, primary.recovers)

    for seconds in range(5, 1000, 50):
        new_primary_dies(seconds)
    served.deployer().watch("web", primary.failover(), for_s=1000)
    backs = [at_s for at_s, version in primary.switches[1:] if version == "primary"]
    assert 1 <= len(backs) <= 2  # a healthy time of 30 s, then of 60 s, which a primary that dies every 50 s never has


def test_without_a_stated_time_nobody_asks_and_nothing_goes_back(served, primary):
    served.after_s(5.5, primary.dies)
    served.after_s(10.5, primary.recovers)
    failover = Failover(STANDBY, failures=3, interval_s=1.0, healthy=FunctionGate(primary.healthy))
    assert served.deployer().watch("web", failover, for_s=300).to_version == "standby"
    assert primary.asked == 0


def test_going_back_by_itself_waits_while_somebody_deploys(served, web, primary):
    served.deployer().fail_over("web", FAILOVER)
    fence = served.lease.acquire("web", "somebody@elsewhere:1", 60)
    assert served.deployer().watch("web", primary.failover(), for_s=50) is None
    served.lease.release("web", fence)
    served.deployer().watch("web", primary.failover(), for_s=60)
    assert served.untidy(web(), "primary") == []


@pytest.mark.parametrize("warm", [True, False])
def test_one_list_that_leaves_the_primary_out_promotes_nothing(scene, web, promoted, monkeypatch, warm):
    seen, action = promoted
    service = web(replicas=1, cells=1, stop_grace_s=60)
    scene.deployer().deploy(service, Release("primary", Behaviour(stop_s=10)))
    failover = Failover(STANDBY, actions=[action])
    if warm:
        scene.deployer().stand_by("web", failover)
    observe, left_out = scene.world.cells.observe, []

    def short(name):
        cells = observe(name)
        if not left_out and any(one.state is InstanceState.STOPPING for cell in cells for one in cell.instances):
            left_out.append(scene.world.clock.now())
            return tuple(cell for cell in cells if cell.name != "web")
        return cells

    monkeypatch.setattr(scene.world.cells, "observe", short)
    assert scene.deployer().fail_over("web", failover).outcome is Outcome.SUCCEEDED
    assert len(left_out) == 1
    assert seen == [["standby"] if warm else []]
