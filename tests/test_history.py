"""What is known of a service from its events."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.errors import ConfigurationError
from zdd.events import (
    ActionEnded,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    InstanceMoved,
    Moment,
    Outcome,
    StageFailed,
    StagePassed,
)
from zdd.gates import TcpGate
from zdd.history import read_history
from zdd.model.command import Launch, Retire, Route, Scale
from zdd.model.plan import Direction, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.reconciler.learn import EDGE_FOLLOWS_S
from zdd.reconciler.progress import Given, Told
from zdd.strategies.blue_green import BlueGreen

WEB = Service("web")


def revision(id_, version, *gates):
    return Revision(id_, version, Release(version, Process(["server", version])).workload, gates)


def started(deployment, id_, version, *, others=(), back=False, at_s=1.0, **rest):
    target = revision(id_, version)
    plan = Plan(
        WEB,
        id_,
        {one.id: one for one in (*others, target)},
        (),
        (Stage("one"), Stage("two")),
        0,
        2,
        strategy="BlueGreen(keep_s=0)",
        direction=Direction.BACK if back else Direction.FORWARD,
    )
    about = {"at_s": at_s, "service": "web", "deployment": deployment, "actor": "ann@there:7"}
    return DeploymentStarted(**about, plan=plan, from_version="", to_version=version, **rest)


def passed(deployment, stage):
    return StagePassed(at_s=2.0, service="web", deployment=deployment, stage=stage, title="")


def ended(deployment, outcome, reason=""):
    return DeploymentEnded(at_s=3.0, service="web", deployment=deployment, outcome=outcome, reason=reason)


def story(*endings):
    """Return the history of deployments of 1.0, 2.0, … that ended like this; None: not at all."""
    events = []
    for number, outcome in enumerate(endings, start=1):
        events.append(started(f"d{number}", f"r{number}", f"{number}.0"))
        if outcome is not None:
            events.append(ended(f"d{number}", outcome))
    return read_history(events)


GOOD, BACK, FROZEN = Outcome.SUCCEEDED, Outcome.ROLLED_BACK, Outcome.FROZEN


def test_nothing_is_known_of_a_service_without_events():
    history = read_history([])
    assert (history.deployments, history.last, history.unfinished, history.served()) == ((), None, None, [])


def test_a_deployment_is_one_line_with_who_what_and_how_it_ended():
    [one] = read_history([started("web-1", "r1", "1.0", strategy=BlueGreen()), ended("web-1", GOOD)]).deployments
    assert (one.started_s, one.ended_s, one.strategy) == (1.0, 3.0, BlueGreen())
    assert str(one).startswith("web-1  web: ")
    assert str(one).endswith("1.0  BlueGreen(keep_s=0)  succeeded  by ann@there:7")


def test_a_deployment_of_which_no_end_is_known_says_so():
    [one] = read_history([started("web-1", "r1", "1.0")]).deployments
    assert (one.outcome, one.ended_s) == (None, None)
    assert "  not ended  " in str(one)


@pytest.mark.parametrize("outcome", [None, *Outcome], ids=str)
def test_the_last_deployment_is_unfinished_unless_it_left_the_service_in_order(outcome):
    history = story(GOOD, outcome)
    in_order = outcome in (Outcome.SUCCEEDED, Outcome.ROLLED_BACK, Outcome.UNCHANGED)
    assert history.unfinished == (None if in_order else history.last)


def test_a_later_deployment_supersedes_one_that_did_not_end():
    assert story(None, GOOD).unfinished is None


# -- how far it came ---------------------------------------------------------------------------------------------------


def test_a_deployment_has_passed_when_its_last_stage_has():
    first = [started("d", "r1", "1.0"), passed("d", 0)]
    assert not read_history(first).last.passed
    assert read_history([*first, passed("d", 1)]).last.passed


def test_a_deployment_that_was_taken_back_has_not_passed_though_the_last_stage_back_has():
    failed = StageFailed(at_s=2.0, service="web", deployment="d", stage=0, title="", reason="no")
    way_back = [started("d", "r0", "0.9", back=True), passed("d", 0), passed("d", 1)]
    history = read_history([started("d", "r1", "1.0"), failed, *way_back])
    assert (history.last.went_back, history.last.passed) == (True, False)
    assert (history.last.plan.target, history.last.to_version) == ("r1", "1.0")


# -- what served -------------------------------------------------------------------------------------------------------


def ids(revisions):
    return [revision.id for revision in revisions]


def test_only_what_was_deployed_with_success_has_served():
    assert ids(story(GOOD, BACK, FROZEN, None, GOOD).served()) == ["r1", "r5"]


def test_what_served_twice_counts_where_it_was_deployed_last():
    events = [started("d1", "r1", "1.0"), ended("d1", GOOD), started("d2", "r2", "2.0"), ended("d2", GOOD)]
    again = [started("d3", "r1", "1.0"), ended("d3", GOOD)]
    assert ids(read_history([*events, *again]).served()) == ["r2", "r1"]


def test_going_back_leads_to_what_served_before_the_present_one():
    assert story(GOOD, GOOD, GOOD).find(None).id == "r2"
    assert story(GOOD, GOOD, BACK).find(None).id == "r1"


@pytest.mark.parametrize("outcome", [None, FROZEN, Outcome.STUCK, Outcome.INTERRUPTED], ids=str)
def test_going_back_from_the_middle_leads_to_what_served_last(outcome):
    assert story(GOOD, GOOD, outcome).find(None).id == "r2"


def test_a_restart_of_the_same_release_is_nothing_to_go_back_to():
    events = [
        *(started("d1", "r1", "1.0"), ended("d1", GOOD)),
        *(started("d2", "r2", "2.0"), ended("d2", GOOD)),
        *(started("d3", "r3", "2.0"), ended("d3", GOOD)),
    ]
    assert read_history(events).find(None).id == "r1"


def test_a_version_or_an_id_finds_the_last_that_served_so():
    events = [
        *(started("d1", "r1", "1.0"), ended("d1", GOOD)),
        *(started("d2", "r2", "1.0"), ended("d2", GOOD)),
        *(started("d3", "r3", "2.0"), ended("d3", GOOD)),
    ]
    assert read_history(events).find("1.0").id == "r2"
    assert read_history(events).find("r1").id == "r1"


def test_what_never_served_is_not_found_and_the_message_lists_what_did():
    with pytest.raises(ConfigurationError, match=r"web: '2\.0' never served; these did: 1\.0 \(r1\), 3\.0 \(r3\)$"):
        story(GOOD, BACK, GOOD).find("2.0")
    with pytest.raises(ConfigurationError, match=r"'1\.0' never served; these did: none"):
        story(BACK).find("1.0")


@pytest.mark.parametrize("endings", [(), (GOOD,), (BACK,)], ids=str)
def test_there_may_be_nothing_to_go_back_to(endings):
    with pytest.raises(
        ConfigurationError,
        match=r"there is no earlier revision to go back to(: only|, as nothing)",
    ):
        story(*endings).find(None)


def test_what_was_removed_is_what_served_last():
    removal = evolve(started("d2", "r1", "1.0"), to_version="")
    history = read_history([started("d1", "r1", "1.0"), ended("d1", GOOD), removal, ended("d2", GOOD)])
    assert history.find(None).id == "r1"


# -- revisions ---------------------------------------------------------------------------------------------------------


def test_a_revision_is_known_with_the_gates_of_the_deployment_that_was_of_it():
    lenient = revision("r1", "1.0", TcpGate())
    later = started("d2", "r2", "2.0", others=[lenient])
    assert read_history([started("d1", "r1", "1.0"), later]).revisions["r1"].gates == ()
    assert read_history([later]).revisions["r1"].gates == (TcpGate(),)


def sent(number, command, at_s, error="", **unknown):
    about = {"service": "web", "deployment": "d1", "number": number}
    answer = CommandAnswered(at_s=at_s + 1, **about, error=error, **unknown)
    return [CommandIntended(at_s=at_s, **about, command=command), answer]


def test_what_discovery_was_told_last_is_known_unless_it_refused_that():
    first, second = Route(()), Route((), held=True)
    begun = [started("d1", "r1", "1.0"), *sent(1, first, 4.0)]
    assert read_history(begun).routed_s == 4.0
    assert read_history(begun).routed == first
    again = read_history([*begun, *sent(2, second, 6.0), *sent(3, Retire("web"), 7.0, "gone already")])
    assert (again.routed, again.routed_s) == (second, 6.0)
    assert read_history([*begun, *sent(2, second, 6.0, "refused")]).routed == first
    assert read_history([*begun, *sent(2, second, 6.0, "no answer", unknown=True)]).routed == second
    assert read_history([*begun, sent(2, second, 6.0)[0]]).routed == second
    assert read_history(begun[:1]).routed is None


def test_what_a_cell_was_told_last_is_known_unless_that_was_refused():
    launch, scale = Launch("web", "r1", 2), Scale("web", 0)
    begun = [started("web-1", "r1", "1.0"), *sent(1, launch, 4.0)]
    assert read_history(begun).told == {"web": Told(launch, 4.0)}
    assert read_history([*begun, *sent(2, scale, 6.0)]).told == {"web": Told(scale, 6.0)}
    assert read_history([*begun, *sent(2, scale, 6.0, "refused")]).told == {"web": Told(launch, 4.0)}
    assert read_history([*begun, *sent(2, scale, 6.0, "no answer", unknown=True)]).told == {"web": Told(scale, 6.0)}
    assert read_history([*begun, sent(2, scale, 6.0)[0]]).told == {"web": Told(scale, 6.0)}
    assert read_history(begun[:1]).told == {}


def test_the_actions_that_succeeded_are_known():
    about = {"at_s": 2.0, "service": "web", "deployment": "d1"}
    done = ActionEnded(**about, stage=0, action="restore", succeeded=True)
    events = [started("d1", "r1", "1.0"), done]
    assert read_history(events).last.acted == ("restore",)
    assert not read_history(events).last.undone
    assert read_history([*events, started("d1", "r1", "1.0", back=True), done]).last.undone


def holds(*told, refused=()):
    """Tell whether requests are held for certain when discovery was told (when, whether to hold them)."""
    sent = [
        event
        for number, (at_s, held) in enumerate(told)
        for event in (
            CommandIntended(at_s=at_s, service="web", deployment="web-1", number=number, command=Route((), held)),
            CommandAnswered(
                at_s=at_s, service="web", deployment="web-1", number=number, error="no" if number in refused else ""
            ),
        )
    ]
    history = read_history(sent)
    return history.holds and not history.went_on_s


def test_that_requests_are_held_is_known_unless_they_went_on_so_shortly_before_that_edges_may_not_know():
    assert not holds()
    assert holds((1, True))
    assert holds((1, False), (2, True), (3, True))
    assert not holds((1, True), (2, False))
    assert not holds((1, True), (2, False), (3, True))
    assert not holds((1, True), (20, False), (29, True))
    assert holds((1, True), (20, False), (31, True))
    assert holds((1, True), (2, False), refused=[1])


def test_that_requests_are_held_is_known_when_edges_were_seen_to_let_them_go_on_to_what_had_no_traffic_before():
    def route(at_s, held, **weights):
        registrations = tuple(Registration(name, "web", "r1", "1.0", {}, weight) for name, weight in weights.items())
        command = Route(registrations, held)
        return CommandIntended(at_s=at_s, service="web", deployment="web-1", number=1, command=command)

    def known(*events):
        history = read_history(events)
        return history.holds and not history.went_on_s

    begun = (route(1, False, old=5), seen(1, "old"), route(2, True, old=5), route(3, True, old=0))
    gone_on, again = route(5, False, old=0, new=5), route(7, True, old=0, new=5)
    assert not known(*begun, gone_on, again)
    assert not known(*begun, gone_on, again, seen(7, "new"))  # in a look from before
    assert known(*begun, gone_on, seen(6, "new"), again)
    assert not known(*begun, seen(4, "new"), gone_on, again)
    for first in (0, 2):
        assert not known(*begun[first:3], route(5, False, old=5), seen(6, "old"), again)  # it may never have held
    assert not known(*begun, gone_on, seen(6, "new"), again, route(8, False, new=5), route(9, True, new=5))


def routes(*told, refused=()):
    """Return the events of telling discovery (when, what)."""
    about, events = {"service": "web", "deployment": "web-1"}, []
    for number, (at_s, weights) in enumerate(told):
        registrations = tuple(Registration(name, "web", "r1", "1.0", {}, weight) for name, weight in weights.items())
        events.append(CommandIntended(at_s=at_s, **about, number=number, command=Route(registrations)))
        error = "no" if number in refused else ""
        events.append(CommandAnswered(at_s=at_s, **about, number=number, error=error))
    return events


def seen(at_s, name):
    return InstanceMoved(
        at_s=at_s, service="web", deployment="web-1", instance=name, cell="web", version="1.0", moment=Moment.SEEN
    )


def test_what_was_given_traffic_lately_is_known_and_whether_it_had_been_taken_out():
    told = routes((10, {"a": 5}), (30, {"a": 0, "b": 5}), (31, {"a": 5, "b": 5}))
    assert read_history(told).given["a"] == Given(31, again=True)
    assert read_history(told).given["b"] == Given(30, again=False)


def test_what_every_edge_was_seen_to_show_since_and_what_discovery_refused_is_not():
    told = routes((10, {"a": 0}), (30, {"a": 5}))
    assert "a" not in read_history([*told, seen(31, "a")]).given
    assert "a" in read_history([seen(29, "a"), *told]).given
    assert "a" not in read_history(routes((10, {"a": 0}), (30, {"a": 5}), refused=[1])).given


def test_of_what_edges_have_had_time_to_follow_only_the_last_is_looked_at():
    told = routes((9, {"a": 0}), (10, {"a": 5}), (30, {"a": 5, "b": 5}))
    assert read_history(told).given == {"a": Given(10, again=False), "b": Given(30, again=False)}
    assert 10 + EDGE_FOLLOWS_S < 30
