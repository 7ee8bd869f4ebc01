"""Facts become progress: what was seen, said, sent and done."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.gates import FunctionGate
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Launch, Route
from zdd.model.gate import Target
from zdd.model.observation import Observation
from zdd.model.plan import Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result, Sample
from zdd.reconciler.learn import EDGE_FOLLOWS_S, IDLE_LOOKS, LOOK_AGAIN_S, STEADY_S, learn
from zdd.reconciler.progress import (
    SAMPLES_KEPT,
    Completed,
    Given,
    Observed,
    Passed,
    Performed,
    Progress,
    Sampled,
    Sent,
    Stopped,
    Told,
    TrafficReached,
    admission_key,
)

HERE = Address("10.0.0.1", 8080)
WEB = Service("web", drain_deadline_s=30)
GATES = (FunctionGate(bool, "one"), FunctionGate(bool, "two"))
READY = Instance("web.1", "r1", InstanceState.READY, {"http": HERE}, since_s=10.0)


def plan_of(service=WEB, gates=()):
    return Plan(service, "r1", {"r1": Revision("r1", "1.0", {}, gates)}, (), (Stage("one"), Stage("two")), 0, 2)


PLAN = plan_of()


def look(at_s, instance=READY, *, weight=None, edges=()):
    """Return what is seen at a time: the instance, its registration, and edges as (name, sends, in flight)."""
    cells = () if instance is None else (Cell("web", "r1", 1, (instance,)),)
    known = () if weight is None else (Registration("web.1", "web", "r1", "1.0", {"http": HERE}, weight),)
    views = tuple(
        EdgeView(name, at_s, weights={HERE: 1} if sends else {}, in_flight={} if count is None else {HERE: count})
        for name, sends, count in edges
    )
    return Observation(at_s, cells, known, edges=views)


def after(*looks, plan=PLAN, progress=None):
    progress = progress or Progress()
    for one in looks:
        progress = learn(progress, plan, Observed(one), one.as_of_s)
    return progress


def record(*looks, **rest):
    return after(*looks, **rest).instances["web.1"]


# -- an instance comes -------------------------------------------------------------------------------------------------


def test_an_instance_has_failed_since_it_was_first_seen_to_whatever_its_nodes_clock_says():
    failed = evolve(READY, state=InstanceState.FAILED, since_s=90.0)
    assert record(look(20), look(21, failed), look(22, failed)).failed_s == 21
    assert record(look(20), look(21, failed), look(22), look(23)).failed_s is None


def test_an_instance_is_launched_when_first_listed_and_ready_when_first_called_so():
    seen = record(look(20, evolve(READY, state=InstanceState.STARTING)), look(21), look(22))
    assert (seen.launched_s, seen.ready_s, seen.state) == (20, 21, InstanceState.READY)


def test_it_is_admitted_when_registered_with_a_weight_and_seen_when_every_edge_sends_to_it():
    first = look(20, weight=5, edges=[("north", True, 0), ("south", False, 0)])
    assert record(first).admitted_s == 20
    assert record(first).seen_s is None
    both = look(21, weight=5, edges=[("north", False, 0), ("south", True, 0)])
    assert record(first, both).seen_s == 21  # each edge was seen to send to it, once


def test_without_gates_it_is_proven_by_being_ready_and_a_worker_by_staying_so():
    assert record(look(20)).proven_s == 20
    worker = plan_of(Service("web", exposures=[]))
    assert record(look(10 + STEADY_S - 0.1), plan=worker).proven_s is None
    assert record(look(10 + STEADY_S), plan=worker).proven_s == 10 + STEADY_S
    ahead = evolve(READY, since_s=4000.0)  # by the clock of its node
    assert record(look(20, ahead), look(20 + STEADY_S - 0.1, ahead), plan=worker).proven_s is None
    assert record(look(20, ahead), look(20 + STEADY_S, ahead), plan=worker).proven_s == 20 + STEADY_S


# -- and goes ----------------------------------------------------------------------------------------------------------

IN = look(20, weight=5, edges=[("edge", True, 3)])
OUT = look(21, weight=0, edges=[("edge", True, 3)])


def away(at_s, count=0):
    return look(at_s, weight=0, edges=[("edge", False, count)])


def test_it_is_out_when_registered_without_weight_and_gone_when_every_edge_has_let_go():
    assert record(IN, OUT).out_s == 21
    assert record(IN, OUT).gone_s is None
    assert record(IN, OUT, away(22)).gone_s == 22


def test_an_edge_may_still_admit_what_was_taken_back_before_it_showed_it():
    never = look(20, weight=5, edges=[("edge", False, 0)])
    late = 21 + EDGE_FOLLOWS_S
    assert record(never, away(21), away(late - 0.1)).gone_s is None
    assert record(never, away(21), away(late)).gone_s == late


def test_an_edge_has_let_go_of_what_was_out_at_the_first_look_after_a_settling_time():
    assert record(away(21), away(21.9)).gone_s is None
    assert record(away(21), away(22)).gone_s == 22


def held(at_s, weight, holds=True):
    seen = look(at_s, weight=weight, edges=[("edge", False, 0)])
    return evolve(seen, held=True, edges=(evolve(seen.edges[0], held=holds),))


@pytest.mark.parametrize(("went_on_s", "let_go"), [(0.0, True), (20.5, False)])
def test_an_edge_that_holds_requests_back_has_not_let_go_while_it_may_not_know_that_they_went_on(went_on_s, let_go):
    sent = [look(at_s, weight=1, edges=[("a", True, 0)]) for at_s in (20, 20.5)]
    out = look(21, weight=0, edges=[("a", False, 0)])
    held = evolve(out, held=True, edges=(evolve(out.edges[0], held=True),))
    before = evolve(after(*sent), went_on_s=went_on_s)
    assert (record(held, progress=before).gone_at == {"a": 21}) is let_go


def test_an_edge_that_holds_requests_back_since_an_earlier_deployer_has_let_go_of_everything():
    known = Progress(holds=True)
    assert record(held(20, 5), held(21, 0), progress=known).gone_s == 21
    late = 21 + EDGE_FOLLOWS_S
    assert record(held(20, 5), held(21, 0), held(late - 0.1, 0)).gone_s is None  # it may do so since longer ago
    assert record(held(20, 5), held(21, 0, holds=False), progress=known).gone_s is None
    gone_on = evolve(held(20.5, 5), held=False)
    assert record(held(20, 5), gone_on, held(21, 0), progress=known).gone_s is None
    told = learn(known, PLAN, Sent(Route((), held=False)), 19)
    assert record(held(20, 5), held(21, 0), progress=told).gone_s is None
    assert learn(known, PLAN, Sent(Route((), held=True)), 19).holds


def test_an_edge_may_hold_requests_that_went_on_until_it_sends_them_to_what_had_none_before_or_has_had_time_to_follow():
    told = learn(Progress(routed=Route((), held=True)), PLAN, Sent(Route((), held=False)), 20)
    assert told.went_on_s == 20
    assert learn(Progress(routed=Route(())), PLAN, Sent(Route(())), 20).went_on_s == 0
    shown = look(21, weight=5, edges=[("edge", True, 0)])
    assert after(shown, progress=told).went_on_s == 20  # it may have had traffic all the time
    assert after(look(19), shown, progress=told).went_on_s == 0
    assert after(look(19), evolve(shown, held=True), progress=told).went_on_s == 20
    assert after(look(18), evolve(shown, as_of_s=19), progress=told).went_on_s == 20
    again = evolve(told, holds=True)
    late = 20 + EDGE_FOLLOWS_S
    assert record(held(24, 5), held(25, 0), held(late - 0.1, 0), progress=again).gone_s is None
    assert record(held(24, 5), held(25, 0), held(late, 0), progress=again).gone_s == late


def test_it_is_idle_after_two_looks_in_which_nothing_was_in_flight():
    assert IDLE_LOOKS == 2
    assert record(IN, OUT, away(22)).idle_s is None
    assert record(IN, OUT, away(22), away(22.05)).idle_s is None  # too close together to tell more than one
    assert record(IN, OUT, away(22), away(23)).idle_s == 23
    assert record(IN, OUT, away(22), away(23, count=1), away(24)).idle_s is None


def test_a_count_that_is_not_known_is_not_nothing():
    assert record(IN, OUT, away(22, None), away(23, None)).idle_s is None


def test_it_is_cut_at_the_drain_deadline_if_it_is_not_idle_by_then():
    assert record(IN, away(21, 1), away(50.9, 1)).cut_s is None
    assert record(IN, away(21, 1), away(51, 1)).cut_s == 51
    assert record(IN, away(21, 1), away(51, None)).cut_s == 51
    assert record(IN, away(21), away(22), away(51)).cut_s is None


def test_an_edge_that_can_not_be_asked_gets_its_time_to_follow_before_what_is_in_flight_gets_its_own():
    def unheard(at_s):
        return evolve(look(at_s, weight=0), edges=(EdgeView("edge", at_s, reachable=False),))

    late = 21 + EDGE_FOLLOWS_S + WEB.drain_deadline_s
    assert record(IN, OUT, unheard(22), unheard(late - 0.1)).cut_s is None
    assert record(IN, OUT, unheard(22), unheard(late)).cut_s == late
    assert record(IN, OUT, away(22, 1), unheard(23), unheard(52)).cut_s == 52  # it had let go before


def test_to_be_put_back_forgets_that_it_was_out():
    back = record(IN, OUT, away(22), look(23, weight=5, edges=[("edge", False, 0)]))
    assert (back.admitted_s, back.out_s, back.gone_s, back.seen_s, back.idle_looks) == (23, None, None, None, 0)


def put_back(at_s, sends):
    return look(at_s, weight=5, edges=[("edge", sends, 0)])


def test_put_back_before_the_edge_let_go_it_is_seen_only_after_the_edge_did_or_has_had_time_to():
    late = 23 + EDGE_FOLLOWS_S
    assert record(IN, OUT, put_back(23, True), put_back(late - 0.1, True)).seen_s is None  # it may not follow yet
    assert record(IN, OUT, put_back(23, True), put_back(late, True)).seen_s == late
    assert record(IN, OUT, put_back(23, True), put_back(24, False), put_back(25, True)).seen_s == 25
    assert record(IN, OUT, away(22), put_back(23, True)).seen_s == 23


def test_put_back_twice_an_edge_that_lets_go_may_do_so_for_the_first_time():
    twice = (IN, OUT, put_back(23, True), look(24, weight=0, edges=[("edge", True, 0)]), put_back(25, True))
    late = 25 + EDGE_FOLLOWS_S
    assert record(*twice, put_back(26, False), put_back(27, True)).seen_s is None
    assert record(*twice, put_back(26, False), put_back(late, True)).seen_s == late


def test_an_edge_that_was_put_out_again_before_it_was_sure_has_let_go_only_after_its_time():
    again = (IN, OUT, put_back(23, True), look(24, weight=0, edges=[("edge", True, 0)]))
    late = 24 + EDGE_FOLLOWS_S
    assert record(*again, away(25), away(late - 0.1)).gone_s is None
    assert record(*again, away(25), away(late)).gone_s == late


def test_it_has_stopped_when_it_is_no_longer_listed_unless_it_is_listed_again():
    assert record(look(20), look(21, None)).stopped_s == 21
    assert record(look(20), look(21, None), look(22)).stopped_s is None


def test_one_that_discovery_knows_but_nobody_lists_is_counted_look_by_look():
    missing = record(IN, look(21, None, weight=5), look(22, None, weight=5))
    assert (missing.missing_looks, missing.missing_s) == (2, 21)
    assert record(IN, look(21, None, weight=5), IN).missing_looks == 0


def test_an_edge_is_deaf_since_it_was_first_not_reached_and_no_longer_when_it_answers():
    deaf = evolve(look(20), edges=(EdgeView("edge", 20, reachable=False),))
    later = evolve(deaf, as_of_s=25.0)
    assert after(deaf, later).deaf == {"edge": 20}
    assert after(deaf, look(26, edges=[("edge", False, 0)])).deaf == {}


# -- what gates say ----------------------------------------------------------------------------------------------------

TARGET = Target("web", "1.0", "r1", "web.1", {"http": HERE})
JUDGED = plan_of(gates=GATES)


def sampled(progress, number, result, now):
    gate = GATES[number]
    return learn(progress, JUDGED, Sampled(admission_key("r1", number), gate, TARGET, Sample(result), now - 0.5), now)


def test_an_instance_is_proven_when_the_last_of_its_gates_has_passed():
    progress = after(look(20), plan=JUDGED)
    progress = sampled(progress, 0, Result.PASSED, 21)
    assert progress.instances["web.1"].proven_s is None
    progress = sampled(progress, 1, Result.FAILED, 22)
    assert progress.instances["web.1"].proven_s is None
    assert sampled(progress, 1, Result.PASSED, 23).instances["web.1"].proven_s == 23


def test_a_gate_keeps_when_it_was_first_asked_last_looked_and_last_passed():
    progress = sampled(sampled(Progress(), 0, Result.PASSED, 21), 0, Result.FAILED, 25)
    kept = progress.gates[admission_key("r1", 0), TARGET.key]
    assert (kept.asked_s, kept.looked_s, kept.passed_s, kept.verdict.result) == (20.5, 25, 21, Result.FAILED)
    assert [sample.result for sample in kept.samples] == [Result.PASSED, Result.FAILED]


def test_only_the_last_looks_are_kept():
    progress = Progress()
    for number in range(SAMPLES_KEPT + 3):
        progress = sampled(progress, 0, Result.PASSED if number < 3 else Result.FAILED, 21 + number)
    kept = progress.gates[admission_key("r1", 0), TARGET.key]
    assert [sample.result for sample in kept.samples] == [Result.FAILED] * SAMPLES_KEPT


# -- what was sent and done --------------------------------------------------------------------------------------------


def test_what_was_sent_is_known_and_when():
    launch, route = Launch("web", "r1", 1), Route(())
    progress = learn(learn(Progress(), PLAN, Sent(launch), 5.0), PLAN, Sent(route), 6.0)
    assert progress.told == {"web": Told(launch, 5.0)}
    assert (progress.routed, progress.routed_s, progress.settles_s) == (route, 6.0, 0.0)


def test_what_discovery_was_told_without_an_answer_may_be_shown_from_when_it_has_settled():
    progress = learn(Progress(), PLAN, Sent(Route(()), 9.0), 6.0)
    assert (progress.routed_s, progress.settles_s) == (9.0, 9.0)


def test_what_was_sent_without_an_answer_may_not_have_been_told():
    progress = learn(Progress(), PLAN, Sent(Launch("web", "r1", 1), 9.0), 6.0)
    assert progress.told["web"].unknown


def test_what_was_refused_was_not_told_but_has_to_settle():
    progress = learn(Progress(settles_s=8.0), PLAN, Sent(Launch("web", "r1", 1), 7.0, refused=True), 5.0)
    assert (progress.told, progress.settles_s) == ({}, 8.0)


@pytest.mark.parametrize("fact", [Performed(0, False, "disk full"), Stopped("disk full")], ids=["action", "refusal"])
def test_what_must_not_go_on_has_a_reason(fact):
    assert learn(Progress(), PLAN, fact, 5.0) == Progress(failure="disk full")


def test_the_next_stage_begins_afresh():
    progress = learn(Progress(), PLAN, Performed(0, True), 5.0)
    progress = learn(learn(progress, PLAN, TrafficReached(), 6.0), PLAN, Completed(("web",)), 7.0)
    assert (progress.done, progress.reached_s, progress.complete_s) == ((0,), 6.0, {"web": 7.0})
    progress = learn(progress, PLAN, Passed(), 8.0)
    assert (progress.stage, progress.entered_s, progress.reached_s, progress.done) == (1, 8.0, None, ())


STARTING = evolve(READY, state=InstanceState.STARTING)
STOPPING = evolve(READY, state=InstanceState.STOPPING)
FAILED = evolve(READY, state=InstanceState.FAILED)


@pytest.mark.parametrize(
    ("before", "then"),
    [(READY, STARTING), (None, READY), (STOPPING, READY), (FAILED, READY)],
    ids=["not ready", "back", "not stopping", "well again"],
)
def test_what_a_list_takes_back_is_doubted_until_another_look_says_so_too(before, then):
    progress = after(look(9, READY), look(10, before), look(11, then))
    assert progress.doubted == {"web.1": 11}
    assert after(look(11 + LOOK_AGAIN_S, then), progress=progress).doubted == {}


def test_what_the_next_list_says_as_before_is_doubted_no_more():
    assert after(look(10, READY), look(11, STARTING), look(11.05, READY)).doubted == {}


@pytest.mark.parametrize("then", [READY, STOPPING, FAILED, None])
def test_what_goes_on_as_it_must_is_not_doubted(then):
    assert after(look(9, STARTING), look(10, READY), look(11, then)).doubted == {}


# -- what an earlier deployer did -------------------------------------------------------------------------------------

PUT_BACK = Progress(given={"web.1": Given(20.0, again=True)})
"""An earlier deployer took it out and put it back at 20, and did not see every edge show it."""


def test_what_an_earlier_deployer_put_back_is_seen_only_when_the_edges_have_had_time_to_follow():
    late = 22 + EDGE_FOLLOWS_S
    assert record(put_back(22, True), put_back(23, False), put_back(late - 0.1, True), progress=PUT_BACK).seen_s is None
    assert record(put_back(22, True), put_back(late, True), progress=PUT_BACK).seen_s == late


def test_what_it_put_back_long_ago_is_sure_and_so_is_what_it_gave_traffic_for_the_first_time():
    assert record(put_back(20 + EDGE_FOLLOWS_S, True), progress=PUT_BACK).seen_s == 20 + EDGE_FOLLOWS_S
    first = Progress(given={"web.1": Given(20.0, again=False)})
    assert record(put_back(22, True), progress=first).seen_s == 22


def test_what_it_gave_traffic_lately_may_still_be_admitted_by_an_edge_that_lags():
    first = Progress(given={"web.1": Given(20.0, again=False)})
    late = 22 + EDGE_FOLLOWS_S
    assert record(away(22), away(late - 0.1), progress=first).gone_s is None
    assert record(away(22), away(late), progress=first).gone_s == late
