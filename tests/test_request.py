"""What can be known beforehand is looked at before anything is touched."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.adapters.memory import (
    Behaviour,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryOrchestrator,
    MemoryWorld,
)
from zdd.codec import MissingGate
from zdd.errors import ConfigurationError, TemporaryError
from zdd.events import Outcome
from zdd.gates import AllOf, HttpGate, TcpGate
from zdd.history import Deployment, History
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan
from zdd.model.release import Release, Revision
from zdd.model.service import Exposure, Service
from zdd.model.traffic import FULL_SHARE, EdgeAbilities, EdgeView, Registration
from zdd.request import (
    Request,
    accepts_connections,
    judgeable,
    known_revisions,
    make_request,
    refuse_deaf_edges,
    refuse_moved_ports,
    refuse_uneven_shares,
    release_of,
    runs_already,
    serving_version,
)
from zdd.sampler import InlineSampler
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.surroundings import Surroundings

RELEASE = Release("2.0", Behaviour())
WEB = Service("web", replicas=2)
NAMES = (("r1", "1.0"), ("r2", "2.0"))
OLD, NEW = (Revision(id_, name, Release(name, Behaviour()).workload, (), ("http",)) for id_, name in NAMES)
GONE = MissingGate("my check", "check.mine can't be imported")


@pytest.fixture
def world():
    return MemoryWorld()


@pytest.fixture
def around(world):
    world.add_edge("edge")
    return Surroundings(
        MemoryOrchestrator(world),
        MemoryDiscovery(world),
        tuple(world.edges),
        MemoryJournal(),
        MemoryLease(world.clock),
        world.clock,
        InlineSampler,
    )


def plan_to(revision, *goals, service=WEB, **rest):
    return Plan(service, revision.id, {"r1": OLD, "r2": NEW}, goals, (), 0, 4, **rest)


def half(name, revision="r1"):
    return Goal(name, revision, 1, FULL_SHARE // 2)


def cell_of(goal, state):
    instances = [Instance(f"{goal.cell}.{number}", goal.revision, state) for number in range(goal.replicas)]
    return Cell(goal.cell, goal.revision, goal.replicas, tuple(instances))


def seen(*goals, state=InstanceState.READY):
    cells = tuple(cell_of(goal, state) for goal in goals)
    registrations = tuple(
        Registration(one.id, g.cell, g.revision, "", {}, g.share // g.replicas)
        for g, cell in zip(goals, cells, strict=True)
        for one in cell.instances
    )
    return Observation(0.0, cells, registrations)


def history(revision=NEW, outcome=Outcome.SUCCEEDED, *, service=WEB, retreat=(), **rest):
    plan = plan_to(revision, service=service, retreat=retreat)
    last = Deployment("d", plan, "1.0", revision.version, "ann", 0.0, outcome=outcome, **rest)
    return History((last,), {"r1": OLD, "r2": NEW})


RUNNING = (half("web", "r2"), half("web-2", "r2"))


# -- what was asked for ------------------------------------------------------------------------------------------------


def asked(around, service=WEB, release=RELEASE, strategy=None):
    return make_request(service, release, strategy, around, accepts_connections)


@pytest.mark.parametrize(
    ("overlap", "strategy"), [("allowed", RollingUpdate()), ("forbidden", Recreate())], ids=["allowed", "forbidden"]
)
def test_without_a_strategy_the_one_that_fits_the_overlap_is_taken(around, overlap, strategy):
    assert asked(around, Service("web", overlap=overlap)).strategy == strategy


def test_the_gates_are_those_of_the_release_or_of_the_service_or_the_default(around):
    own, stated = TcpGate(deadline_s=3), HttpGate("/ready")
    service = Service("web", gates=[stated])
    assert asked(around, service, evolve(RELEASE, gates=[own])).revision.gates == (own,)
    assert asked(around, service).revision.gates == (stated,)
    assert asked(around).revision.gates == (TcpGate("http"),)
    assert asked(around, Service("web", exposures=[])).revision.gates == ()


def test_a_revision_knows_the_ports_of_its_instances(around):
    service = Service("web", exposures=[Exposure("http"), Exposure("admin", path="/admin")])
    assert asked(around, service).revision.ports == ("http", "admin")


@pytest.mark.parametrize(
    ("service", "release", "strategy", "message"),
    [
        ("web", RELEASE, None, r"use a zdd\.Service\(…\) instead of a str"),
        (WEB, "2.0", None, r"use a zdd\.Release\(…\) instead of a str"),
        (WEB, RELEASE, RollingUpdate, r"use an object such as zdd\.RollingUpdate\(\)"),
        (WEB, RELEASE, "canary", r"strategy 'canary': use an object"),
        (
            WEB,
            evolve(RELEASE, gates=[TcpGate("admin")]),
            None,
            "looks at port 'admin' of web",
        ),
        (WEB, Release("2.0", {"kind": "memory", "odd": 1}), None, "has no 'odd'"),
    ],
    ids=["service", "release", "class", "text", "port", "workload"],
)
def test_what_can_not_work_is_refused_in_words_and_nothing_happens(world, around, service, release, strategy, message):
    with pytest.raises(ConfigurationError, match=message):
        asked(around, service, release, strategy)
    assert world.log == ()


# -- its name ----------------------------------------------------------------------------------------------------------


def request_of(revision, strategy=None):
    return Request(WEB, evolve(revision, id="planned"), strategy or RollingUpdate())


def test_a_release_that_runs_already_keeps_its_id():
    assert request_of(NEW).named("r9", history(), seen(*RUNNING)).revision.id == "r2"


def test_a_release_that_was_under_way_keeps_its_id_though_nothing_of_it_runs():
    assert request_of(NEW).named("r9", history(outcome=None), seen(half("web"))).revision.id == "r2"


def test_a_release_that_ran_once_or_differs_or_is_restarted_gets_a_new_id():
    assert request_of(OLD).named("r9", history(), seen(*RUNNING)).revision.id == "r9"
    assert request_of(evolve(NEW, version="2.0.1")).named("r9", history(), seen(*RUNNING)).revision.id == "r9"
    assert request_of(NEW).named("r9", None, seen(*RUNNING)).revision.id == "r9"


# -- its plan ----------------------------------------------------------------------------------------------------------

BEFORE = (half("web"), half("web-2"))
MIDDLE = (half("web", "r2"), half("web-2"))


def retreat_of(around, last, target=NEW, now=MIDDLE):
    return Request(WEB, target, RollingUpdate()).plan(seen(*now), last, around).retreat


def test_going_back_leads_to_what_is_observed_after_a_deployment_that_ended(around):
    assert retreat_of(around, history(outcome=Outcome.ROLLED_BACK), now=BEFORE) == BEFORE


@pytest.mark.parametrize("target", [NEW, evolve(NEW, id="r3", version="3.0")], ids=["resumed", "superseded"])
def test_going_back_leads_to_where_an_unfinished_deployment_came_from(around, target):
    assert retreat_of(around, history(outcome=None, retreat=BEFORE), target) == BEFORE


def test_going_back_leads_to_what_is_observed_when_only_clearing_away_was_left(around):
    assert retreat_of(around, history(outcome=None, retreat=BEFORE, passed=True)) == MIDDLE


def test_going_back_leads_to_nothing_only_for_the_first_deployment_itself(around):
    first = history(outcome=None)
    assert retreat_of(around, first) == ()
    assert retreat_of(around, first, evolve(NEW, id="r3", version="3.0")) == MIDDLE


def test_a_plan_has_the_addresses_of_the_edges_and_the_ways_in_as_they_were(around):
    before = evolve(WEB, exposures=[Exposure("http", path="/old")])
    plan = Request(WEB, NEW, RollingUpdate()).plan(seen(*BEFORE), history(service=before), around)
    assert plan.entrances == around.edges[0].addresses(WEB)
    assert plan.exposures_before == before.exposures


def test_requests_are_held_only_if_every_edge_can(world, around):
    service = evolve(WEB, overlap="forbidden", cells=2)
    world.add_edge("other", abilities=EdgeAbilities(holds=True))
    able = [edge for edge in world.edges if edge.abilities.holds]

    def held(edges):
        plan = Request(service, NEW, Recreate()).plan(seen(*BEFORE), history(), evolve(around, edges=tuple(edges)))
        return plan.stages[0].held

    assert held(able)
    deaf = world.add_edge("third", abilities=EdgeAbilities(holds=False))
    assert not held([*able, deaf])
    assert not held([])


# -- what is refused beforehand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "fits"), [(RollingUpdate(), True), (BlueGreen(), True), (Canary(), False)])
def test_an_edge_without_weights_can_not_divide_traffic_unevenly(world, around, strategy, fits):
    blind = evolve(around, edges=(world.add_edge("blind", abilities=EdgeAbilities(weighs=False)),))
    request = Request(WEB, NEW, strategy)
    if fits:
        assert request.plan(seen(*BEFORE), history(OLD), blind).stages
    else:
        with pytest.raises(ConfigurationError, match="divides traffic by weight, and blind knows no weights"):
            request.plan(seen(*BEFORE), history(OLD), blind)
    refuse_uneven_shares(plan_to(NEW), blind)  # a plan without stages divides nothing


def test_a_path_can_not_move_to_a_port_that_what_runs_does_not_have():
    moved = evolve(WEB, exposures=[Exposure("api", path="/")])
    with pytest.raises(ConfigurationError, match=r"'/' of web would move from port 'http' to 'api', which 2\.0"):
        refuse_moved_ports(moved, history(), seen(*RUNNING))
    refuse_moved_ports(moved, history(), Observation(0.0))
    refuse_moved_ports(moved, History(), seen(*RUNNING))
    refuse_moved_ports(
        evolve(WEB, exposures=[Exposure("http"), Exposure("api", path="/api")]), history(), seen(*RUNNING)
    )


def test_nothing_is_begun_while_an_edge_can_not_be_reached():
    views = (EdgeView("north", 0.0), EdgeView("south", 0.0, reachable=False, note="connection refused"))
    with pytest.raises(TemporaryError, match="south can't be reached, so nothing was begun: connection refused"):
        refuse_deaf_edges(Observation(0.0, edges=views))
    refuse_deaf_edges(Observation(0.0, edges=views[:1]))


# -- what runs already -------------------------------------------------------------------------------------------------


def test_what_runs_complete_and_ready_with_all_its_traffic_runs_already():
    assert runs_already(plan_to(NEW, *RUNNING), seen(*RUNNING), history())


@pytest.mark.parametrize(
    ("observation", "known"),
    [
        (seen(*RUNNING), History()),
        (seen(*RUNNING), history(outcome=None)),
        (seen(*RUNNING), history(service=evolve(WEB, exposures=[Exposure("http", path="/v1")]))),
        (seen(*RUNNING, state=InstanceState.STARTING), history()),
        (seen(RUNNING[0]), history()),
        (seen(RUNNING[0], half("web-2")), history()),
        (seen(RUNNING[0], evolve(RUNNING[1], share=0)), history()),
        (seen(*RUNNING, half("web-3")), history()),
    ],
    ids=["unknown", "unfinished", "ways in", "not ready", "one less", "another", "out", "one more"],
)
def test_anything_else_does_not_run_already(observation, known):
    assert not runs_already(plan_to(NEW, *RUNNING), observation, known)


def test_other_gates_are_a_reason_to_deploy():
    stated = evolve(plan_to(NEW, *RUNNING), revisions={"r2": evolve(NEW, gates=(TcpGate(),))})
    assert not runs_already(stated, seen(*RUNNING), history())


def test_the_version_that_serves_is_the_one_with_most_of_the_traffic():
    plan = plan_to(NEW)
    assert serving_version(plan, seen(Goal("web", "r1", 1, 70), Goal("web-2", "r2", 1, 30))) == "1.0"
    assert serving_version(plan, seen(Goal("web", "r1", 1, 30), Goal("web-2", "r2", 1, 70))) == "2.0"
    assert serving_version(plan, seen(Goal("web", "r1", 1, 0))) == ""
    assert serving_version(plan, Observation(0.0)) == ""


# -- gates that can't be brought back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gates", [(GONE,), (TcpGate(), AllOf([TcpGate(), GONE]))], ids=["alone", "inside another"])
def test_a_revision_whose_gate_is_missing_can_not_be_deployed_again(gates):
    with pytest.raises(ConfigurationError, match=r"1\.0 \(r1\) can't be proven here: check\.mine can't be imported"):
        release_of(evolve(OLD, gates=gates))


def test_a_revision_whose_gates_are_all_there_can():
    assert release_of(evolve(OLD, gates=(TcpGate(),))) == Release("1.0", Behaviour(), (TcpGate(),))


def test_what_serves_already_is_judged_by_the_default_gate_when_its_own_is_missing():
    revisions = {"r1": evolve(OLD, gates=(GONE,)), "r2": evolve(NEW, gates=(HttpGate("/ready"),))}
    known, notes = judgeable(History((), revisions), WEB, seen(half("web")))
    assert known.revisions["r1"].gates == (TcpGate("http"),)
    assert known.revisions["r2"] == revisions["r2"]
    assert notes == ("1.0 (r1) was judged without its own gate: check.mine can't be imported",)
    assert judgeable(History((), revisions), WEB, seen(half("web", "r2")))[1] == ()  # nothing of it runs any more


def test_of_a_revision_that_somebody_else_made_only_the_id_is_known():
    known = known_revisions(History((), {"r1": OLD}), seen(half("web"), half("web-2", "r7")))
    assert known["r1"] == OLD
    assert (known["r7"].id, known["r7"].version) == ("r7", "unknown")
