"""The life of each instance in phases, as a timeline draws it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import frozen

from zdd.events import Moment
from zdd.report import InstanceTimes, Report
from zdd.status import GONE


class Phase(enum.Enum):
    """What an instance is doing for a while."""

    STARTING = "starting"
    PROVEN = "proven"
    TRAFFIC = "in traffic"
    DRAINING = "draining"


@frozen
class Segment:
    """One phase, from a time to another, in seconds since the epoch."""

    phase: Phase
    from_s: float
    to_s: float


@frozen
class Mark:
    """Something that happened at one time: `STOPPED`, `LOST` or `CUT`."""

    moment: Moment
    at_s: float


@frozen
class Life:
    """One instance as far as it can be seen in one deployment.

    Attributes:
        id: Its id.
        version: What it runs.
        segments: Its phases, in order.
        marks: Its end, and whether something was cut.
    """

    id: str
    version: str
    segments: tuple[Segment, ...]
    marks: tuple[Mark, ...]


_PHASES = {
    Moment.LAUNCHED: Phase.STARTING,
    Moment.READY: Phase.STARTING,
    Moment.PROVEN: Phase.PROVEN,
    Moment.ADMITTED: Phase.TRAFFIC,
    Moment.SEEN: Phase.TRAFFIC,
    Moment.OUT: Phase.DRAINING,
    Moment.SEEN_GONE: Phase.DRAINING,
    Moment.IDLE: Phase.DRAINING,
    Moment.CUT: Phase.DRAINING,
}

_BEFORE = {
    Moment.READY: Phase.STARTING,
    Moment.PROVEN: Phase.STARTING,
    Moment.SEEN: Phase.TRAFFIC,
    Moment.OUT: Phase.TRAFFIC,
    Moment.LOST: Phase.TRAFFIC,
    Moment.SEEN_GONE: Phase.DRAINING,
    Moment.IDLE: Phase.DRAINING,
    Moment.CUT: Phase.DRAINING,
    Moment.STOPPED: Phase.DRAINING,
}
"""What an instance must have been doing if this is the first that is heard of it."""

_ALREADY = frozenset({Moment.LAUNCHED, Moment.READY})
"""What is told of an instance that is found, as if it happened when it was first looked at."""


def lives(report: Report, earlier: Iterable[Report] = ()) -> tuple[Life, ...]:
    """Return every instance of the report, and those that `earlier` ones left running, in order of their beginning."""
    left = {one.id: (one, phase) for one, phase in _left(report.service, earlier)}
    seen = {one.id: one for one in report.instances}
    found = [_life(one, left[one.id][1] if one.id in left else None, report) for one in report.instances]
    for one, phase in left.values():
        if one.id not in seen:
            found.append(Life(one.id, one.version, (Segment(phase, report.started_s, report.ended_s),), ()))
    return tuple(sorted(found, key=_place))


def _place(life: Life) -> tuple[float, bool, str]:
    """Sort by the beginning; what was there before comes before what begins in the first moment."""
    if not life.segments:
        return (0.0, True, life.id)
    first = life.segments[0]
    return (first.from_s, first.phase is Phase.STARTING, life.id)


def _left(service: str, earlier: Iterable[Report]) -> list[tuple[InstanceTimes, Phase]]:
    last: dict[str, tuple[InstanceTimes, Moment]] = {}
    for report in earlier:
        if report.service == service:
            last.update({one.id: (one, one.moments[-1][0]) for one in report.instances})
    return [(one, _PHASES[moment]) for one, moment in last.values() if moment not in GONE]


def _life(one: InstanceTimes, before: Phase | None, report: Report) -> Life:
    moments = [pair for pair in one.moments if not (one.found and pair[0] in _ALREADY)]
    phase = before
    if phase is None and moments:
        phase = _BEFORE.get(moments[0][0])
    if phase is None and one.found:
        phase = Phase.TRAFFIC if Moment.SEEN in one.times else Phase.STARTING
    since_s = report.started_s
    segments: list[Segment] = []
    for moment, at_s in moments:
        following = _PHASES.get(moment)
        proven_on_the_way = following is Phase.PROVEN and phase in (Phase.TRAFFIC, Phase.DRAINING)
        if following is phase or proven_on_the_way:
            continue
        if phase is not None and at_s > since_s:
            segments.append(Segment(phase, since_s, at_s))
        phase, since_s = following, at_s
    if phase is not None:
        segments.append(Segment(phase, since_s, max(since_s, report.ended_s)))
    marks = tuple(Mark(m, at_s) for m, at_s in one.moments if m in GONE or m is Moment.CUT)
    return Life(one.id, one.version, tuple(segments), marks)
