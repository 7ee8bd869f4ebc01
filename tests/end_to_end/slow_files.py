"""A source that takes its time, and the ledger's service and releases: shared by the test and its script."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import field, frozen

import zdd
from zdd.backup import Files

LEDGER = Path(__file__).with_name("ledger.py")


@frozen
class SlowFiles:
    """Files, slowly."""

    directory: str
    seconds: float = 0.0
    inner: Files = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "inner", Files(self.directory, title="ledger"))

    @property
    def name(self) -> str:
        return "ledger"

    @property
    def repeats(self) -> bool:
        return True

    def check(self) -> None:
        self.inner.check()

    def position(self) -> str:
        return ""

    def save(self) -> Iterator[bytes]:
        for chunk in self.inner.save():
            yield chunk
            time.sleep(self.seconds / 10)

    def load(self, data: Iterable[bytes]) -> None:
        def slowly() -> Iterator[bytes]:
            for chunk in data:
                yield chunk
                time.sleep(self.seconds)

        self.inner.load(slowly())


def ledger_service() -> zdd.Service:
    """Return a service with one writer."""
    return zdd.Service("web", gates=[zdd.HttpGate("/health")], drain_deadline_s=5, start_deadline_s=40, stop_grace_s=2)


def ledger_release(version: str, data: str, *, spoils: bool = False) -> zdd.Release:
    """Return a release of the ledger."""
    environment = {"LEDGER": f"{data}/ledger", "SPOILS": "yes" if spoils else "no"}
    return zdd.Release(version, zdd.Process([sys.executable, str(LEDGER)], environment), changes_data=spoils)
