"""Plans: what a strategy makes of what is observed, what takes a failed plan back, and what takes a service out."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.deployer import Deployer
from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, OnFailure, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Exposure, Service
from zdd.model.traffic import FULL_SHARE, Registration
from zdd.planner import REMOVAL, make_plan, make_removal, make_retreat, observed_goals
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

WORKLOAD = Release("1", Process(["server"])).workload
OLD, NEW = (Revision(id_, version, WORKLOAD) for id_, version in (("r1", "1.0"), ("r2", "2.0")))
REVISIONS = {"r1": OLD, "r2": NEW}
WEB = Service("web", replicas=3)
THIRD = FULL_SHARE // 3


@frozen
class Stages:
    """A strategy that wants exactly this."""

    wanted: tuple[Stage, ...]
    most: int = 1

    def __str__(self):
        return "Stages"

    def surge(self, situation):
        return self.most

    def stages(self, situation):
        return self.wanted


def cell(name, revision, replicas, **rest):
    instances = [Instance(f"{name}.{number}", revision, InstanceState.READY) for number in range(replicas)]
    return Cell(name, revision, replicas, tuple(instances), **rest)


def seen(*goals):
    """Return an observation in which every cell is what its goal says."""
    cells = tuple(cell(goal.cell, goal.revision, goal.replicas) for goal in goals)
    registrations = tuple(
        Registration(one.id, goal.cell, goal.revision, "", {}, goal.share // goal.replicas)
        for goal, place in zip(goals, cells, strict=True)
        for one in place.instances
    )
    return Observation(0.0, cells, registrations)


def web_cells(revision="r1", share=THIRD, names=("web", "web-2", "web-3")):
    return tuple(Goal(name, revision, 1, share) for name in names)


THREE = web_cells()


def plan(observation, strategy=None, *, service=WEB, cells=3, **rest):
    strategy = strategy or RollingUpdate()
    return make_plan(service, NEW, observation, strategy, revisions=REVISIONS, cells=cells, **rest)


# -- what is observed --------------------------------------------------------------------------------------------------


def test_cells_are_observed_with_the_weights_of_their_registrations():
    goals = (Goal("web", "r1", 2, 600), Goal("web-2", "r2", 1, 0))
    assert observed_goals(WEB, seen(*goals)) == goals


def test_cells_of_a_worker_have_the_share_of_their_size():
    worker = Service("web", replicas=4, exposures=[])
    observation = Observation(0.0, (cell("web", "r1", 2), cell("web-2", "r1", 0)))
    assert observed_goals(worker, observation) == (Goal("web", "r1", 2, FULL_SHARE // 2), Goal("web-2", "r1", 0, 0))


# -- forward -----------------------------------------------------------------------------------------------------------


def test_a_plan_knows_where_it_comes_from_and_ends_with_the_target_alone():
    made = plan(seen(*THREE), entrances={"http": Address("127.0.0.1", 80)})
    assert made.origin == made.retreat == THREE
    assert {(goal.cell, goal.revision, goal.replicas) for goal in made.final() if goal.replicas} == {
        (name, "r2", 1) for name in ("web", "web-2", "web-3")
    }
    assert (made.strategy, made.direction) == ("RollingUpdate()", Direction.FORWARD)
    assert made.entrances == {"http": Address("127.0.0.1", 80)}
    assert set(made.revisions) == {"r1", "r2"}


def test_going_back_can_lead_elsewhere_than_to_what_is_observed():
    before = (Goal("web", "r0", 3, FULL_SHARE),)
    revisions = {**REVISIONS, "r0": OLD, "r9": OLD}
    made = make_plan(WEB, NEW, seen(*THREE), RollingUpdate(), revisions=revisions, cells=3, retreat=before)
    assert (made.origin, made.retreat) == (THREE, before)
    assert set(made.revisions) == {"r0", "r1", "r2"}  # what neither runs nor will is left out


@pytest.mark.parametrize(
    ("before", "replicas", "agreed", "floor"),
    [
        (3, 3, None, 3),
        (3, 3, 2, 2),
        (2, 3, None, 2),  # fewer serve than were agreed: it can't get worse than it is
        (3, 2, None, 2),
        (0, 3, None, 0),
    ],
)
def test_the_floor_is_what_was_agreed_or_what_serves_now_if_that_is_less(before, replicas, agreed, floor):
    service = Service("web", replicas=replicas, floor=agreed)
    names = ("web", "web-2", "web-3")[:before]
    assert plan(seen(*web_cells(names=names)), service=service, cells=replicas).floor == floor


def test_cells_without_traffic_do_not_count_for_the_floor():
    assert plan(seen(*web_cells(share=0))).floor == 0


@pytest.mark.parametrize(("strategy", "ceiling"), [(RollingUpdate(), 4), (BlueGreen(), 6)], ids=str)
def test_the_ceiling_is_the_size_of_the_service_and_what_the_strategy_needs_beside_it(strategy, ceiling):
    assert plan(seen(*THREE), strategy).ceiling == ceiling


def test_the_ceiling_is_never_below_what_exists():
    assert plan(seen(Goal("web", "r1", 5, 0)), Recreate(), cells=1).ceiling == 5


END = tuple(Goal(name, "r2", 1, THIRD) for name in ("web", "web-2", "web-3"))


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((), "Stages has no stage for web: a strategy returns at least one"),
        (
            (Stage("drop", (Goal("web", "r1", 1, 0),)), Stage("end", END)),
            r"stage 1 \('drop'\) of Stages for web leaves 2 instances with traffic, below the floor of 3",
        ),
        (
            (Stage("end", END, gates=[TcpGate("admin")]),),
            "looks at port 'admin' of web, but its ports are 'http'",
        ),
    ],
    ids=["empty", "floor", "port"],
)
def test_a_plan_that_can_not_be_carried_out_is_refused(stages, message):
    with pytest.raises(ConfigurationError, match=message):
        plan(seen(*THREE), Stages(stages))


def test_while_requests_are_held_a_stage_may_replace_everything_at_once():
    service = Service("web", replicas=3, overlap="forbidden")
    made = plan(seen(*THREE), Recreate(), service=service, holds=True)
    assert (made.floor, made.ceiling, made.stages[0].held) == (0, 3, True)


# -- back --------------------------------------------------------------------------------------------------------------


def test_a_retreat_leads_to_where_the_deployment_came_from_and_gives_up_what_is_new():
    failed = plan(seen(*THREE))
    spare = Goal("web-4", "r2", 1, THIRD)
    back = make_retreat(failed, seen(*THREE, spare))
    assert (back.direction, back.target, back.floor) == (Direction.BACK, "r1", 3)
    assert [stage.title for stage in back.stages] == ["take back"]
    assert back.stages[0].goals == (*THREE, Goal("web-4", "r2", 0, 0))
    assert back.stages[0].on_failure is OnFailure.FREEZE
    assert (back.stages[0].gates, back.stages[0].hold_s) == ((), 0)


def test_cells_that_were_told_something_are_given_up_though_they_are_not_seen_yet():
    back = make_retreat(plan(seen(*THREE)), seen(*THREE), told=("web", "web-4"))
    assert back.stages[0].goals == (*THREE, Goal("web-4", "r2", 0, 0))


def test_a_spare_cell_serves_where_changing_a_cell_back_would_fall_below_the_floor():
    failed = plan(seen(*THREE))
    now = (Goal("web", "r2", 1, THIRD), *THREE[1:])
    back = make_retreat(failed, seen(*now))
    assert [stage.title for stage in back.stages] == ["take back", "retire the spare cell"]
    assert back.stages[0].goals == (Goal("web-4", "r1", 1, THIRD), *THREE)
    assert back.goals_at(1)["web-4"] == Goal("web-4", "r1", 0, 0)
    assert back.ceiling == 4


def test_a_spare_cell_is_as_large_as_the_largest_cell_that_changes_back():
    service = Service("web", replicas=5, floor=4)
    before = (Goal("web", "r1", 3, 600_000), Goal("web-2", "r1", 2, 400_000))
    failed = plan(seen(*before), service=service, cells=2)
    now = tuple(Goal(goal.cell, "r2", goal.replicas, goal.share) for goal in before)
    back = make_retreat(failed, seen(*now))
    assert back.stages[0].goals[0] == Goal("web-3", "r1", 2, 400_000)  # of three, one more may be missing


@pytest.mark.parametrize(
    ("service", "now"),
    [
        (WEB, (*THREE, Goal("web-4", "r2", 1, THIRD))),  # nothing that serves changes back
        (WEB, (Goal("web", "r2", 1, 0), *THREE[1:])),  # what changes back has no traffic
        (WEB, (Goal("web", "r2", 1, THIRD), *THREE[1:], Goal("web-4", "r2", 1, THIRD))),  # one more serves
        (WEB, (Goal("web-2", "r2", 1, THIRD), *THREE[2:], Goal("web-4", "r2", 1, THIRD))),  # one is to come back
        (Service("web", replicas=3, floor=2), (Goal("web", "r2", 1, THIRD), *THREE[1:])),
        (Service("web", replicas=3, overlap="forbidden"), (Goal("web", "r2", 1, THIRD), *THREE[1:])),
    ],
    ids=["unchanged", "out", "one more", "one less", "floor", "no overlap"],
)
def test_there_is_no_spare_cell_where_none_is_needed(service, now):
    strategy = Recreate() if service.overlap.value == "forbidden" else RollingUpdate()
    back = make_retreat(plan(seen(*THREE), strategy, service=service), seen(*now))
    assert [stage.title for stage in back.stages] == ["take back"]


def test_a_first_deployment_is_taken_back_to_nothing():
    failed = make_plan(WEB, NEW, Observation(0.0), RollingUpdate(), revisions={}, cells=3)
    now = web_cells("r2")
    back = make_retreat(failed, seen(*now))
    assert back.stages[0].goals == tuple(Goal(goal.cell, "r2", 0, 0) for goal in now)
    assert (back.floor, back.target) == (0, "r2")


def test_a_retreat_restores_the_ways_in():
    before, after = (Exposure("http"),), (Exposure("http", path="/v2"),)
    failed = plan(seen(*THREE), service=evolve(WEB, exposures=after))
    back = make_retreat(evolve(failed, exposures_before=before), seen(*THREE))
    assert back.service.exposures == before


# -- out ---------------------------------------------------------------------------------------------------------------


def test_a_removal_takes_everything_out_in_one_stage_without_a_floor():
    made = make_removal(WEB, seen(*THREE, Goal("web-4", "r2", 1, 0)), REVISIONS)
    assert made.final() == (*(Goal(goal.cell, "r1", 0, 0) for goal in THREE), Goal("web-4", "r2", 0, 0))
    assert (made.floor, made.ceiling, made.strategy, len(made.stages)) == (0, 4, REMOVAL, 1)
    assert made.stages[0].on_failure is OnFailure.FREEZE
    assert set(made.revisions) == {"r1", "r2"}


def test_a_removal_of_what_does_not_run_has_nothing_to_stop():
    assert make_removal(WEB, Observation(0.0), {}).final() == ()


def test_where_overlap_is_forbidden_the_number_of_cells_can_change_since_nothing_runs_side_by_side():
    world = MemoryWorld()
    deployer = Deployer.in_memory(world)
    release = Release("1.0", Behaviour())
    deployer.deploy(Service("job", replicas=4, cells=2, overlap="forbidden", exposures=()), release)
    report = deployer.deploy(Service("job", replicas=4, cells=1, overlap="forbidden", exposures=()), release)
    assert report.succeeded
    assert len(world.instances("job")) == 4
