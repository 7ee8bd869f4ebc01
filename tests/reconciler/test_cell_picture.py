"""What is derived of one cell: who is proven, condemned, asked and serving, and until when that is so."""

from __future__ import annotations

from math import inf

import pytest
from attrs import evolve, frozen

from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.gate import Gate
from zdd.model.in_place import InPlace
from zdd.model.plan import Goal, Plan, traffic_intent
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.model.verdict import Result, Verdict
from zdd.reconciler.cell_picture import CellFacts, CellPicture
from zdd.reconciler.progress import GateRecord, InstanceRecord

NOW_S = 1_000.0
WEB = Service("web", replicas=2, start_deadline_s=10)
WORKER = Service("web", replicas=2, exposures=(), start_deadline_s=10)
GATE = TcpGate("http", interval_s=0.2)
GOAL = Goal("web", "r1", 2, 100)
READY, STARTING = InstanceState.READY, InstanceState.STARTING
PASSED, FAILED, INCONCLUSIVE = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE


def said(result: Result, *, passed_ago_s: float | None = None, asked_ago_s: float = 60.0) -> GateRecord:
    """What a gate concludes now, when it last passed, and since when it has been asked."""
    passed_s = None if passed_ago_s is None else NOW_S - passed_ago_s
    return GateRecord(NOW_S - asked_ago_s, NOW_S, passed_s, (), Verdict(result, "refused"))


HEALTHY = said(PASSED, passed_ago_s=0)
FAILING = said(FAILED, asked_ago_s=5)
CONDEMNED = said(FAILED, asked_ago_s=10)


@frozen
class One:
    """An instance as all see it: it serves, unless something is said."""

    gates: tuple[GateRecord | None, ...] = (HEALTHY,)
    state: InstanceState = READY
    weight: int | None = 50
    shown: bool = True
    unsure: bool = False
    doubted: bool = False
    revision: str = "r1"
    since_s: float = NOW_S - 100
    seen_ready_s: float | None = None


def picture(
    *ones: One,
    goal: Goal | None = GOAL,
    service: Service = WEB,
    gates: tuple[Gate, ...] = (GATE,),
    target: str = "r1",
) -> CellPicture:
    """The picture of the cell ``web`` that has these: ``web.0``, ``web.1``, …."""
    names = {f"web.{number}": one for number, one in enumerate(ones)}
    places = {name: {"http": Address("10.0.0.1", 80 + number)} for number, name in enumerate(names)}
    instances = tuple(Instance(name, one.revision, one.state, places[name], one.since_s) for name, one in names.items())
    facts = CellFacts(
        plan=Plan(service, target, {name: Revision(name, name[1:], {}, gates) for name in ("r1", "r2")}, (), (), 0, 4),
        goal=goal,
        cell=Cell("web", "r1", len(ones), instances),
        registrations=tuple(
            None if one.weight is None else Registration(name, "web", one.revision, "1", places[name], one.weight)
            for name, one in names.items()
        ),
        records=tuple(
            InstanceRecord(
                "web", one.revision, ready_s=one.seen_ready_s, unsure_at={"edge": True} if one.unsure else {}
            )
            for one in ones
        ),
        said=tuple(one.gates for one in ones),
        shown=tuple(one.shown for one in ones),
        doubted=frozenset(name for name, one in names.items() if one.doubted),
    )
    return CellPicture(facts, traffic_intent(service, (goal,) if goal is not None else ()), NOW_S)


# -- who is proven ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gates", "proven"),
    [
        ((said(PASSED, passed_ago_s=0),), True),
        ((said(PASSED, passed_ago_s=30),), True),
        ((said(PASSED, passed_ago_s=30.1),), False),  # nobody has renewed it
        ((said(INCONCLUSIVE, passed_ago_s=5),), True),
        ((said(FAILED, passed_ago_s=5),), False),
        ((said(FAILED),), False),
        ((said(INCONCLUSIVE),), False),
        ((None,), False),
        ((HEALTHY, HEALTHY), True),
        ((HEALTHY, None), False),
    ],
)
def test_proven_is_what_has_passed_every_gate_not_too_long_ago(
    gates: tuple[GateRecord | None, ...], proven: bool
) -> None:
    found = picture(One(gates), gates=(GATE,) * len(gates))
    assert (found.proven == {"web.0"}, found.proven_count) == (proven, int(proven))


@pytest.mark.parametrize("state", [state for state in InstanceState if state is not READY])
def test_what_is_not_ready_is_not_proven(state: InstanceState) -> None:
    assert not picture(One(state=state)).proven


def test_what_only_this_look_calls_ready_is_not_proven() -> None:
    assert not picture(One(doubted=True)).proven


@pytest.mark.parametrize(
    ("service", "ready_for_s", "proven"), [(WEB, 0.0, True), (WORKER, 4.9, False), (WORKER, 5.0, True)]
)
def test_without_gates_a_worker_has_to_run_for_a_while_and_others_are_proven_at_once(
    service: Service, ready_for_s: float, proven: bool
) -> None:
    found = picture(One((), since_s=NOW_S - ready_for_s), service=service, gates=())
    assert bool(found.proven) is proven
    assert found.steady_s == (inf if proven else NOW_S + 5 - ready_for_s)


@pytest.mark.parametrize(("seen_for_s", "proven"), [(4.9, False), (5.0, True)])
def test_a_worker_on_a_node_whose_clock_is_ahead_is_ready_since_it_was_seen_so(seen_for_s: float, proven: bool) -> None:
    ahead = One((), since_s=NOW_S + 3600, seen_ready_s=NOW_S - seen_for_s)
    assert bool(picture(ahead, service=WORKER, gates=()).proven) is proven
    lagging = One((), since_s=NOW_S - 3600, seen_ready_s=NOW_S)
    assert picture(lagging, service=WORKER, gates=()).proven


def test_only_instances_of_the_cell_s_own_revision_count() -> None:
    assert picture(One(), One(revision="r2"), One((None,))).proven_count == 1


# -- who is condemned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "own_deadline_s", "condemned"),
    [
        (said(FAILED, asked_ago_s=9.9), None, False),
        (said(FAILED, asked_ago_s=10), None, True),
        (said(FAILED, passed_ago_s=9.9), None, False),  # its time begins anew when it passes
        (said(FAILED, passed_ago_s=10), None, True),
        (said(FAILED, asked_ago_s=2.9), 3, False),
        (said(FAILED, asked_ago_s=3), 3, True),
        (said(INCONCLUSIVE), None, False),
        (said(PASSED, passed_ago_s=0), None, False),
        (None, None, False),
    ],
)
def test_condemned_is_what_had_all_its_time_and_fails(
    record: GateRecord | None, own_deadline_s: float | None, condemned: bool
) -> None:
    found = picture(One((record,)), gates=(evolve(GATE, deadline_s=own_deadline_s),))
    within = f"{own_deadline_s or 10:g} s"
    reason = f"a connection to port http did not pass within {within}: refused"
    assert found.condemned == ({"web.0": reason} if condemned else {})


def test_what_is_not_ready_is_not_condemned() -> None:
    assert not picture(One((CONDEMNED,), state=STARTING)).condemned


# -- who is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "interval_s", "in_s"),
    [
        (None, 0.2, -inf),
        (HEALTHY, 0.2, 10.0),
        (HEALTHY, 20.0, 20.0),
        (FAILING, 0.2, 0.2),
        (FAILING, 0.01, 0.05),
        (said(INCONCLUSIVE), 0.2, 0.2),
    ],
)
def test_a_gate_rests_between_two_looks_longer_when_it_has_passed(
    record: GateRecord | None, interval_s: float, in_s: float
) -> None:
    found = picture(One((record,)), gates=(evolve(GATE, interval_s=interval_s),))
    assert found.asks_from_s == pytest.approx(NOW_S + in_s)


OUT = One((None,), weight=None)


@pytest.mark.parametrize(
    ("one", "goal", "target", "asked"),
    [
        (OUT, GOAL, "r1", True),
        (OUT, evolve(GOAL, share=0), "r1", True),  # what is new proves itself before it gets traffic
        (OUT, evolve(GOAL, share=0), "r2", False),
        (OUT, evolve(GOAL, replicas=0, share=0), "r1", False),
        (OUT, None, "r1", False),
        (One((None,)), None, "r2", True),  # it has traffic
        (One((None,), state=STARTING), GOAL, "r1", False),
        (OUT, evolve(GOAL, revision="r2"), "r2", False),
        (OUT, evolve(GOAL, revision="r2", in_place=InPlace(1)), "r2", True),  # it serves until it is replaced
        (OUT, evolve(GOAL, revision="r2", share=0, in_place=InPlace(1)), "r2", False),
        (One((), weight=None), GOAL, "r1", False),
    ],
)
def test_those_are_asked_that_have_traffic_or_may_get_some(
    one: One, goal: Goal | None, target: str, asked: bool
) -> None:
    found = picture(one, goal=goal, target=target, gates=(GATE,) * len(one.gates))
    assert [instance.id for _, instance, _ in found.asks] == ["web.0"] * asked


# -- who serves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "serving", "useful", "in_traffic"),
    [
        (One(), True, True, True),
        (One(weight=0), False, False, False),
        (One(weight=None), False, False, False),
        (One(shown=False), False, False, False),
        (One(state=STARTING), False, False, True),
        (One((FAILING,)), True, False, True),
        (One((CONDEMNED,)), False, False, True),
        (One((None,)), True, False, True),
        (One(unsure=True), True, False, False),  # an edge may show it only because it lags
        (One(doubted=True), True, False, True),
        (One(doubted=True, state=STARTING), True, False, True),
    ],
)
def test_who_counts_as_capacity_and_who_gets_requests(one: One, serving: bool, useful: bool, in_traffic: bool) -> None:
    found = picture(one)
    assert ("web.0" in found.serving, "web.0" in found.useful, "web.0" in found.in_traffic) == (
        serving,
        useful,
        in_traffic,
    )


@pytest.mark.parametrize(
    ("one", "serves"), [(One(), True), (One(state=STARTING), False), (One((CONDEMNED,)), False), (One((None,)), True)]
)
def test_a_worker_serves_when_it_is_ready(one: One, serves: bool) -> None:
    found = picture(evolve(one, weight=None, shown=False), service=WORKER)
    assert bool(found.serving) is serves


@pytest.mark.parametrize(
    ("one", "measured"),
    [
        (One(), True),
        (One((FAILING,)), True),
        (One((None,)), False),
        (One((None,), weight=0), True),
        (One((said(INCONCLUSIVE, asked_ago_s=5),)), False),  # the first of several looks that it needs, say
        (One((said(INCONCLUSIVE, asked_ago_s=5),), weight=0), True),
        (One((said(INCONCLUSIVE, passed_ago_s=5),)), True),
        (One((said(INCONCLUSIVE, passed_ago_s=31),)), True),  # it has concluded once, and that is too long ago
        (One((said(INCONCLUSIVE, asked_ago_s=10),)), True),  # it has had all its time
    ],
)
def test_the_capacity_is_measured_when_the_gates_of_all_that_seem_to_serve_concluded(one: One, measured: bool) -> None:
    assert picture(One(), one).measured is measured


@pytest.mark.parametrize(
    ("one", "wholly"),
    [
        (One(), True),
        (One(weight=0), False),
        (One(unsure=True), False),
        (One(state=InstanceState.STOPPING), True),
        (One(revision="r2", weight=0), True),
    ],
)
def test_it_serves_wholly_when_all_that_are_to_stay_serve_for_certain(one: One, wholly: bool) -> None:
    assert picture(One(), one).serves_wholly is wholly


# -- the shares -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "share", "overweight"),
    [
        ((50, 50), 100, ()),
        ((80, 20), 100, ("web.0",)),
        ((80, 80), 100, ("web.0", "web.1")),
        ((80, 0), 100, ("web.0",)),
        ((20, 20), 100, ()),
        ((80, 20), 0, ()),  # they leave, and have not too much
    ],
)
def test_those_have_too_much_that_are_to_keep_less(
    weights: tuple[int, ...], share: int, overweight: tuple[str, ...]
) -> None:
    found = picture(*(One(weight=weight) for weight in weights), goal=evolve(GOAL, share=share))
    assert found.overweight == overweight
    assert found.weight == sum(weights)
    assert sum(one.weight for one in found.wanted.values()) == share


# -- until when it is so ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "service", "for_s"),
    [
        (One((said(PASSED, passed_ago_s=10),)), WEB, 20.0),  # then its proof is too old
        (One((said(FAILED, asked_ago_s=4),)), WEB, 6.0),  # then it is condemned
        (One((said(INCONCLUSIVE, asked_ago_s=4),)), WEB, 6.0),  # then it counts as one that does not serve
        (One((), since_s=NOW_S), WORKER, 5.0),  # then it is steady
    ],
)
def test_it_is_so_until_time_alone_changes_something(one: One, service: Service, for_s: float) -> None:
    found = picture(one, service=service, gates=(GATE,) * len(one.gates))
    later = {after_s: found.holds(found.facts, NOW_S + after_s) for after_s in (-0.1, 0.0, for_s - 0.1, for_s + 0.1)}
    assert list(later.values()) == [False, True, True, False]
    again = picture(one, service=service, gates=(GATE,) * len(one.gates))
    anew = CellPicture(again.facts, again.intent, NOW_S + for_s + 0.1)
    assert (anew.proven, anew.condemned, anew.measured) != (found.proven, found.condemned, found.measured)


def test_where_nothing_is_awaited_it_is_so_for_ever() -> None:
    found = picture(One((CONDEMNED,)))
    assert found.holds(found.facts, NOW_S + 1e6)


def test_other_facts_are_another_picture() -> None:
    found = picture(One())
    assert found.holds(picture(One()).facts, NOW_S)
    assert not found.holds(picture(One(weight=51)).facts, NOW_S)
