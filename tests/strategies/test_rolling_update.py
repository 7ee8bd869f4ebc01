"""A few instances at a time, with as many spare ones beside them."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.plan import OnFailure
from zdd.strategies.rolling_update import RollingUpdate

OLD = [("web", "old", 1, None), ("web-2", "old", 1, None), ("web-3", "old", 1, None)]
HALF = [("web", "new", 1, None), *OLD[1:], ("web-4", "new", 1, None)]
NEW = [(name, "new", 1, None) for name in ("web", "web-2", "web-3")]


def test_a_first_deployment_starts_everything_at_once(situation, steps):
    assert steps(RollingUpdate(), situation()) == ["web: 1 new 33 %; web-2: 1 new 33 %; web-3: 1 new 33 %"]


def test_an_update_starts_a_spare_cell_then_replaces_cell_after_cell_then_retires_the_spare_one(situation, steps):
    assert steps(RollingUpdate(), situation(*OLD)) == [
        "web-4: 1 new 33 %",
        "web: 1 new 33 %",
        "web-2: 1 new 33 %",
        "web-3: 1 new 33 %",
        "web-4: 0 new 0 %",
    ]
    assert RollingUpdate().surge(situation(*OLD)) == 1


def test_a_batch_is_replaced_at_once_beside_as_many_spare_instances(situation, steps):
    assert steps(RollingUpdate(2), situation(*OLD)) == [
        "web-4: 1 new 33 %; web-5: 1 new 33 %",
        "web: 1 new 33 %; web-2: 1 new 33 %",
        "web-3: 1 new 33 %",
        "web-4: 0 new 0 %; web-5: 0 new 0 %",
    ]
    assert RollingUpdate(2).surge(situation(*OLD)) == 2


def test_one_cell_is_replaced_whole(situation, steps):
    one = situation(("web", "old", 3, None), parts=1)
    assert steps(RollingUpdate(), one) == ["web-2: 3 new 100 %", "web: 3 new 100 %", "web-2: 0 new 0 %"]
    assert RollingUpdate().surge(one) == 3


def test_a_half_done_one_goes_on_with_the_spare_cell_that_is_there(situation, steps):
    assert steps(RollingUpdate(), situation(*HALF)) == [
        "web-4: 1 new 33 %",
        "web-2: 1 new 33 %",
        "web-3: 1 new 33 %",
        "web-4: 0 new 0 %",
    ]


def test_of_what_is_replaced_goes_first_what_lacks_something_and_then_what_ended_most_often(situation, steps):
    ready, failed = InstanceState.READY, InstanceState.FAILED
    states = {"web": [(ready, 0)], "web-2": [(failed, 1)], "web-3": [(ready, 1)], "web-4": [], "web-5": [(ready, 7)]}
    cells = tuple(
        Cell(name, "old", 1, tuple(Instance(f"{name}.1", "old", state, restarts=times) for state, times in found))
        for name, found in states.items()
    )
    five = evolve(situation(*OLD, replicas=5, parts=5), cells=cells, shares=dict.fromkeys(states, 1))
    assert [step.partition(":")[0] for step in steps(RollingUpdate(), five)] == [
        "web-6",
        "web-2",
        "web-4",
        "web-5",
        "web-3",
        "web",
        "web-6",
    ]


def test_a_changed_cell_without_traffic_is_given_its_share_first(situation, steps):
    waiting = situation(("web", "new", 1, 0), *HALF[1:])
    assert steps(RollingUpdate(), waiting)[0] == "web-4: 1 new 33 %; web: 1 new 33 %"


def test_of_what_is_complete_nothing_changes(situation, steps):
    [stage] = RollingUpdate().stages(situation(*NEW))
    assert (stage.title, stage.goals) == ("nothing changes", ())


def test_what_is_too_many_goes_at_the_end(situation, steps):
    four = situation(*((name, "old", 1, 25) for name in ("web", "web-2", "web-3", "web-4")), replicas=2, parts=2)
    assert steps(RollingUpdate(), four) == [
        "web-5: 1 new 50 %",
        "web: 1 new 50 %",
        "web-2: 1 new 50 %",
        "web-3: 0 old 0 %; web-4: 0 old 0 %; web-5: 0 new 0 %",
    ]


def test_more_stand_in_for_a_cell_that_somebody_made_larger_while_another_one_has_none(situation, steps):
    scaled = situation(("web", "old", 2, 67), ("web-2", "old", 1, 33), ("web-3", "old", 1, 0))
    assert steps(RollingUpdate(), scaled) == [
        "web-4: 1 new 33 %; web-5: 1 new 33 %",
        "web: 1 new 33 %",
        "web-2: 1 new 33 %",
        "web-3: 1 new 33 %",
        "web-4: 0 new 0 %; web-5: 0 new 0 %",
    ]
    assert RollingUpdate().surge(scaled) == 3


def test_none_stand_in_beside_those_that_a_larger_cell_has_too_many(situation, steps):
    scaled = situation(("web", "old", 2, 50), ("web-2", "old", 1, 25), ("web-3", "old", 1, 25))
    assert steps(RollingUpdate(), scaled)[0] == "web-4: 1 new 33 %"
    assert RollingUpdate().surge(scaled) == 2


def test_what_is_missing_is_started(situation, steps):
    one = situation(("web", "new", 1, 100), replicas=2, parts=2)
    assert steps(RollingUpdate(), one) == ["web-2: 1 new 50 %; web: 1 new 50 %"]


def test_every_batch_is_judged_and_held_but_clearing_away_is_not(situation):
    strategy = RollingUpdate(gates=[TcpGate()], hold_s=7, on_failure="freeze")
    *batches, last = strategy.stages(situation(*OLD))
    assert {(stage.gates, stage.hold_s, stage.on_failure) for stage in batches} == {((TcpGate(),), 7, OnFailure.FREEZE)}
    assert (last.gates, last.hold_s) == ((), 0)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "2", True])
def test_a_batch_is_a_whole_number_of_instances(batch):
    with pytest.raises(ConfigurationError, match="batch of RollingUpdate is"):
        RollingUpdate(batch)


def test_a_batch_smaller_than_a_cell_is_refused_with_the_fix(situation):
    with pytest.raises(ConfigurationError, match=r"use a batch of 3, or Service\(…, cells=3\)"):
        RollingUpdate(2).stages(situation(("web", "old", 3, None), parts=1))


def test_what_may_not_overlap_is_refused_with_the_fix(situation):
    with pytest.raises(ConfigurationError, match=r"overlap is forbidden: use Recreate\(\)"):
        RollingUpdate().stages(situation(*OLD, overlap="forbidden"))
