"""What a simulated deployer can see when it looks, which alone is held against it."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.simulation.looks import looked, looked_at_traffic
from zdd.simulation.process import Process
from zdd.simulation.watch import UNNOTICED_S


def test_it_sees_who_serves_with_which_weight_and_how_large_each_cell_is(life: Any) -> None:
    looked(life.watch, life.process)
    look, names = life.process.look, {one.id for one in life.of("r1")}
    assert (look.at_s, look.surely, look.maybe) == (life.world.clock.now(), names, names)
    assert (look.weights, look.sizes) == (dict.fromkeys(names, 100), {"web": 3})
    assert (look.held, look.stale, look.deaf) == (False, False, {})
    assert life.broken() == []


def test_who_has_just_fallen_sick_may_serve_as_far_as_it_knows_and_who_is_so_for_long_does_not(life: Any) -> None:
    sick = life.of("r1")[0]
    life.world.mark(sick.id, healthy=False)
    looked(life.watch, life.process)
    assert sick.id in life.process.look.maybe
    life.pass_s(UNNOTICED_S)
    looked(life.watch, life.process)
    assert sick.id not in life.process.look.maybe
    life.world.mark(sick.id, healthy=True)
    looked(life.watch, life.process)
    assert sick.id in life.process.look.maybe
    assert sick.id not in life.process.look.surely, "it can't know yet that it is well again"


def test_by_an_old_list_who_died_since_may_serve(life: Any) -> None:
    dead = life.of("r1")[0]
    life.watch.stale = True
    life.world.kill(dead.id)
    looked(life.watch, life.process)
    assert dead.id in life.process.look.maybe
    assert life.process.look.stale
    life.watch.stale = False
    looked(life.watch, life.process)
    assert dead.id not in life.process.look.maybe
    looked(life.watch, life.process, wrong_list=True)
    assert life.process.look.stale


@pytest.mark.parametrize(("excess", "interfered", "broken"), [(0, False, []), (1, False, ["CEILING"]), (1, True, [])])
def test_there_are_never_more_than_the_ceiling_allows(
    life: Any, excess: int, interfered: bool, broken: list[str]
) -> None:
    life.launch("web-2", "r2", life.process.plan.ceiling - 3 + excess)
    life.process.interfered = interfered
    looked(life.watch, life.process)
    assert life.broken() == broken


def test_only_the_deployer_that_claimed_last_is_held_to_it(life: Any) -> None:
    life.launch("web-2", "r2", 5)
    looked(life.watch, Process(0, plan=life.process.plan))
    assert life.broken() == []


def test_traffic_is_seen_as_it_is_when_that_is_asked_for(life: Any) -> None:
    looked(life.watch, life.process)
    before = life.process.look
    looked_at_traffic(life.watch, life.process)
    assert life.process.look is before, "no time has passed"
    life.process.plan = life.plan(floor=0)
    life.route({"r1": 50}, held=True)
    looked_at_traffic(life.watch, life.process)
    after = life.process.look
    assert (set(after.weights.values()), after.held, after.at_s) == ({50}, True, before.at_s)
    assert (after.surely, after.sizes) == (before.surely, before.sizes)


def test_who_has_not_looked_at_all_has_seen_nothing(life: Any) -> None:
    looked_at_traffic(life.watch, life.process)
    assert life.process.look is None
