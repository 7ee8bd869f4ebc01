"""A deployer's process, as whoever watches it knows it."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.model.plan import Direction
from zdd.simulation.process import Process


def test_one_that_has_only_begun_has_no_plan_has_seen_nothing_and_told_nothing() -> None:
    process = Process(3)
    assert (process.plan, process.look, process.told, process.events, process.plans) == (None, None, {}, [], [])
    assert not process.forward


@pytest.mark.parametrize("direction", list(Direction))
def test_it_goes_forward_while_its_plan_does(life: Any, direction: Direction) -> None:
    assert Process(1, plan=life.plan(direction=direction)).forward is (direction is Direction.FORWARD)


def test_two_are_never_the_same_though_they_are_alike() -> None:
    assert Process(1) != Process(1)
