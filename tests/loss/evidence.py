"""What happened to the clients, held against what the servers and zdd have written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from zdd import Report
from zdd.events import Moment

CUT_EARLY_S = 0.3
"""How much earlier than the deployer's own time a websocket may end: the time is taken after the command was sent."""


@frozen
class Request:
    """A request as the server has written it down. Times in seconds since the epoch."""

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
    """

    instance: str
    out_s: float
    in_flight: int
    cut_s: float | None
    drained_s: float


def read_logs(directory: Path) -> dict[str, list[Request]]:
    """Return what each instance has written down."""
    found = {}
    for path in directory.iterdir():
        rows = (line.split(" ") for line in path.read_text().splitlines())
        found[path.name] = [Request(row[0], row[1], float(row[2]), float(row[3])) for row in rows]
    return found


def removals(report: Report, logs: Mapping[str, Sequence[Request]]) -> list[Removal]:
    """Return what a deployment has removed."""
    found = []
    for instance in report.instances:
        times = instance.times
        if Moment.STOPPED not in times or (Moment.ADMITTED not in times and not instance.found):
            continue
        out_s, cut_s = times.get(Moment.OUT, times[Moment.STOPPED]), times.get(Moment.CUT)
        end_s = times.get(Moment.IDLE, cut_s) or out_s
        in_flight = sum(one.began_s <= out_s < one.ended_s for one in logs.get(instance.id, ()))
        found.append(Removal(instance.id, out_s, in_flight, cut_s, end_s - out_s))
    return found


def lost_posts(facts: Mapping[str, Any], logs: Mapping[str, Sequence[Request]]) -> list[str]:
    """Return, in words, the POSTs that were acknowledged and not written down, and those that were done twice."""
    done = Counter(one.id for requests in logs.values() for one in requests if one.method == "POST")
    words = [f"POST {name} was acknowledged and is in no log" for name in facts["posts"] if not done[name]]
    return words + [f"POST {name} was done {times} times" for name, times in done.items() if times > 1]


def split_websockets(facts: Mapping[str, Any], removed: Iterable[Removal]) -> tuple[int, list[str]]:
    """Return how many websockets the drain deadline has cut; and in words those that something else has."""
    cuts = sorted(one.cut_s for one in removed if one.cut_s is not None)
    words = [
        f"a websocket ended at {at_s:.2f}, not after a drain deadline"
        for at_s in facts["cut"]
        if not any(at_s >= cut_s - CUT_EARLY_S for cut_s in cuts)
    ]
    return len(facts["cut"]) - len(words), words
