"""The strategy, its actions, and what of them another process can read."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from attrs import frozen

from zdd import codec
from zdd.backup import Backup, Files, Restore
from zdd.backup.backup import MakeBackup, RestoreBackup
from zdd.errors import ConfigurationError
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
