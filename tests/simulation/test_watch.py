"""What those who look at a life know of it: who serves as far as anybody can know, and what may show only now."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.model.service import Service
from zdd.simulation.process import Process
from zdd.simulation.watch import UNNOTICED_S, staying, weights_of


@pytest.fixture
def first(life: Any) -> str:
    """The first instance of a life."""
    return str(life.of("r1")[0].id)


def test_who_is_ready_well_and_in_traffic_at_every_edge_serves(life: Any, first: str) -> None:
    now_s = life.world.clock.now()
    assert life.watch.serves_now(first, now_s)
    assert not life.watch.serves_now("web.gone", now_s)
    life.route({"r1": 100}, but=[first])
    assert not life.watch.serves_now(first, life.world.clock.now())


def test_nobody_asks_a_worker_how_it_is(make_life: Any) -> None:
    life = make_life(service=Service("web", replicas=3, exposures=()))
    one = life.of("r1")[0]
    life.world.mark(one.id, healthy=False)
    assert life.watch.serves_now(one.id, life.world.clock.now() + 10 * UNNOTICED_S)


def test_a_sick_one_serves_until_it_can_be_known_and_a_well_one_is_known_as_late(life: Any, first: str) -> None:
    sick_s = life.world.clock.now()
    life.world.mark(first, healthy=False)
    assert life.watch.serves_now(first, sick_s + UNNOTICED_S - 0.1)
    assert not life.watch.serves_now(first, sick_s + UNNOTICED_S)
    assert not life.watch.long_well(first, sick_s)
    life.pass_s(2 * UNNOTICED_S)
    well_s = life.world.clock.now()
    life.world.mark(first, healthy=True)
    assert life.watch.serves_now(first, well_s)
    assert not life.watch.long_well(first, well_s + UNNOTICED_S - 0.1)
    assert life.watch.long_well(first, well_s + UNNOTICED_S)
    assert life.watch.long_well("never sick", well_s)


@pytest.mark.parametrize(
    ("ago_s", "stale", "interfered"), [(1.0, False, True), (60.0, False, False), (60.0, True, True)]
)
def test_what_a_person_changed_may_show_only_now(life: Any, ago_s: float, stale: bool, interfered: bool) -> None:
    life.edge.lag_s, life.world.discovery_lag_s = 2.0, 1.0
    assert life.watch.lags_s() == 3.0
    life.pass_s(100)
    life.watch.by_hand_s = life.world.clock.now() - ago_s
    life.watch.stale, life.watch.stale_s = stale, life.watch.by_hand_s - 1.0
    process = Process(2)
    life.watch.note_interference(process)
    assert process.interfered is interfered


def test_what_was_told_to_stop_does_not_stay(life: Any, first: str) -> None:
    assert first in [one.id for one in staying(life.world, "web")]
    life.retire("web")
    assert staying(life.world, "web") == []


def test_weights_are_the_same_in_whatever_order_they_are_registered(life: Any) -> None:
    registrations, _ = life.world.registered("web")
    assert weights_of(registrations) == weights_of(reversed(registrations))
    assert len(weights_of(registrations)) == 3
