"""An instance of which nothing can be learnt is passed over; the same is learnt as if it were not."""

from __future__ import annotations

import importlib

from zdd.simulation import simulate

SEEDS = range(6)
LEARN = importlib.import_module("zdd.reconciler.learn")
CELL_PICTURE = importlib.import_module("zdd.reconciler.cell_picture")


def test_lives_go_on_in_the_same_way_when_nothing_is_passed_over(monkeypatch):
    traces, passed_over = [simulate(seed).trace for seed in SEEDS], 0

    def counted(*arguments):
        nonlocal passed_over
        passed_over += nothing_new(*arguments)
        return False

    nothing_new = LEARN.nothing_new
    monkeypatch.setattr(LEARN, "nothing_new", counted)
    monkeypatch.setattr(CELL_PICTURE, "nothing_new", counted)
    assert [simulate(seed).trace for seed in SEEDS] == traces
    assert passed_over > 100
