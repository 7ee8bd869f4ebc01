"""All of the new revision beside all of the old one, then one switch."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.plan import OnFailure
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.rolling_update import RollingUpdate

OLD = [("web", "old", 1, None), ("web-2", "old", 1, None), ("web-3", "old", 1, None)]
HALF = [("web", "new", 1, None), *OLD[1:], ("web-4", "new", 1, None)]
NEW = [(name, "new", 1, None) for name in ("web", "web-2", "web-3")]


def test_an_update_starts_green_without_traffic_switches_at_once_and_retires_blue(situation, steps):
    assert steps(BlueGreen(), situation(*OLD)) == [
        "web-4: 1 new 0 %; web-5: 1 new 0 %; web-6: 1 new 0 %",
        "web-4: 1 new 33 %; web-5: 1 new 33 %; web-6: 1 new 33 %; web: 1 old 0 %; web-2: 1 old 0 %; web-3: 1 old 0 %",
        "web: 0 old 0 %; web-2: 0 old 0 %; web-3: 0 old 0 %",
    ]
    assert BlueGreen().surge(situation(*OLD)) == 3


def test_there_is_nothing_to_switch_from_at_a_first_deployment(situation, steps):
    assert steps(BlueGreen(), situation()) == steps(RollingUpdate(), situation())


def test_where_only_sizes_differ_nothing_is_switched(situation, steps):
    one = situation(("web", "new", 1, 100), replicas=2, parts=2)
    assert steps(BlueGreen(), one) == ["web-2: 1 new 50 %; web: 1 new 50 %"]


def test_a_half_done_one_keeps_the_traffic_as_it_is_until_the_switch(situation, steps):
    assert steps(BlueGreen(), situation(*HALF)) == [
        "web: 1 new 33 %; web-4: 1 new 33 %; web-5: 1 new 0 %",
        "web: 1 new 33 %; web-4: 1 new 33 %; web-5: 1 new 33 %; web-2: 1 old 0 %; web-3: 1 old 0 %",
        "web-2: 0 old 0 %; web-3: 0 old 0 %",
    ]


def test_green_has_the_size_that_is_wanted_whatever_blue_has(situation, steps):
    four = situation(*((name, "old", 1, 25) for name in ("web", "web-2", "web-3", "web-4")), replicas=2, parts=2)
    assert steps(BlueGreen(), four)[0] == "web-5: 1 new 0 %; web-6: 1 new 0 %"
    assert BlueGreen().surge(four) == 4


def test_a_green_cell_that_serves_and_was_made_too_large_is_replaced_by_one_of_the_right_size(situation, steps):
    scaled = situation(("web", "new", 3, 100), ("web-2", "new", 1, None), ("web-4", "old", 1, 0))
    assert steps(BlueGreen(), scaled) == [
        "web-2: 1 new 33 %; web-3: 1 new 0 %; web-5: 1 new 0 %",
        "web-2: 1 new 33 %; web-3: 1 new 33 %; web-5: 1 new 33 %; web-4: 1 old 0 %; web: 3 new 0 %",
        "web-4: 0 old 0 %; web: 0 new 0 %",
    ]
    assert BlueGreen().surge(scaled) == 4


def test_green_is_judged_under_traffic_while_blue_is_kept(situation):
    start, switch, retire = BlueGreen(60, gates=[TcpGate()], on_failure="freeze").stages(situation(*OLD))
    assert (switch.gates, switch.hold_s, switch.on_failure) == ((TcpGate(),), 60, OnFailure.FREEZE)
    assert switch.deadline_s == start.deadline_s + 60
    assert start.gates == retire.gates == ()


def test_what_may_not_overlap_is_refused_with_the_fix(situation):
    with pytest.raises(ConfigurationError, match=r"overlap is forbidden: use Recreate\(\)"):
        BlueGreen().stages(situation(*OLD, overlap="forbidden"))


def test_blue_can_not_be_kept_for_less_than_nothing():
    with pytest.raises(ConfigurationError, match="keep_s of BlueGreen is -1"):
        BlueGreen(-1)
