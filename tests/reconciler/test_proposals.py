"""What a proposal would do to what exists, serves, and has to be drained."""

from __future__ import annotations

import pytest

from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import Progress
from zdd.reconciler.proposals import Hold, Proposal, Shift, Tally, Traffic, growth, losing, proposal_name, victims

REVISIONS = {name: Revision(name, name, {}) for name in ("r1", "r2")}
ONE = InPlace(1, 1, UpdateOrder.START_FIRST)


def picture(goal: Goal) -> Picture:
    """Return two instances of r1 in cell web, and a plan that wants this."""
    found = tuple(Instance(name, "r1", InstanceState.READY) for name in ("a", "b"))
    service = Service("web", replicas=2)
    plan = Plan(service, "r2", REVISIONS, (Goal("web", "r1", 2, 1),), (Stage("go", (goal,)),), 0, 4)
    return Picture(Observation(1.0, (Cell("web", "r1", 2, found),)), plan, Progress(entered_s=1.0), 1.0)


@pytest.mark.parametrize(
    ("proposal", "more", "gone"),
    [
        (Launch("web-2", "r2", 3), 3, ()),
        (Scale("web", 4), 2, ()),
        (Scale("web", 1), 0, ("a", "b")),  # nobody can choose which of them
        (Change("web", "r2", 3), 1, ("a", "b")),
        (Retire("web"), 0, ("a", "b")),
        (Retire("web-9"), 0, ()),
        (Hold(), 0, ()),
    ],
    ids=str,
)
def test_how_many_more_would_exist_and_who_may_be_stopped(proposal: Proposal, more: int, gone: tuple[str, ...]) -> None:
    seen = picture(Goal("web", "r2", 3, 1))
    assert (growth(seen, proposal), victims(seen, proposal)) == (more, gone)
    assert losing(seen, proposal) == gone


def test_in_place_as_many_as_the_stage_says_are_lost_and_none_has_to_be_drained() -> None:
    seen, change = picture(Goal("web", "r2", 2, 1, ONE)), Change("web", "r2", 2, ONE)
    assert (growth(seen, change), victims(seen, change), len(losing(seen, change))) == (1, (), 1)
    undeclared = picture(Goal("web", "r2", 2, 1))
    assert victims(undeclared, change) == ("a", "b")  # the stage does not say so


def test_what_was_allowed_already_counts() -> None:
    seen, tally = picture(Goal("web", "r2", 2, 1)), Tally()
    allowed = [Traffic(Shift.OUT, "a", "web"), Traffic(Shift.LOWER, "b", "web"), Traffic(Shift.ADMIT, "c", "web-2")]
    for proposal in [Launch("web-2", "r2", 2), *allowed]:
        tally.add(seen, proposal)
    assert tally == Tally(2, {"a"}, {"b"}, {"web-2"})


def test_a_proposal_has_a_name_that_a_person_understands() -> None:
    assert proposal_name(Traffic(Shift.OUT, "a", "web")) == "to take out a"
    assert proposal_name(Change("web", "r2", 2)) == "for web to change to r2"
