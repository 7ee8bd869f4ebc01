"""What happened to the clients, held against what the servers and zdd have written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from attrs import frozen

from zdd import Report
from zdd.events import Moment

CUT_EARLY_S = 0.3
"""How much earlier than the deployer's own time a websocket may end: the time is taken after the command was sent."""


TERM = "TERM "
STOPPED_LATE_S = 2.0
"""How long after an instance was seen to stop, and its grace period, its clients may notice."""


@frozen
class Request:
    """A request as the server has written it down. Times in seconds since the epoch; without an end: infinity."""

    method: str
    id: str
    began_s: float
    ended_s: float


@frozen
class Removal:
    """An instance that a deployment took out and stopped.

    Attributes:
        instance: Its id.
        out_s: When discovery was told; in seconds since the epoch.
        in_flight: How many requests the server itself had in hand then.
        cut_s: When the drain deadline had passed and something was still in flight; None if all had ended.
        drained_s: Seconds from the drain's beginning to its end.
        idle_s: When nothing was in flight any more; None if that was not seen.
        noticed_s: Until when its clients may notice that it was stopped.
    """

    instance: str
    out_s: float
    in_flight: int
    cut_s: float | None
    drained_s: float
    idle_s: float | None
    noticed_s: float


def read_logs(directory: Path) -> dict[str, list[Request]]:
    """Return what each instance has written down: a line when a request begins, and the same with its end."""
    return {path.name: _requests(path.read_text().splitlines()) for path in directory.iterdir()}


def read_terms(directory: Path) -> dict[str, float]:
    """Return when each instance was told to stop, as far as it was, in seconds since the epoch."""
    lines = {path.name: path.read_text().splitlines() for path in directory.iterdir()}
    return {name: float(line.split()[1]) for name, own in lines.items() for line in own if line.startswith(TERM)}


def _requests(lines: Iterable[str]) -> list[Request]:
    begun: dict[str, Request] = {}
    ended = []
    for method, name, *times in (line.split(" ") for line in lines if not line.startswith(TERM)):
        began_s, ended_s = float(times[0]), float(times[1]) if len(times) > 1 else inf
        if ended_s == inf:
            begun[name] = Request(method, name, began_s, inf)
        else:
            begun.pop(name, None)
            ended.append(Request(method, name, began_s, ended_s))
    return [*ended, *begun.values()]


def removals(report: Report, logs: Mapping[str, Sequence[Request]], grace_s: float) -> list[Removal]:
    """Return what a deployment has removed; `grace_s` is how long an instance may go on after the signal to stop."""
    found = []
    for instance in report.instances:
        times = instance.times
        if Moment.STOPPED not in times or (Moment.ADMITTED not in times and not instance.found):
            continue
        stopped_s = times[Moment.STOPPED]
        out_s, cut_s, idle_s = times.get(Moment.OUT, stopped_s), times.get(Moment.CUT), times.get(Moment.IDLE)
        in_flight = sum(one.began_s <= out_s < one.ended_s for one in logs.get(instance.id, ()))
        end_s = idle_s or cut_s or stopped_s
        noticed_s = stopped_s + grace_s + STOPPED_LATE_S
        found.append(Removal(instance.id, out_s, in_flight, cut_s, end_s - out_s, idle_s, noticed_s))
    return found


def lost_posts(facts: Mapping[str, Any], logs: Mapping[str, Sequence[Request]]) -> list[str]:
    """Return, in words, the POSTs that were acknowledged and not written down, and those that were done twice."""
    done = Counter(
        one.id for requests in logs.values() for one in requests if one.method == "POST" and one.ended_s < inf
    )
    words = [f"POST {name} was acknowledged and is in no log" for name in facts["posts"] if not done[name]]
    return words + [f"POST {name} was done {times} times" for name, times in done.items() if times > 1]


def excused(at_s: float, removed: Iterable[Removal]) -> bool:
    """Tell whether what was lost then can be the doing of an instance that was stopped before it had drained.

    Once it is stopped, nothing is in flight there any more: what was lost then is lost before that is seen.
    """
    return any(one.out_s - STOPPED_LATE_S <= at_s <= (one.idle_s or one.noticed_s) for one in removed)


def split_websockets(facts: Mapping[str, Any], removed: Iterable[Removal]) -> tuple[int, list[tuple[float, str]]]:
    """Return how many websockets the drain deadline has cut; and, with the time and in words, those that it has not."""
    cuts = [(one.cut_s - CUT_EARLY_S, one.noticed_s) for one in removed if one.cut_s is not None]
    other = [at_s for at_s in facts["cut"] if not any(first_s <= at_s <= last_s for first_s, last_s in cuts)]
    return len(facts["cut"]) - len(other), [(at_s, "a websocket ended, not after a drain deadline") for at_s in other]
