"""What happened to the instances between two states of the progress, as events tell it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from operator import attrgetter, is_not

from attrs import frozen

from zdd.events import Moment
from zdd.model.command import Change, Retire, Scale
from zdd.reconciler.progress import InstanceRecord, Progress

_MOMENTS = {
    Moment.LAUNCHED: "launched_s",
    Moment.READY: "ready_s",
    Moment.PROVEN: "proven_s",
    Moment.ADMITTED: "admitted_s",
    Moment.SEEN: "seen_s",
    Moment.OUT: "out_s",
    Moment.SEEN_GONE: "gone_s",
    Moment.IDLE: "idle_s",
    Moment.CUT: "cut_s",
    Moment.STOPPED: "stopped_s",
}
_times = attrgetter(*_MOMENTS.values())
_NEVER = (None,) * len(_MOMENTS)


@frozen(slots=False)
class InstanceMoment:
    """Something that happened to an instance, and when."""

    instance: str
    record: InstanceRecord
    moment: Moment
    at_s: float
    note: str = ""


def moments(before: Progress, after: Progress, instance: str | None = None) -> Iterator[InstanceMoment]:
    """Return what happened to each instance, or to this one only, in the safe order for each."""
    if before.instances is after.instances:
        return
    known = before.instances
    if instance is None:
        earlier_ones = map(known.get, after.instances)
        moved = list(compress(after.instances, map(is_not, after.instances.values(), earlier_ones)))
    else:
        moved = [instance] if after.instances.get(instance) is not known.get(instance) else []
    for name in moved:
        record, earlier = after.instances[name], known.get(name)
        times, known_times = _times(record), _times(earlier) if earlier is not None else _NEVER
        if times == known_times:
            continue
        for moment, at_s, known_s in zip(_MOMENTS, times, known_times, strict=True):
            if at_s is None or at_s == known_s:
                continue
            if moment is Moment.STOPPED and not _was_told(after, record):
                yield InstanceMoment(name, record, Moment.LOST, at_s, record.note)
            else:
                note = "the drain deadline passed" if moment is Moment.CUT else ""
                yield InstanceMoment(name, record, moment, at_s, note)


def _was_told(progress: Progress, record: InstanceRecord) -> bool:
    told = progress.told.get(record.cell)
    if told is None:
        return False
    if isinstance(told.command, Change):
        return told.command.revision != record.revision
    return isinstance(told.command, Retire | Scale)
