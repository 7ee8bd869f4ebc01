"""What serves stops before another revision opens, unless a person has cut it off; and nothing goes back by itself."""

from __future__ import annotations

import pytest

from zdd import codec
from zdd.actions import FunctionAction
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


PROMOTE = FunctionAction(len, title="promote", deadline_s=9)


def test_actions_are_run_when_nothing_else_runs_and_a_standby_that_runs_already_goes_on(situation, steps):
    strategy = SwitchOver(actions=[PROMOTE])
    (cold,) = strategy.stages(situation(*OLD, overlap="forbidden", holds=True))
    (plain,) = SwitchOver().stages(situation(*OLD, overlap="forbidden", holds=True))
    assert (cold.actions, cold.stopped, cold.warm) == ((PROMOTE,), True, False)
    assert cold.deadline_s == plain.deadline_s + 9
    standing = [("web-4", "new", 1, 0), ("web-5", "new", 1, 0), ("web-6", "new", 1, 0)]
    (warm,) = strategy.stages(situation(*OLD, *standing, overlap="forbidden", holds=True))
    assert (warm.actions, warm.stopped, warm.warm, warm.held) == ((PROMOTE,), True, True, True)
    assert {goal.cell for goal in warm.goals if goal.share} == {"web-4", "web-5", "web-6"}
    assert {goal.cell for goal in warm.goals if not goal.replicas} == {"web", "web-2", "web-3"}


def test_what_was_cut_off_is_acted_on_before_anything_gets_traffic(situation):
    stages = SwitchOver(cut_off_confirmed=True, actions=[PROMOTE]).stages(situation(*OLD))
    assert [stage.actions for stage in stages] == [(PROMOTE,), (), ()]
    assert codec.decode(codec.encode(SwitchOver(3))) == SwitchOver(3)
