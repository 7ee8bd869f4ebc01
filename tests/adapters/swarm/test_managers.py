"""Which of several managers is asked, and that a change is never sent to a second one before somebody has looked."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.swarm.managers import Managers
from zdd.errors import OutcomeUnknown, TemporaryError


def make(api: Any) -> Any:
    return api.create_config("made", b"x")


def test_the_next_one_is_asked_when_one_can_not_be_reached(swarm: Any, tmp_path: Path) -> None:
    with contextlib.closing(Managers(f"unix://{tmp_path}/nobody.sock", swarm.engine)) as managers:
        managers.write("make", make)
        assert managers.read("list", lambda api: [one["Spec"]["Name"] for one in api.configs()]) == ["made"]
        assert managers.calls == {"make": 1, "list": 1}
        with managers.follow("follow", lambda api: api.version()) as told:
            assert told["Version"] == swarm.facts.version


def test_a_change_without_an_answer_is_not_sent_again(swarm: Any, wait_until: Any) -> None:
    with contextlib.closing(Managers(swarm.engine, swarm.engine, timeout_s=0.5)) as managers:
        managers.read("ask", lambda api: api.version())
        with swarm.stalled(), pytest.raises(OutcomeUnknown):
            managers.write("make", make)
        wait_until(lambda: swarm.api.configs(), "it was applied after all")
        assert managers.calls["make"] == 1
        assert managers.read("ask", lambda api: api.version())["Version"] == swarm.facts.version


def test_what_each_of_them_says_is_told_when_none_can_be_reached(tmp_path: Path) -> None:
    managers = Managers(*(f"unix://{tmp_path}/{name}.sock" for name in ("one", "two")))
    for ask in (managers.read, managers.write):
        with pytest.raises(TemporaryError, match=r"answers at .*/one.sock: .*; .* answers at .*/two.sock: "):
            ask("ask", lambda api: api.version())
