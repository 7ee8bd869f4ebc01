"""Which edges are waited for, because they do not divide the traffic as discovery was told."""

from __future__ import annotations

import pytest

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.reconciler.edges_shown import edges_unlike
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord, Progress

NOW_S = 100.0
HERE, THERE = Address("127.0.0.1", 1), Address("127.0.0.1", 2)
SERVICE = Service("web", replicas=2, drain_deadline_s=20)
PLAN = Plan(SERVICE, "r1", {"r1": Revision("r1", "1", {})}, (), (Stage("one", (Goal("web", "r1", 2, 100),)),), 0, 3)


def waited_for(view: EdgeView, progress: Progress | None = None) -> bool:
    places = {"web.a": HERE, "web.b": THERE}
    instances = tuple(Instance(name, "r1", InstanceState.READY, {"http": at}) for name, at in places.items())
    told = tuple(Registration(name, "web", "r1", "1", {"http": at}, 50) for name, at in places.items())
    look = Observation(NOW_S, (Cell("web", "r1", 2, instances),), registrations=told, edges=(view,))
    return bool(edges_unlike(Picture(look, PLAN, progress or Progress(), NOW_S)))


@pytest.mark.parametrize(
    ("weights", "waits"),
    [
        ({HERE: 50, THERE: 50}, False),
        ({HERE: 1, THERE: 1}, False),  # the shares count, not the numbers
        ({HERE: 52, THERE: 48}, False),  # edges round
        ({HERE: 60, THERE: 40}, True),
        ({HERE: 50}, True),
        ({}, True),
    ],
)
def test_an_edge_has_to_give_everybody_its_share(weights: dict[Address, int], waits: bool) -> None:
    assert waited_for(EdgeView("edge", NOW_S, weights=weights)) is waits


def test_an_edge_that_holds_requests_though_it_was_not_told_to_is_waited_for() -> None:
    assert waited_for(EdgeView("edge", NOW_S, held=True))


@pytest.mark.parametrize(("deaf_for_s", "waits"), [(19.0, True), (20.0, False)])
def test_one_out_of_reach_that_had_shown_all_is_waited_for_for_so_long(deaf_for_s: float, waits: bool) -> None:
    shown = {name: InstanceRecord("web", "r1", seen_at=("edge",)) for name in ("web.a", "web.b")}
    progress = Progress(instances=shown, deaf={"edge": NOW_S - deaf_for_s})
    assert waited_for(EdgeView("edge", NOW_S, reachable=False), progress) is waits
    assert waited_for(EdgeView("edge", NOW_S, reachable=False), Progress(deaf=progress.deaf))
