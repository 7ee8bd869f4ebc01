"""What is sent first, and what is left for another look. That it is safe, the cases of the guards show."""

from __future__ import annotations

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Overlap, Service
from zdd.reconciler.commands import permitted
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord, Progress

NOW_S = 100.0
WORKER = Service("web", exposures=(), replicas=2, floor=0)
REVISIONS = {"r1": Revision("r1", "1", {}), "r2": Revision("r2", "2", {})}


def cell(name: str, revision: str, replicas: int, *states: InstanceState) -> Cell:
    instances = tuple(Instance(f"{name}.{number}", revision, state) for number, state in enumerate(states))
    return Cell(name, revision, replicas, instances)


def sent(
    service: Service, goals: tuple[Goal, ...], *cells: Cell, progress: Progress | None = None
) -> tuple[object, ...]:
    plan = Plan(service, "r2", REVISIONS, (), (Stage("one", goals),), 0, 9)
    return permitted(Picture(Observation(NOW_S, cells), plan, progress or Progress(), NOW_S), ())[0]


READY, STOPPING = InstanceState.READY, InstanceState.STOPPING


def test_what_clears_away_comes_before_what_starts():
    goals = (Goal("a", "r2", 1, 0), Goal("b", "r1", 0, 0))
    assert sent(WORKER, goals, cell("b", "r1", 1, READY)) == (Retire("b"), Launch("a", "r2", 1))


def test_a_cell_is_changed_whole_and_scaled_alone():
    assert sent(WORKER, (Goal("a", "r2", 3, 0),), cell("a", "r1", 1, READY)) == (Change("a", "r2", 3),)
    assert sent(WORKER, (Goal("a", "r2", 3, 0),), cell("a", "r2", 1, READY)) == (Scale("a", 3),)
    assert sent(WORKER, (Goal("a", "r2", 1, 0),), cell("a", "r2", 1, READY)) == ()


def test_where_two_may_never_run_the_old_one_stops_before_anything_else_is_said():
    alone = Service("web", exposures=(), overlap=Overlap.FORBIDDEN)
    goals = (Goal("a", "r2", 1, 0),)
    assert sent(alone, goals, cell("a", "r1", 1, READY)) == (Scale("a", 0),)
    assert sent(alone, goals, cell("a", "r1", 0, STOPPING)) == ()
    assert sent(alone, goals, cell("a", "r1", 0)) == (Change("a", "r2", 1),)


def test_what_is_stopping_already_is_not_told_again():
    assert sent(WORKER, (Goal("a", "r1", 0, 0),), cell("a", "r1", 0, STOPPING)) == ()
    assert sent(WORKER, (Goal("a", "r1", 0, 0),), cell("a", "r1", 0)) == (Retire("a"),)


def test_what_was_cut_is_named_to_the_orchestrator():
    cut = Progress(instances={"a.0": InstanceRecord("a", "r1", cut_s=NOW_S - 1), "a.1": InstanceRecord("a", "r1")})
    goals = (Goal("a", "r1", 0, 0),)
    assert sent(WORKER, goals, cell("a", "r1", 2, READY, READY), progress=cut) == (Retire("a", cut=("a.0",)),)
