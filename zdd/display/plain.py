"""One line for each change, and a sign of life while nothing changes: for logs, pipes and continuous integration."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Protocol

from zdd.display.words import (
    MANY,
    MOMENTS,
    OUTCOMES,
    RESULTS,
    capacity_words,
    change_words,
    stage_words,
    traffic_words,
    wait_words,
)
from zdd.events import (
    ActionEnded,
    CapacityChanged,
    CommandAnswered,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Ordered,
    StageEntered,
    StageFailed,
    StagePassed,
    Waited,
)
from zdd.model.plan import Direction
from zdd.model.verdict import Result
from zdd.report_forms import order_words
from zdd.status import Status
from zdd.wording import clock, count, duration, figures, printable

_log = logging.getLogger(__name__)
_EXPECTED = (Moment.LAUNCHED, Moment.READY, Moment.PROVEN, Moment.ADMITTED, Moment.SEEN)
"""What goes without saying of an instance that ran already when the deployment began."""

_COUNT = re.compile(r"(?<= )\d+(?= )")


class Stream(Protocol):
    """Where lines go. If it has an ``encoding``, what that can't carry is escaped."""

    def write(self, text: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """Have it arrive."""


class PlainLines:
    """Writes one line for each change; pass it wherever events are watched.

    While something is awaited and nothing changes, it repeats what it waits for, until the wait's deadline has passed.
    It never raises into the deployment: if the stream fails, it logs that once and is silent from then on.

    Args:
        stream: Where the lines go; None: standard error.
        heartbeat_s: Seconds without a line after which it says what it waits for.
        now: Tells the time, in seconds since the epoch.
        zone: The time zone of the times shown; None: local time.
    """

    def __init__(
        self,
        stream: Stream | None = None,
        *,
        heartbeat_s: float = 30.0,
        now: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        self._stream: Stream = sys.stderr if stream is None else stream
        self._heartbeat_s = heartbeat_s
        self._now = now
        self._zone = zone
        self._statuses: dict[str, Status] = {}
        self._changed = threading.Condition()
        self._beating: threading.Thread | None = None
        self._broken = False

    def __call__(self, event: Event) -> None:
        """Write what changed, if it is worth a line."""
        with self._changed:
            before = self._statuses.get(event.service, Status())
            status = self._statuses[event.service] = before.after(event)
            text = change_line(before, status, event, self._zone)
            if text:
                self._write(text)
            if status.running and self._beating is None and not self._broken:
                self._beating = threading.Thread(target=self._beat, name="zdd-heartbeat", daemon=True)
                self._beating.start()
            self._changed.notify_all()

    def close(self) -> None:
        """End the signs of life. Not needed after a deployment that ended by itself."""
        with self._changed:
            self._statuses.clear()
            self._changed.notify_all()

    def _beat(self) -> None:
        with self._changed:
            while any(status.running for status in self._statuses.values()) and not self._broken:
                if self._changed.wait(self._heartbeat_s):
                    continue
                for status in self._statuses.values():
                    text = heartbeat_line(status, self._now(), self._heartbeat_s, self._zone)
                    if text:
                        self._write(text)
            self._beating = None

    def _write(self, text: str) -> None:
        if self._broken:
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:  # a closed or full stream must not stop a deployment
            self._broken = True
            _log.warning("the display's stream failed, and nothing more is shown: %s", error)


def change_line(before: Status, status: Status, event: Event, zone: tzinfo | None = None) -> str:
    """Return the line for `event`, which turned `before` into `status`; empty if it is not worth one."""
    words = _words(before, status, event, zone)
    return f"{_head(status, event.at_s, zone)} {words}" if words else ""


def heartbeat_line(status: Status, now_s: float, grace_s: float, zone: tzinfo | None = None) -> str:
    """Return what is still awaited; empty if nothing is, or if its deadline passed more than `grace_s` seconds ago."""
    if not status.running or not status.waiting_for or status.waiting_until_s is None:
        return ""
    if now_s > status.waiting_until_s + grace_s:
        return ""
    waiting = wait_words(status.waiting_for, status.waiting_until_s, zone)
    return f"{_head(status, now_s, zone)} still waiting for {waiting}; {capacity_words(status)}"


def _head(status: Status, at_s: float, zone: tzinfo | None) -> str:
    parts = (clock(at_s, zone), printable(status.service), printable(status.to_version), stage_words(status))
    return " ".join(part for part in parts if part)


def _words(before: Status, status: Status, event: Event, zone: tzinfo | None) -> str:
    match event:
        case DeploymentStarted():
            return _start(status, event)
        case StageEntered():
            return f"begins: {printable(event.title)}"
        case StagePassed():
            return f"passed: {printable(event.title)}"
        case StageFailed():
            return f"failed: {printable(event.title)}: {printable(event.reason)}"
        case ActionEnded():
            note = f": {printable(event.note)}" if event.note else ""
            return f"action {printable(event.action)} {'done' if event.succeeded else 'failed'}{note}"
        case CommandAnswered(error=error) if error:
            kind = "command may or may not have been applied" if event.unknown else "command refused"
            return f"{kind}: {printable(error)}"
        case Ordered():
            return order_words(event)
        case InstanceMoved():
            return _move(before, status, event)
        case GateJudged():
            return _verdict(status, event)
        case CapacityChanged():
            return "; ".join(part for part in (capacity_words(status), traffic_words(status)) if part)
        case Waited():
            same = _without_counts(before.waiting_for[:1]) == _without_counts(event.reasons[:1])  # what is written
            return "" if same or not event.reasons else f"waiting for {wait_words(event.reasons, event.until_s, zone)}"
        case DeploymentEnded():
            return _end(status)
    return ""


def _start(status: Status, event: DeploymentStarted) -> str:
    plan = event.plan
    stages = count(len(plan.stages), "stage")
    if plan.direction is Direction.BACK:
        return f"begins with {stages}: back to {printable(event.to_version)}"
    strategy = f" by {printable(plan.strategy)}" if plan.strategy else ""
    many = "; instances are counted, not listed" if plan.service.replicas > MANY else ""
    promise = f"floor {plan.floor}, at most {count(plan.ceiling, 'instance')}"
    warned = "".join(f"; warning: {printable(text)}" for text in plan.warnings)
    who = f"started by {printable(event.actor)}"
    return f"starts: {change_words(status)}{strategy}, {stages}, {promise}, {who}{many}{warned}"


def _move(before: Status, status: Status, event: InstanceMoved) -> str:
    if status.replicas > MANY and event.moment not in (Moment.CUT, Moment.LOST):
        return ""
    known = before.instances.get(event.instance)
    unmoved = known is None or known.moment in _EXPECTED
    if event.moment in _EXPECTED and unmoved and status.instances[event.instance].found:
        return ""
    note = f": {printable(event.note)}" if event.note else ""
    return f"{printable(event.instance)} ({printable(event.version)}) {MOMENTS[event.moment].past}{note}"


def _verdict(status: Status, event: GateJudged) -> str:
    if status.replicas > MANY and event.result is not Result.FAILED and event.target != status.service:
        return ""
    numbers = f" ({figures(event.figures)})" if event.figures else ""
    reason = f": {printable(event.reason)}" if event.reason else ""
    gate = f"gate {printable(event.gate)} at {printable(event.target)}"
    return f"{gate} {RESULTS[event.result].past}{reason}{numbers}"


def _end(status: Status) -> str:
    outcome = OUTCOMES[status.outcome].word if status.outcome else "ended"
    reason = f": {printable(status.reason)}" if status.reason else ""
    unproven = f"; {len(status.unproven)} not proven: {printable(status.unproven[0])}" if status.unproven else ""
    return f"{outcome} after {duration(status.elapsed_s(status.updated_s))}{reason}{unproven}"


def _without_counts(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out standing numbers, so that three, two, one in flight is one line and not three."""
    return tuple(_COUNT.sub("#", reason) for reason in reasons)
