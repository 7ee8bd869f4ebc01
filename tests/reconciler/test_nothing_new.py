"""An instance of which nothing can be learnt is passed over; the same is learnt as if it were not."""

from __future__ import annotations

import importlib

import pytest

from zdd.simulation import simulate

LEARN = importlib.import_module("zdd.reconciler.learn")


@pytest.mark.parametrize("seed", range(8))
def test_a_life_goes_on_in_the_same_way_when_nothing_is_passed_over(seed, monkeypatch):
    trace, passed_over = simulate(seed).trace, 0

    def counted(*arguments):
        nonlocal passed_over
        passed_over += nothing_new(*arguments)
        return False

    nothing_new = LEARN._nothing_new
    monkeypatch.setattr(LEARN, "_nothing_new", counted)
    assert simulate(seed).trace == trace
    assert passed_over > 0
