"""Every format of a journal in Consul that was ever written can be read, for ever."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.journal import ConsulJournal
from zdd.codec import FORMAT
from zdd.errors import JournalError, LeaseLost
from zdd.events import StagePassed
from zdd.interfaces import Fence

JOURNALS = Path(__file__).parents[2] / "journals"
WRITTEN = {"format-1": "a6069f18390afcf187df6faf5a0f65bd268f3e433e23be1794d59ce9627c8d25"}


@pytest.fixture(params=WRITTEN)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def meant(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What was written down then."""
    monkeypatch.syspath_prepend(str(JOURNALS))
    return tuple(importlib.import_module(f"make_{name.replace('-', '_')}_consul").events())


@pytest.fixture
def restored(agent: Any, connection: ConsulConnection, prefix: str, name: str) -> ConsulJournal:
    """The journal, as somebody else's Consul would hold it."""
    for key, value in json.loads((JOURNALS / f"{name}.consul.json").read_text()).items():
        agent.ask("PUT", f"/v1/kv/{prefix}{key}", base64.b64decode(value))
    return ConsulJournal(connection, prefix=prefix)


def test_every_format_has_its_file_and_no_file_was_written_again() -> None:
    assert {f"format-{number}" for number in range(1, FORMAT + 1)} == set(WRITTEN)
    for name, digest in WRITTEN.items():
        assert hashlib.sha256((JOURNALS / f"{name}.consul.json").read_bytes()).hexdigest() == digest


def test_it_is_read_as_it_was_meant(restored: ConsulJournal, meant: tuple[Any, ...]) -> None:
    assert restored.services() == ("web",)
    read = restored.read("web")
    assert len(read) == len(meant) > 30
    for event, expected in zip(read, meant, strict=True):
        assert repr(event) == repr(expected)
        assert event == expected


def test_it_can_be_continued(restored: ConsulJournal) -> None:
    event = StagePassed(at_s=1.0, service="web", deployment="d-2", stage=0, title="later")
    with pytest.raises(LeaseLost):
        restored.append("web", event, Fence(6, "before"))
    restored.append("web", event, Fence(8, "after"))
    assert restored.read("web")[-1] == event


@pytest.mark.parametrize("number", [1, 20])
def test_a_change_in_it_shows(agent: Any, restored: ConsulJournal, prefix: str, number: int) -> None:
    key = f"/v1/kv/{prefix}/events/web/{number:012d}"
    value = base64.b64decode(agent.ask("GET", key)[0]["Value"])
    agent.ask("PUT", key, value.replace(b"web", b"wob", 1))
    with pytest.raises(JournalError, match="is damaged"):
        restored.read("web")
