"""The strategy that puts a backup back, and where the history knows one from."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.backup import Backup, Files, Restore
from zdd.backup.backup import MakeBackup, RestoreBackup
from zdd.backup.restore import backups_before, backups_in, last_backup
from zdd.errors import ConfigurationError
from zdd.model.cell import Cell
from zdd.model.plan import Goal, OnFailure, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import FULL_SHARE
from zdd.strategies.recreate import Recreate
from zdd.strategies.situation import Situation

SERVICE, RUNNING = Service("web"), Revision("r1", "1.0", {})


def backup(base: Path, title: str) -> Backup:
    return Backup([Files(base, title=title)], str(base / "kept"), deadline_s=100)


def plan(*stages: Stage) -> Plan:
    return Plan(SERVICE, "r1", {"r1": RUNNING}, (), stages, 0, 1)


@pytest.mark.parametrize("holds", [True, False])
def test_it_replaces_everything_by_the_same_and_restores_while_nothing_runs(tmp_path: Path, holds: bool) -> None:
    situation = Situation(SERVICE, RUNNING, (Cell("web", "r1", 1),), {"web": FULL_SHARE}, (1,), holds)
    used = backup(tmp_path, "orders")
    restore = Restore(used, "b1")
    (stage,), (replaced,) = restore.stages(situation), Recreate().stages(situation)
    assert (stage.title, stage.goals, stage.held) == ("restore orders", replaced.goals, holds)
    assert stage.actions == (RestoreBackup(used, "b1"),)
    assert stage.stopped
    assert stage.on_failure is OnFailure.FREEZE
    assert stage.deadline_s == replaced.deadline_s + 100
    assert restore.stops_everything
    assert restore.surge(situation) == 0
    assert str(restore) == "Restore(b1)"


def test_the_backups_of_plans_are_found_in_order_and_the_last_is_used(tmp_path: Path) -> None:
    first, second = backup(tmp_path, "first"), backup(tmp_path, "second")
    both = plan(Stage("one", actions=(MakeBackup(first),)), Stage("two", actions=(MakeBackup(second),)))
    assert list(backups_in(both)) == [first, second]
    assert list(backups_in(plan(Stage("restore", actions=(RestoreBackup(first),))))) == []
    assert last_backup([both, plan(Stage("none"))], "web") == second
    with pytest.raises(ConfigurationError, match=r"no deployment of web made a backup: .* or give using=zdd\.Backup"):
        last_backup([plan(Stage("none"))], "web")


def test_what_was_saved_several_times_is_restored_in_one_gap(tmp_path: Path) -> None:
    situation = Situation(SERVICE, RUNNING, (Cell("web", "r1", 1),), {"web": FULL_SHARE}, (1,), True)
    orders, files = backup(tmp_path, "orders"), backup(tmp_path, "files")
    restore = Restore(files, "b2", (Restore(orders, "b1"),))
    (stage,) = restore.stages(situation)
    assert (stage.title, str(restore)) == ("restore files, restore orders", "Restore(b2, b1)")
    assert stage.actions == (RestoreBackup(files, "b2"), RestoreBackup(orders, "b1"))
    assert stage.deadline_s == Recreate().stages(situation)[0].deadline_s + 200


def test_only_what_is_made_before_the_release_runs_is_from_before_it(tmp_path: Path) -> None:
    one, two, three = (backup(tmp_path, title) for title in ("one", "two", "three"))
    gap = Stage("replace", (Goal("web", "r1", 1, 1),), actions=(MakeBackup(two),))
    made = plan(Stage("save", actions=(MakeBackup(one),)), gap, Stage("save again", actions=(MakeBackup(three),)))
    assert list(backups_before(made)) == [one, two]
    assert list(backups_in(made)) == [one, two, three]
