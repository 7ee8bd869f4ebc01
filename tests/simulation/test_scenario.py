"""Everything in a life comes from its seed."""

from __future__ import annotations

from collections import Counter

import pytest

from zdd.model.service import Overlap
from zdd.reconciler.learn import EDGE_FOLLOWS_S
from zdd.simulation import ASKED_FOR, DRAWN_APART, FaultClass, StrategyKind, draw
from zdd.simulation.trouble import BEHIND_S

SCENARIOS = [draw(seed) for seed in range(2000)]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_draws_the_same(seed):
    assert draw(seed) == draw(seed)


def test_the_seeds_remainder_chooses_the_strategy():
    assert [draw(seed).kind for seed in range(4)] == list(StrategyKind)


def test_every_class_of_faults_is_on_in_at_least_one_of_twenty_lives():
    on = Counter(kind for scenario in SCENARIOS for kind in scenario.classes)
    assert {
        kind.value: on[kind] for kind in FaultClass if kind not in ASKED_FOR and on[kind] < len(SCENARIOS) / 20
    } == {}


def test_what_is_drawn_apart_changes_nothing_else():
    apart = [one for one in SCENARIOS if not set(DRAWN_APART).isdisjoint(one.classes)]
    assert len(SCENARIOS) / 4 < len(apart) < len(SCENARIOS)
    for one in apart[:50]:
        kinds = [trouble.kind for trouble in one.troubles]
        assert kinds == sorted(kinds, key=list(FaultClass).index)
        assert not set(DRAWN_APART) & set(one.without(DRAWN_APART).classes)


def test_in_one_life_of_five_something_goes_wrong_when_what_is_left_is_put_right():
    assert 0.15 < sum(any(one.method == "tidy" for one in each.troubles) for each in SCENARIOS) / len(SCENARIOS) < 0.25


def test_in_one_life_of_six_an_edge_follows_seconds_late_within_the_time_that_it_has():
    slow = [one for one in SCENARIOS if one != draw(one.seed, slow_edges=False)]
    assert 0.14 < len(slow) / len(SCENARIOS) < 0.19
    longest_s = max(BEHIND_S)  # of an edge that lags besides
    for one in slow:
        assert 1.0 <= max(one.edge_lags_s) <= 4.0
        assert max(longest_s, *one.edge_lags_s) + one.discovery_lag_s < EDGE_FOLLOWS_S
        before = draw(one.seed, slow_edges=False)
        assert (one.service, one.behaviour, one.looks_s) == (before.service, before.behaviour, before.looks_s)
        assert set(before.troubles) <= set(one.troubles)
        assert draw(one.seed, faults=False).troubles == ()
        assert {step.pause_s for step in one.steps} == {1.0}


def test_some_lives_have_no_faults_some_one_class_and_some_many():
    counts = {len(scenario.classes) for scenario in SCENARIOS}
    assert {0, 1, 9} <= counts


def test_singletons_are_replaced_and_all_others_overlap():
    for scenario in SCENARIOS:
        assert (scenario.service.overlap is Overlap.FORBIDDEN) == (scenario.kind is StrategyKind.RECREATE)


def test_leaving_a_class_out_changes_nothing_else():
    scenario = next(one for one in SCENARIOS if len(one.classes) > 3)
    fewer = scenario.without(scenario.classes[:1])
    assert fewer.classes == scenario.classes[1:]
    assert (fewer.service, fewer.steps) == (scenario.service, scenario.steps)
    assert draw(scenario.seed, faults=False).steps == scenario.steps
