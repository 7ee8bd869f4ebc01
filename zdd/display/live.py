"""A live picture on a terminal, with what it waits for and until when. Needs rich; without it, plain lines."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING, TextIO

from zdd.display.plain import PlainLines
from zdd.display.words import (
    MANY,
    MOMENTS,
    OUTCOMES,
    RESULTS,
    capacity_words,
    change_words,
    traffic_words,
    wait_words,
)
from zdd.events import Event
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.status import GONE, InstanceStatus, Status
from zdd.wording import count, duration, printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text
    from rich.tree import Tree

FRAMES_PER_SECOND = 4
"""How often the picture is drawn: fast enough to look alive, slow enough to be read and to cost nothing."""

_WAITS_MAX = 3


def watcher(stream: TextIO | None = None) -> LiveTree | PlainLines:
    """Return what suits the stream: a live picture on a terminal, lines anywhere else.

    Args:
        stream: Where to show it; None: standard error, so that a program's own output stays clean.
    """
    where = sys.stderr if stream is None else stream
    if not where.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return PlainLines(where)
    try:
        return LiveTree(where)
    except ImportError:
        where.write("zdd: install rich to see a live picture here; plain lines until then\n")
        return PlainLines(where)


class LiveTree:
    """Draws how things stand, in place; pass it wherever events are watched.

    Lines that the program prints meanwhile appear above the picture, and the last picture stays on the screen. Colours
    follow the terminal and ``NO_COLOR``; no state is told by colour alone.

    Args:
        stream: A terminal; None: standard error.
        now: Tells the time, in seconds since the epoch.
        zone: The time zone of the times shown; None: local time.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        now: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        try:
            from rich.console import Console
        except ImportError:
            raise ImportError("a live picture needs rich: pip install rich, or 'zdd-deploy[demo]'") from None
        self._console = Console(file=sys.stderr if stream is None else stream)
        self._now = now
        self._zone = zone
        self._lock = threading.Lock()
        self._statuses: dict[str, Status] = {}
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Take the event in; the picture follows by itself."""
        with self._lock:
            if self._live is None:
                self._statuses = {}
            self._statuses[event.service] = self._statuses.get(event.service, Status()).after(event)
            if self._live is None:
                self._live = self._start()
            if not any(status.running for status in self._statuses.values()):
                self._stop()

    def close(self) -> None:
        """Leave the last picture on the screen. Not needed after a deployment that ended by itself."""
        with self._lock:
            self._stop()

    def _start(self) -> Live:
        from rich.live import Live

        live = Live(
            get_renderable=self._frame,
            console=self._console,
            refresh_per_second=FRAMES_PER_SECOND,
            # Where standard output is not this terminal, a program's own output must go where it was sent.
            redirect_stdout=sys.stdout.isatty(),
        )
        live.start()
        atexit.register(self.close)
        return live

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.close)

    def _frame(self) -> Group:
        return frame(tuple(self._statuses.values()), self._now(), self._zone)


def frame(statuses: Iterable[Status], now_s: float, zone: tzinfo | None = None) -> Group:
    """Return the picture of these services at `now_s`."""
    from rich.console import Group

    return Group(*(part for status in statuses for part in (_facts(status, now_s, zone), _tree(status, now_s))))


def _facts(status: Status, now_s: float, zone: tzinfo | None) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = Text.assemble(
        (printable(status.service), "bold"), "  ", change_words(status), "  ", (printable(status.strategy), "dim")
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text, style in _lines(status, now_s, zone):
        facts.add_row(name, Text(text, style=style))
    return Group(title, facts)


def _lines(status: Status, now_s: float, zone: tzinfo | None) -> list[tuple[str, str, str]]:
    """Return name, text and style of each fact."""
    lines: list[tuple[str, str, str]] = []
    if status.outcome is not None:
        sign = OUTCOMES[status.outcome]
        reason = f": {printable(status.reason)}" if status.reason else ""
        lines.append(("Outcome", f"{sign.glyph} {sign.word}{reason}", sign.style))
        lines += [("Unproven", printable(text), "yellow") for text in status.unproven[:_WAITS_MAX]]
    else:
        back = "going back, " if status.direction is Direction.BACK else ""
        stage = f"{status.stage} of {status.stages}  {printable(status.title)}" if status.stage else "before the first"
        lines.append(("Stage", f"{back}{stage}", "yellow" if back else ""))
        lines.append(("Waiting", _waiting(status, now_s, zone), ""))
    orders = [str(order) for order in (status.paused, status.promoted, status.aborted) if order is not None]
    if orders and status.running:
        lines.append(("Ordered", "; ".join(orders), "yellow"))
    if status.failure and status.failure != status.reason:
        lines.append(("Failed", printable(status.failure), "red"))
    if status.problem and status.running:
        lines.append(("Problem", printable(status.problem), "red"))
    short = status.useful is not None and status.useful < status.floor
    lines.append(("Capacity", capacity_words(status) + (", below it now" if short else ""), "red" if short else ""))
    lines.append(("Traffic", traffic_words(status) or "none known", ""))
    lines.append(("Gates", *_gates(status)))
    lines.append(("Elapsed", duration(status.elapsed_s(now_s)), ""))
    return lines


def _waiting(status: Status, now_s: float, zone: tzinfo | None) -> str:
    if not status.waiting_for:
        return "for nothing"
    left = "" if status.waiting_until_s is None else f" (in {duration(max(0.0, status.waiting_until_s - now_s))})"
    if left.startswith(" (in without"):
        left = ""
    return "for " + wait_words(status.waiting_for, status.waiting_until_s, zone, most=_WAITS_MAX) + left


def _gates(status: Status) -> tuple[str, str]:
    numbers = {result: [g for g in status.gates.values() if g.result is result] for result in Result}
    words = ", ".join(f"{RESULTS[r].glyph} {len(gates)} {RESULTS[r].word}" for r, gates in numbers.items() if gates)
    failed = numbers[Result.FAILED]
    if not failed:
        return words or "none asked yet", ""
    last = max(failed, key=lambda gate: gate.since_s)
    return f"{words}; {printable(last.gate)} at {printable(last.target)}: {printable(last.reason)}", "red"


def _tree(status: Status, now_s: float) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(f"{printable(status.service)} instances", style="dim"))
    end_s = now_s if status.ended_s is None else status.ended_s
    alive = [one for one in status.instances.values() if one.moment not in GONE]
    for version in dict.fromkeys(one.version for one in alive):
        own = [one for one in alive if one.version == version]
        branch = tree.add(Text(f"{printable(version)}  {_part(status, version)}  {count(len(own), 'instance')}"))
        for text in _rows(own, end_s, listed=len(alive) <= MANY):
            branch.add(text)
    gone = [one for one in status.instances.values() if one.moment in GONE]
    if gone:
        tree.add(Text.assemble(("gone  ", "dim"), *_counts(gone)))
    return tree


def _part(status: Status, version: str) -> str:
    if version == status.to_version:
        return "new"
    return "old" if version == status.from_version else "other"


def _rows(instances: list[InstanceStatus], end_s: float, *, listed: bool) -> list[Text]:
    from rich.text import Text

    if not listed:
        return [Text.assemble(*_counts(instances))]
    width = max(len(printable(one.id)) for one in instances)
    rows = []
    for one in instances:
        sign = MOMENTS[one.moment]
        note = f"  {printable(one.note)}" if one.note else ""
        age = duration(max(0.0, end_s - one.since_s))
        rows.append(
            Text.assemble(
                (sign.glyph, sign.style),
                f" {printable(one.id):<{width}}  ",
                (f"{sign.word:<12}", sign.style),
                age,
                note,
            )
        )
    return rows


def _counts(instances: list[InstanceStatus]) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = []
    for moment, sign in MOMENTS.items():
        number = sum(one.moment is moment for one in instances)
        if number:
            parts += [", " if parts else "", (f"{sign.glyph} {number} {sign.word}", sign.style)]
    return parts
