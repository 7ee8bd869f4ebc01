"""A growing share of the traffic, judged at every step."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.traffic import FULL_SHARE
from zdd.strategies.canary import Canary
from zdd.strategies.rolling_update import RollingUpdate

OLD = [("web", "old", 1, None), ("web-2", "old", 1, None), ("web-3", "old", 1, None)]
HALF = [("web", "new", 1, None), *OLD[1:], ("web-4", "new", 1, None)]
NEW = [(name, "new", 1, None) for name in ("web", "web-2", "web-3")]

STEPS = Canary(steps=(10, 50, 100))


def test_an_update_has_at_each_step_as_many_instances_as_its_share_needs(situation, steps):
    assert steps(STEPS, situation(*OLD)) == [
        "web-4: 1 new 10 %; web: 1 old 30 %; web-2: 1 old 30 %; web-3: 1 old 30 %",
        "web-4: 1 new 25 %; web-5: 1 new 25 %; web: 1 old 17 %; web-2: 1 old 17 %; web-3: 1 old 17 %",
        "web-4: 1 new 33 %; web-5: 1 new 33 %; web-6: 1 new 33 %; web: 1 old 0 %; web-2: 1 old 0 %; web-3: 1 old 0 %",
        "web: 0 old 0 %; web-2: 0 old 0 %; web-3: 0 old 0 %",
    ]


def test_a_cell_of_several_instances_grows_with_its_share(situation, steps):
    assert steps(STEPS, situation(("web", "old", 3, None), parts=1)) == [
        "web-2: 1 new 10 %; web: 3 old 90 %",
        "web-2: 2 new 50 %; web: 3 old 50 %",
        "web-2: 3 new 100 %; web: 3 old 0 %",
        "web: 0 old 0 %",
    ]


@pytest.mark.parametrize("percent", [1, 5, 33, 99])
def test_the_shares_of_a_step_are_exact(situation, percent):
    first = Canary(steps=(percent, 100)).stages(situation(*OLD))[0]
    new = sum(goal.share for goal in first.goals if goal.revision == "new")
    assert (new, sum(goal.share for goal in first.goals)) == (FULL_SHARE * percent // 100, FULL_SHARE)


def test_there_is_nothing_to_compare_with_at_a_first_deployment(situation, steps):
    assert steps(STEPS, situation()) == steps(RollingUpdate(), situation())


def test_a_half_done_one_begins_at_the_first_step_with_what_is_there(situation, steps):
    assert steps(STEPS, situation(*HALF))[0] == (
        "web: 1 new 5 %; web-4: 1 new 5 %; web-2: 1 old 45 %; web-3: 1 old 45 %"
    )


def test_every_step_is_judged_and_each_but_the_last_is_held(situation):
    *judged, last = Canary(steps=(10, 50, 100), gates=[TcpGate()], hold_s=9).stages(situation(*OLD))
    assert [stage.hold_s for stage in judged] == [9, 9, 0]
    assert all(stage.gates == (TcpGate(),) for stage in judged)
    assert (last.gates, last.hold_s) == ((), 0)


@pytest.mark.parametrize("wrong", [(), (5,), (50, 20, 100), (50, 50, 100), (5, 100, 100)], ids=str)
def test_steps_rise_and_end_with_all_of_the_traffic(wrong):
    with pytest.raises(ConfigurationError, match="use rising percentages that end with 100"):
        Canary(steps=wrong)


@pytest.mark.parametrize("wrong", [(0, 100), (101,), (2.5, 100), ("5", 100)], ids=str)
def test_a_step_is_a_whole_number_of_percent(wrong):
    with pytest.raises(ConfigurationError, match="a step of Canary is"):
        Canary(steps=wrong)


def test_what_may_not_overlap_is_refused_with_the_fix(situation):
    with pytest.raises(ConfigurationError, match=r"overlap is forbidden: use Recreate\(\)"):
        Canary().stages(situation(*OLD, overlap="forbidden"))
