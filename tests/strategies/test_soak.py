"""Traffic flows as it is for a while, and is judged."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.model.plan import OnFailure
from zdd.strategies.soak import Soak


@pytest.mark.parametrize("cells", [[], [("web", "new", 3, 100)]], ids=["nothing runs", "the target runs"])
def test_one_stage_changes_nothing_and_lasts_so_long(situation, cells):
    now = situation(*cells, parts=1)
    [stage] = Soak(600, gates=[TcpGate()], on_failure="freeze").stages(now)
    assert (stage.title, stage.goals, stage.hold_s, stage.gates) == ("soak for 600 s", (), 600, (TcpGate(),))
    assert stage.deadline_s == now.deadline_s + 600
    assert stage.on_failure is OnFailure.FREEZE
    assert Soak(600).surge(now) == 0


@pytest.mark.parametrize("wrong", [-1, "600", None, True])
def test_it_lasts_a_number_of_seconds(wrong):
    with pytest.raises(ConfigurationError, match="hold_s of Soak is"):
        Soak(wrong)
