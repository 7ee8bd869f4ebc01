"""A journal that fails as its life says, and counts what truly happened."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import define, field

from zdd.adapters.memory import MemoryJournal
from zdd.errors import JournalError, TemporaryError
from zdd.events import Event, StagePassed
from zdd.interfaces import Fence
from zdd.simulation.journals import JournalFaults, ProcessJournal
from zdd.simulation.trouble import FaultClass

EVENT = StagePassed(at_s=1.0, service="web", deployment="web-1", stage=0, title="one")


@define(eq=False)
class Stage:
    """One process with its journal, of which the faults are known."""

    faults: JournalFaults = field(factory=lambda: JournalFaults(Counter()))
    calls: list[str] = field(factory=list)
    told: list[str] = field(factory=list)
    memory: MemoryJournal = field(factory=MemoryJournal)

    @property
    def journal(self) -> ProcessJournal:
        return ProcessJournal(self.memory, self.faults, self.calls.append, lambda: self.told.append("failed"))

    def append(self, event: Event = EVENT) -> None:
        self.journal.append("web", event, Fence(1, "user@host:1"))


def test_without_faults_it_is_written_and_read():
    stage = Stage()
    stage.append()
    assert stage.journal.read("web") == (EVENT,)
    assert stage.journal.services() == ("web",)
    assert (stage.calls, stage.told, stage.faults.happened) == (["append"], [], Counter())


def test_a_full_disk_can_be_read_but_not_written_until_it_heals():
    stage = Stage()
    stage.append()
    stage.faults.broken.append(FaultClass.JOURNAL_FULL)
    with pytest.raises(JournalError):
        stage.append()
    assert stage.journal.read("web") == (EVENT,)
    assert stage.told == ["failed"]
    assert stage.faults.happened == {FaultClass.JOURNAL_FULL: 1}
    stage.faults.heal()
    stage.append()
    assert len(stage.journal.read("web")) == 2


def test_a_damaged_one_can_not_even_be_read():
    stage = Stage()
    stage.faults.broken.append(FaultClass.JOURNAL_DAMAGED)
    for read in (lambda: stage.journal.read("web"), stage.journal.services):
        with pytest.raises(JournalError):
            read()
    assert stage.faults.happened == {FaultClass.JOURNAL_DAMAGED: 2}


def test_a_busy_one_takes_nothing_once_and_says_that_it_may_be_asked_again():
    stage = Stage()
    stage.faults.once.append(FaultClass.JOURNAL_BUSY)
    with pytest.raises(TemporaryError):
        stage.append()
    assert stage.journal.read("web") == ()
    stage.append()
    assert stage.journal.read("web") == (EVENT,)


def test_a_write_without_an_answer_is_there_although_its_writer_heard_that_it_may_not_be():
    stage = Stage()
    stage.faults.once.append(FaultClass.JOURNAL_UNANSWERED)
    with pytest.raises(JournalError):
        stage.append()
    assert stage.journal.read("web") == (EVENT,)
    assert stage.told == ["failed"]
