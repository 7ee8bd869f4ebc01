"""What nobody can reach is started anew, a few times, and only where no traffic is lost by it."""

from __future__ import annotations

import pytest

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.in_place import InPlace
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import Registration
from zdd.reconciler.lost_addresses import STARTS_MOST, lost_address_failure, starts_anew
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord, Progress

GOAL = Goal("web", "r2", 2, 100)
HERE = {"http": Address("10.0.0.1", 80)}
LOST = Instance("web.a", "r2", InstanceState.READY, note="no network", address_lost=True)
FOUND = Instance("web.b", "r2", InstanceState.READY, HERE)


def picture(cell: Cell, *, weight: int = 0, lost_before: int = 0, target: str = "r2") -> Picture:
    revisions = {name: Revision(name, name, {}) for name in ("r1", "r2")}
    plan = Plan(Service("web", replicas=2), target, revisions, (), (Stage("start", (GOAL,)),), 0, 2)
    registered = (Registration("web.b", "web", "r2", "2", HERE, weight),) if weight else ()
    gone = {f"web.{number}": InstanceRecord("web", "r2", address_lost=True) for number in range(lost_before)}
    return Picture(Observation(1.0, (cell,), registered), plan, Progress(instances=gone), 1.0)


@pytest.mark.parametrize(
    ("instances", "weight", "anew"),
    [
        pytest.param((LOST, FOUND), 0, True, id="one can't be reached"),
        pytest.param((FOUND,), 0, False, id="each can be reached"),
        pytest.param(
            (LOST, FOUND), 50, False, id="another one of the cell has traffic, and could be the one that stops"
        ),
    ],
)
def test_a_cell_without_traffic_is_started_anew(instances: tuple[Instance, ...], weight: int, anew: bool) -> None:
    cell = Cell("web", "r2", 2, instances)
    assert starts_anew(picture(cell, weight=weight), GOAL, cell) is anew


def test_a_cell_that_is_only_replaced_is_not_worth_it() -> None:
    cell = Cell("web", "r2", 2, (LOST,))
    assert not starts_anew(picture(cell, target="r1"), GOAL, cell)


@pytest.mark.parametrize(("lost", "failed"), [(1, False), (2 * (STARTS_MOST - 1), False), (2 * STARTS_MOST, True)])
def test_after_some_starts_another_one_proves_nothing_new(lost: int, failed: bool) -> None:
    """Each start may lose both of its two instances."""
    why = lost_address_failure(picture(Cell("web", "r2", 2, (LOST,)), lost_before=lost), GOAL, LOST)
    assert why == ("can't be reached, nor could those before it: no network" if failed else "")


def test_in_place_there_is_no_second_start_as_others_of_its_cell_serve() -> None:
    goal = Goal("web", "r2", 2, 100, InPlace(1, 1))
    why = lost_address_failure(picture(Cell("web", "r2", 2, (LOST, FOUND))), goal, LOST)
    assert why == "can't be reached: no network"


def test_what_can_be_reached_or_is_of_another_revision_has_not_failed() -> None:
    seen = picture(Cell("web", "r2", 2, (FOUND,)), lost_before=99)
    assert lost_address_failure(seen, GOAL, FOUND) == ""
    assert lost_address_failure(seen, Goal("web", "r1", 2, 100), LOST) == ""
