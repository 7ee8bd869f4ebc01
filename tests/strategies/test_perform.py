"""Something is done before anything is touched."""

from __future__ import annotations

import pytest

from zdd.actions import FunctionAction
from zdd.errors import ConfigurationError
from zdd.model.plan import OnFailure
from zdd.strategies.perform import Perform


def backup(context):
    return ""


SAVE, MIGRATE = FunctionAction(backup, deadline_s=60), FunctionAction(backup, "migrate", 300)


@pytest.mark.parametrize("cells", [[], [("web", "old", 3, 100)]], ids=["first", "update"])
def test_one_stage_runs_the_actions_and_changes_nothing(situation, cells):
    perform = Perform([SAVE, MIGRATE], on_failure="freeze")
    [stage] = perform.stages(situation(*cells, parts=1))
    assert (stage.title, stage.actions, stage.goals) == ("backup, migrate", (SAVE, MIGRATE), ())
    assert stage.on_failure is OnFailure.FREEZE
    assert perform.surge(situation(*cells, parts=1)) == 0


def test_the_stage_has_time_for_all_of_them_one_after_the_other(situation):
    assert Perform([SAVE, MIGRATE]).stages(situation())[0].deadline_s >= 60 + 300


def test_it_is_called_by_its_actions():
    assert str(Perform([SAVE, MIGRATE])) == "Perform(backup, migrate)"


@pytest.mark.parametrize(
    "wrong", ["backup", SAVE, [backup], [FunctionAction]], ids=["text", "one", "function", "class"]
)
def test_what_is_no_list_of_actions_is_refused_with_the_fix(wrong):
    with pytest.raises(ConfigurationError, match=r"zdd\.FunctionAction\(backup\)"):
        Perform(wrong)
