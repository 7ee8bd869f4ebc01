"""A journal that can't be read, can't be written, is busy, or does not answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define, field

from zdd.adapters.memory import MemoryJournal
from zdd.errors import JournalError, TemporaryError
from zdd.events import Event
from zdd.interfaces import Fence
from zdd.simulation.surroundings import Called
from zdd.simulation.trouble import FaultClass


@define(eq=False)
class JournalFaults:
    """What is wrong with the journal of a life.

    Attributes:
        happened: Counts the faults that truly happen.
        broken: What is wrong now, in the order in which it began: a damage, or a full disk.
        once: What will go wrong with the next writes, in order.
    """

    happened: Counter[FaultClass]
    broken: list[FaultClass] = field(factory=list)
    once: list[FaultClass] = field(factory=list)

    def heal(self) -> None:
        """Let everything be written and read again."""
        self.broken.clear()
        self.once.clear()

    def refuse(self, *, reading: bool) -> None:
        """Raise what whoever reads or writes gets now, if anything."""
        for kind in self.broken:
            if kind is FaultClass.JOURNAL_DAMAGED or not reading:
                self.happened[kind] += 1
                raise JournalError(kind.value)


@define(eq=False)
class ProcessJournal:
    """The journal as one process sees it.

    Attributes:
        failed: Is told when the process has heard that an event may not be written down.
    """

    journal: MemoryJournal
    faults: JournalFaults
    called: Called
    failed: Callable[[], None]

    def append(self, service: str, event: Event, fence: Fence) -> None:
        """Write the event, or not."""
        self.called("append")
        try:
            self.faults.refuse(reading=False)
        except JournalError:
            self.failed()
            raise
        fault = self.faults.once.pop(0) if self.faults.once else None
        if fault is not None:
            self.faults.happened[fault] += 1
        if fault is FaultClass.JOURNAL_BUSY:
            raise TemporaryError(fault.value)
        self.journal.append(service, event, fence)
        if fault is not None:
            self.failed()
            raise JournalError(fault.value)

    def read(self, service: str) -> tuple[Event, ...]:
        """Return every event."""
        self.faults.refuse(reading=True)
        return self.journal.read(service)

    def services(self) -> tuple[str, ...]:
        """Return the names of the services."""
        self.faults.refuse(reading=True)
        return self.journal.services()
