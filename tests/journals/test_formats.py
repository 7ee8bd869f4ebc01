"""Every format that was ever written can be read, for ever."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.sqlite import SqliteJournal
from zdd.codec import FORMAT
from zdd.errors import LeaseLost
from zdd.events import StagePassed
from zdd.interfaces import Fence

HERE = Path(__file__).parent
WRITTEN = {"format-1": "915b0445368ab76e35b5268d149b41e2a9fd6de3c40ab9e498fd5d1fec6f78e2"}


def script(name: str) -> Any:
    place = HERE / f"make_{name.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_format_has_its_file_and_no_file_was_written_again() -> None:
    assert {f"format-{number}" for number in range(1, FORMAT + 1)} == set(WRITTEN)
    for name, digest in WRITTEN.items():
        assert hashlib.sha256((HERE / f"{name}.db").read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", WRITTEN)
def test_it_is_read_as_it_was_meant(name: str, tmp_path: Path) -> None:
    shutil.copy(HERE / f"{name}.db", tmp_path)
    journal = SqliteJournal(tmp_path / f"{name}.db")
    assert journal.services() == ("web",)
    read, meant = journal.read("web"), script(name).events()
    assert len(read) == len(meant) > 30
    for event, expected in zip(read, meant, strict=True):
        assert repr(event) == repr(expected)
        assert event == expected


@pytest.mark.parametrize("name", WRITTEN)
def test_it_can_be_continued(name: str, tmp_path: Path) -> None:
    shutil.copy(HERE / f"{name}.db", tmp_path)
    journal = SqliteJournal(tmp_path / f"{name}.db")
    event = StagePassed(at_s=1.0, service="web", deployment="d-2", stage=0, title="later")
    with pytest.raises(LeaseLost):
        journal.append("web", event, Fence(6, "before"))
    journal.append("web", event, Fence(8, "after"))
    assert journal.read("web")[-1] == event
