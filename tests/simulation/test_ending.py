"""What must be so when a deployment has ended."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd.events import DeploymentStarted
from zdd.model.plan import Direction, Goal, Stage
from zdd.simulation import StrategyKind
from zdd.simulation.ending import wrong
from zdd.simulation.events import heard
from zdd.simulation.invariants import Invariant
from zdd.simulation.play import Play
from zdd.simulation.process import Process
from zdd.simulation.small import world

SERVES = Goal("web", "r1", 3, 300)


@pytest.mark.parametrize(
    ("direction", "origin", "out_before", "broken"),
    [
        (Direction.BACK, SERVES, True, False),
        (Direction.BACK, SERVES, False, True),
        (Direction.BACK, Goal("web", "r1", 3, 0), True, True),
        (Direction.FORWARD, SERVES, True, True),
    ],
    ids=["as it was", "taken out meanwhile", "in a cell that was taken out meanwhile", "forward"],
)
def test_taken_back_what_had_no_traffic_before_need_not_have_any(
    life: Any, direction: Direction, origin: Goal, out_before: bool, broken: bool
) -> None:
    play, process = Play(evolve(world(StrategyKind.ROLLING), service=life.service)), Process(2)
    play.world = life.world
    out = life.of("r1")[0].id
    if out_before:
        life.route({"r1": 100}, but=[out])
    began = {"service": "web", "deployment": "web-2", "from_version": "r1", "to_version": "r2", "actor": "ann@host:1"}
    forward = life.plan()
    back = evolve(forward, origin=(origin,), stages=(Stage("take back", (SERVES,)),), direction=direction)
    for plan in (forward, back):
        heard(life.watch, process, DeploymentStarted(at_s=life.world.clock.now(), plan=plan, **began))
    process.back = direction is Direction.BACK
    life.route({"r1": 100}, but=[out])
    assert {invariant for invariant, _ in wrong(play, process)} == ({Invariant.WINNER} if broken else set())
