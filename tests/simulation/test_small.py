"""Small worlds are played exhaustively by `make simulate`; some of each here."""

from __future__ import annotations

from itertools import islice

import pytest

from zdd.simulation import FaultClass, StrategyKind, simulate
from zdd.simulation.small import EVENTS, crash_pairs, killed, moments, orders, pauses, was_killed, world


@pytest.mark.parametrize("kind", StrategyKind, ids=lambda kind: kind.value)
def test_no_rule_is_broken_in_any_order_of_events(kind):
    found = list(orders(kind))
    assert len(found) == 720
    for scenario in found[:: len(found) // 3]:
        assert simulate(scenario).violations == ()


@pytest.mark.parametrize("kind", StrategyKind, ids=lambda kind: kind.value)
def test_a_deployer_that_is_killed_at_a_call_leaves_nothing_that_its_successor_does_not_finish(kind):
    for call in (5, 40):
        result = simulate(killed(world(kind, replicas=2), call))
        assert was_killed(result)
        assert result.violations == ()


def test_the_successor_can_be_killed_too():
    for scenario in islice(crash_pairs(StrategyKind.ROLLING, 60, every=977), 3):
        result = simulate(scenario)
        assert result.violations == ()
        assert result.faults[FaultClass.DEPLOYER_KILLED] == 2


def test_a_life_has_one_event_at_each_moment_and_a_pause_at_each_call():
    small = world(StrategyKind.CANARY)
    times = [scenario.troubles[0].after_s for scenario in moments(small, EVENTS[0])]
    assert times == sorted(set(times))
    assert [scenario.troubles[0].pick for scenario in pauses(small, 3, 16.0)] == [0, 1, 2]
