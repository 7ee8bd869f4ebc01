"""How the demo ends: what was promised is checked against what was seen, and told in a table, a page and one line."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen
from tally import LoadResult

from zdd import Report
from zdd.display.drawing import TrafficSample
from zdd.display.html import report_html
from zdd.wording import count

WEBSOCKETS = (
    "An open websocket ends only when its instance is told to stop, so the instances that have one are shown as cut: "
    "their drain deadline passed. The application closed each of them with 1001, and the client came back at once."
)


@frozen
class Orders:
    """What became of the orders that were acknowledged to the clients.

    Attributes:
        acknowledged: How many there were.
        missing: Of these, how many nobody has written down.
        repeated: Orders that were written down more than once, acknowledged or not.
    """

    acknowledged: int
    missing: int
    repeated: int

    @classmethod
    def check(cls, acknowledged: Sequence[str], log: Path) -> Orders:
        """Compare what the clients were told with what the instances wrote down."""
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        written = Counter(line.split(" ")[0] for line in lines)
        missing = sum(name not in written for name in acknowledged)
        return cls(len(acknowledged), missing, sum(number > 1 for number in written.values()))


@frozen
class Ending:
    """All that the demo found out.

    Attributes:
        reports: The deployments, in order.
        load: What the clients saw.
        orders: What became of their orders.
        surprises: Deployments that did not end as they should, or were not begun because of that; in words.
        left_running: Processes that the demo started and that are still there.
    """

    reports: Sequence[Report]
    load: LoadResult
    orders: Orders
    surprises: Sequence[str]
    left_running: Sequence[int] = ()

    @property
    def faults(self) -> list[str]:
        """What did not hold, in words; nothing if all did."""
        load = self.load
        figures = [
            (load.failed, f"{count(load.failed, 'request')} failed: {_kinds(load)}"),
            (load.dropped_websockets, f"{count(load.dropped_websockets, 'websocket')} dropped: {_kinds(load)}"),
            (self.orders.missing, f"{count(self.orders.missing, 'order')} acknowledged and not written down"),
            (self.orders.repeated, f"{count(self.orders.repeated, 'order')} written down more than once"),
            (len(self.left_running), f"still running: {', '.join(map(str, self.left_running))}"),
        ]
        return [*self.surprises, *(words for number, words in figures if number)]

    def line(self, page: Path) -> str:
        """Return the verdict as one line of JSON."""
        return json.dumps(
            {
                "requests": self.load.requests,
                "failed": self.load.failed,
                "dropped_websockets": self.load.dropped_websockets,
                "bad_release_responses": self.load.bad_release_responses,
                "orders": {
                    "acknowledged": self.orders.acknowledged,
                    "missing": self.orders.missing,
                    "repeated": self.orders.repeated,
                },
                "deployments": [
                    {
                        "service": report.service,
                        "from": report.from_version,
                        "to": report.to_version,
                        "strategy": report.strategy,
                        "outcome": report.outcome.value if report.outcome else "unknown",
                        "seconds": round(report.seconds, 2),
                        "capacity_floor": report.capacity_floor,
                    }
                    for report in self.reports
                ],
                "faults": self.faults,
                "report": str(page),
            }
        )

    def table(self) -> str:
        """Return the deployments as a table, and under it what the clients saw."""
        rows = [("from", "to", "strategy", "outcome", "seconds", "least capacity")]
        rows += [
            (
                report.from_version or "-",
                report.to_version,
                report.strategy,
                report.outcome.value if report.outcome else "unknown",
                f"{report.seconds:.1f}",
                f"{report.capacity_floor} of {report.replicas}",
            )
            for report in self.reports
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:], "", *self._figures()])

    def _figures(self) -> list[str]:
        load = self.load
        times = ", ".join(f"{name} {value:g} ms" for name, value in load.latency_ms.items())
        bad = " and ".join(sorted({period.version for period in load.periods if period.bad})) or "a bad release"
        least = f"{load.requests_per_s:.0f} a second, {load.least_per_s} in the worst second"
        orders = f"{self.orders.missing} missing, {self.orders.repeated} repeated"
        websockets = f"{load.websocket_messages} websocket messages, {load.goodbyes} polite goodbyes"
        return [
            f"{load.requests} requests in {load.seconds:.0f} s, {least}: {load.failed} failed",
            f"errors that {bad} answered itself: {load.bad_release_responses}",
            f"{websockets}: {load.dropped_websockets} dropped",
            f"{self.orders.acknowledged} orders acknowledged: {orders}",
            f"short requests: {times}",
        ]

    def write_page(self, page: Path) -> None:
        """Write the report with its timeline."""
        traffic = [TrafficSample(each.at_s, each.version, each.requests, each.failed) for each in self.load.periods]
        notes = [*self.faults, *self._figures(), WEBSOCKETS]
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(report_html(self.reports, title="zdd demo", traffic=traffic, notes=notes), encoding="utf-8")


def _kinds(load: LoadResult) -> str:
    kinds = ", ".join(f"{number} x {kind}" for kind, number in load.failure_kinds.items())
    return f"{kinds}; the first: {load.failures[0].detail}" if load.failures else kinds


def processes_of(directory: Path) -> list[int]:
    """Return the processes that were started from this state directory: it is in their environment or arguments."""
    mark, found = os.fsencode(directory), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended, or is somebody else's
        if mark in told:
            found.append(int(entry.name))
    return found


def first_failures(load: LoadResult) -> Iterable[str]:
    """Return the failures that were kept, a line each, with their times since the first one."""
    for failure in load.failures:
        yield f"  +{failure.at_s - load.failures[0].at_s:.2f} s  {failure.kind}: {failure.detail}"
