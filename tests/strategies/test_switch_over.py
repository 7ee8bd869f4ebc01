"""What serves stops before another revision opens, unless a person has cut it off; and nothing goes back by itself."""

from __future__ import annotations

import pytest

from zdd.model.plan import OnFailure
from zdd.strategies.switch_over import SwitchOver

OLD = [("web", "old", 1, None), ("web-2", "old", 1, None), ("web-3", "old", 1, None)]


def test_everything_is_replaced_in_one_stage_that_holds_requests_where_it_can(situation, steps):
    seen = situation(*OLD, overlap="forbidden", holds=True)
    assert steps(SwitchOver(), seen) == ["web: 1 new 33 %; web-2: 1 new 33 %; web-3: 1 new 33 %"]
    assert SwitchOver().stages(seen)[0].held
    assert SwitchOver().stops_everything
    assert SwitchOver().surge(seen) == 0


def test_what_was_cut_off_is_not_waited_for(situation):
    strategy = SwitchOver(cut_off_confirmed=True)
    titles = [stage.title for stage in strategy.stages(situation(*OLD))]
    assert titles == ["start green", "switch to green", "retire blue"]
    assert not strategy.stops_everything
    assert strategy.surge(situation(*OLD)) == 3


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_failure_is_left_to_a_person_and_each_stage_has_the_deadline(situation, cut_off):
    overlap = "allowed" if cut_off else "forbidden"
    stages = SwitchOver(7, cut_off_confirmed=cut_off).stages(situation(*OLD, overlap=overlap))
    assert {stage.on_failure for stage in stages} == {OnFailure.FREEZE}
    assert {stage.deadline_s for stage in stages} == {7}
