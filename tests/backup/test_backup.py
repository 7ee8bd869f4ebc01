"""The strategy, its actions, and what of them another process can read."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from attrs import frozen

import zdd
from zdd import codec
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.backup import Backup, CommandOutput, Files, Restore, Retention
from zdd.backup.backup import MakeBackup, RestoreBackup
from zdd.errors import BackupError, ConfigurationError
from zdd.model.plan import Stage


@frozen
class Elsewhere:
    """A source of a module that another process does not have."""

    name: str = "elsewhere"
    repeats: bool = True

    def check(self): ...

    def position(self):
        return ""

    def save(self):
        yield b""

    def load(self, data): ...


@pytest.fixture
def gone(monkeypatch):
    """A backup as the journal has it, whose source can't be imported any more."""
    module = types.ModuleType("a_module_that_will_be_gone")
    kind = type("Elsewhere", (Elsewhere,), {})
    kind = frozen(kind)
    kind.__module__, kind.__qualname__ = module.__name__, "Elsewhere"
    module.Elsewhere = kind
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Backup([kind()], "kept")


def test_it_comes_back_from_the_journal_as_it_was(tmp_path: Path) -> None:
    backup = Backup([Files(tmp_path)], str(tmp_path / "kept"), key_file="key")
    for value in (backup, MakeBackup(backup), RestoreBackup(backup, "b1"), Restore(backup, "b1")):
        assert codec.decode(codec.encode(value)) == value


def test_a_plan_stays_readable_when_a_source_cannot_be_imported_any_more(gone, monkeypatch) -> None:
    written = codec.encode(Stage("back up", actions=(MakeBackup(gone), RestoreBackup(gone, "b1"))))
    monkeypatch.delitem(sys.modules, "a_module_that_will_be_gone")
    stage = codec.decode(written)
    assert all(isinstance(action, codec.MissingAction) for action in stage.actions)
    with pytest.raises(ConfigurationError, match="a_module_that_will_be_gone"):
        stage.actions[0].run(None)


@pytest.mark.parametrize("sources", [[], "data", [Elsewhere(), Elsewhere()], [Files]])
def test_what_are_no_sources_is_refused(sources) -> None:
    with pytest.raises(ConfigurationError, match="source"):
        Backup(sources, "kept")


CELLS: dict[str, object] = {}
"""What the sources of the tests below save, and the world at which they look, by name."""


@frozen
class Cellar:
    """Data in memory, and who runs while they are saved or restored."""

    name: str
    repeats: bool = True

    def check(self): ...

    def position(self):
        return ""

    def _look(self):
        seen = [one.version for one in CELLS["world"].instances("web")]
        CELLS.setdefault("seen", []).append((seen, CELLS["world"].registered("web")[1]))
        if CELLS.get("broken"):
            raise BackupError("no room")

    def save(self):
        self._look()
        yield CELLS[self.name]

    def load(self, data):
        self._look()
        CELLS[self.name] = b"".join(data)


@pytest.fixture
def cellar(tmp_path: Path):
    """A deployer of a world in which 1.0 serves, and a backup that is made while nothing runs."""
    CELLS.clear()
    world = MemoryWorld()
    world.add_edge("edge")
    CELLS.update({"world": world, "wine": b"good"})
    deployer = zdd.Deployer.in_memory(world)
    deployer.deploy(zdd.Service("web"), zdd.Release("1.0", Behaviour()))
    return deployer, world, Backup([Cellar("wine")], str(tmp_path / "kept"), while_stopped=True)


def spoil(world, version):
    def look(_):
        if any(one.version == version for one in world.instances("web")):
            CELLS["wine"] = b"vinegar"

    world.observe_changes(look)


NEVER = zdd.FunctionGate(lambda _: False)


def test_it_is_made_in_the_gap_and_comes_back_when_what_started_after_it_is_taken_back(cellar) -> None:
    deployer, world, backup = cellar
    spoil(world, "2.0")
    release = zdd.Release("2.0", Behaviour(), gates=[NEVER], changes_data=True)
    with pytest.raises(zdd.DeploymentFailed) as failed:
        deployer.deploy(zdd.Service("web", start_deadline_s=5), release, backup + zdd.Recreate())
    assert failed.value.report.outcome is zdd.Outcome.ROLLED_BACK
    assert [stage.title for stage in failed.value.report.stages] == ["back up wine, replace", "take back"]
    assert CELLS["wine"] == b"good"
    assert CELLS["seen"]
    assert all(seen == ([], True) for seen in CELLS["seen"])  # nothing ran, and requests were held
    assert [one.version for one in world.serving("web")] == ["1.0"]


@pytest.mark.parametrize("stores", [("kept", "kept"), ("kept", "elsewhere")])
def test_all_that_several_backups_have_saved_comes_back_when_it_is_taken_back(cellar, tmp_path: Path, stores) -> None:
    deployer, world, _ = cellar
    CELLS["cheese"] = b"good"
    wine, cheese = (
        Backup([Cellar(name)], str(tmp_path / store), retention=Retention(1))
        for name, store in zip(("wine", "cheese"), stores, strict=True)
    )
    deployer.deploy(zdd.Service("web"), zdd.Release("1.1", Behaviour()), wine + cheese + zdd.RollingUpdate())

    def spoil_both(_):
        if any(one.version == "2.0" for one in world.instances("web")):
            CELLS.update(wine=b"vinegar", cheese=b"mould")

    world.observe_changes(spoil_both)
    release = zdd.Release("2.0", Behaviour(), gates=[NEVER], changes_data=True)
    with pytest.raises(zdd.DeploymentFailed):
        deployer.deploy(zdd.Service("web", start_deadline_s=5), release, wine + cheese + zdd.RollingUpdate())
    assert (CELLS["wine"], CELLS["cheese"]) == (b"good", b"good")


def test_by_hand_the_data_that_were_saved_in_the_gap_come_back_too(cellar) -> None:
    deployer, world, backup = cellar
    spoil(world, "2.0")
    deployer.deploy(zdd.Service("web"), zdd.Release("2.0", Behaviour(), changes_data=True), backup + zdd.Recreate())
    assert CELLS["wine"] == b"vinegar"
    with pytest.raises(ConfigurationError, match="say restore=True"):
        deployer.rollback("web")
    assert deployer.rollback("web", restore=True).to_version == "1.0"
    assert CELLS["wine"] == b"good"


def test_if_it_fails_in_the_gap_what_served_is_started_again_and_nothing_is_restored(cellar) -> None:
    deployer, world, backup = cellar
    CELLS["broken"] = True
    release = zdd.Release("2.0", Behaviour(), changes_data=True)
    with pytest.raises(zdd.DeploymentFailed, match="no room") as failed:
        deployer.deploy(zdd.Service("web"), release, backup + zdd.Recreate())
    assert failed.value.report.outcome is zdd.Outcome.ROLLED_BACK
    assert [one.version for one in world.serving("web")] == ["1.0"]
    assert len(CELLS["seen"]) == 1


def test_nothing_may_run_in_the_gap_so_a_strategy_that_has_none_is_refused(cellar) -> None:
    deployer, _, backup = cellar
    with pytest.raises(ConfigurationError, match=r"use Recreate\(\)"):
        deployer.deploy(zdd.Service("web"), zdd.Release("2.0", Behaviour()), backup + zdd.BlueGreen())


def test_a_deployment_encrypts_what_it_saves_lets_go_of_old_ones_and_restores_with_the_key(
    cellar, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    deployer, _, _ = cellar
    (tmp_path / "key").write_bytes(bytes(range(32)))
    key = str(tmp_path / "key")
    backup = Backup([Cellar("wine")], str(tmp_path / "kept"), retention=Retention(1), key_file=key)
    for version in ("1.1", "1.2"):
        report = deployer.deploy(zdd.Service("web"), zdd.Release(version, Behaviour()), backup + zdd.RollingUpdate())
    assert report.actions[0].note.endswith("; 1 old ones deleted")
    (kept,) = deployer.backups("web")
    assert (kept.version, kept.encrypted) == ("1.1", True)
    assert len(list((tmp_path / "kept").glob("web/*"))) == 2
    CELLS["wine"] = b"vinegar"
    (tmp_path / "key").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="key"):
        deployer.restore("web")
    assert CELLS["wine"] == b"vinegar"
    (tmp_path / "elsewhere").rename(tmp_path / "key")
    deployer.restore("web")
    assert CELLS["wine"] == b"good"


def test_a_backup_of_other_sources_is_refused_while_it_still_serves(cellar, tmp_path: Path) -> None:
    deployer, world, _ = cellar
    kept = str(tmp_path / "kept")
    CELLS["beer"] = b"old"
    wine = Backup([Cellar("wine")], kept)
    deployer.deploy(zdd.Service("web"), zdd.Release("1.1", Behaviour()), wine + zdd.RollingUpdate())
    with pytest.raises(BackupError, match="has 'wine', which is no source here, only beer is: give using="):
        deployer.restore("web", using=Backup([Cellar("beer")], kept))
    assert [one.version for one in world.serving("web")] == ["1.1"]
    CELLS["wine"] = b"vinegar"
    report = deployer.restore("web", using=Backup([Cellar("wine"), Cellar("beer")], kept))
    assert report.actions[0].note.endswith("; it has nothing of beer, which is as it was")
    assert (CELLS["wine"], CELLS["beer"]) == (b"good", b"old")


def test_what_a_command_prints_is_listed_among_the_backups(cellar, tmp_path: Path) -> None:
    deployer, _, _ = cellar
    dump = CommandOutput("dump", [sys.executable, "-c", "print(1)"], ["true"])
    backup = Backup([dump], str(tmp_path / "kept"))
    deployer.deploy(zdd.Service("web"), zdd.Release("1.1", Behaviour()), backup + zdd.RollingUpdate())
    assert [part.source for one in deployer.backups("web") for part in one.parts] == ["dump"]
