from __future__ import annotations

import pytest

from zdd.adapters.memory import MemoryJournal
from zdd.errors import LeaseLost
from zdd.events import StagePassed
from zdd.interfaces import Fence


def event(stage: int) -> StagePassed:
    return StagePassed(at_s=1.0, service="web", deployment="d", stage=stage, title="t")


def test_it_reads_back_what_was_appended_in_order() -> None:
    journal = MemoryJournal()
    assert (journal.read("web"), journal.services()) == ((), ())
    for number in range(3):
        journal.append("web", event(number), Fence(1, "me"))
    journal.append("app", event(9), Fence(1, "me"))
    assert journal.read("web") == (event(0), event(1), event(2))
    assert journal.services() == ("app", "web")


def test_an_old_fence_is_refused_and_nothing_is_written() -> None:
    journal = MemoryJournal()
    journal.append("web", event(0), Fence(2, "newer"))
    with pytest.raises(LeaseLost, match="newer"):
        journal.append("web", event(1), Fence(1, "older"))
    assert journal.read("web") == (event(0),)
