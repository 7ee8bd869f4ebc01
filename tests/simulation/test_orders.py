"""Lives in which somebody gives orders too."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from attrs import evolve

from zdd.model.order import OrderKind
from zdd.simulation import Invariant, draw, simulate

SEEDS = range(16)


def test_orders_change_nothing_else_in_a_life() -> None:
    for seed in range(10):
        plain = draw(seed)
        assert draw(seed).with_orders().troubles[: len(plain.troubles)] == plain.troubles


def test_no_rule_is_broken_and_every_order_is_obeyed_and_comes_too_late_somewhere() -> None:
    results = [simulate(draw(seed).with_orders()) for seed in SEEDS]
    assert [f"seed {one.seed}: {one.violations[0]}" for one in results if one.violations] == []
    marks = {mark for one in results for mark in one.marks}
    assert {f"order {kind.value}" for kind in OrderKind} <= marks
    assert {mark for mark in marks if mark.endswith("without effect")}


def test_a_deployer_that_does_not_heed_a_pause_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    reconcile: Any = importlib.import_module("zdd.reconciler.reconcile")
    marked = reconcile._mark

    def heedless(picture: Any) -> Any:
        return marked(evolve(picture, progress=evolve(picture.progress, paused=None)))

    monkeypatch.setattr(reconcile, "_mark", heedless)
    lives = (simulate(draw(seed).with_orders()) for seed in SEEDS)
    assert any(Invariant.OBEYED in [one.invariant for one in life.violations] for life in lives)
