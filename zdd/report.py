"""The evidence of one deployment: what was promised, what was seen, how it ended. A pure function of its events."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from zdd.events import (
    ActionEnded,
    CapacityChanged,
    CommandAnswered,
    CommandIntended,
    DeploymentStarted,
    Event,
    InstanceMoved,
    Moment,
    Ordered,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
)
from zdd.model.command import Retire
from zdd.model.plan import Direction
from zdd.report_forms import data_of, summary_of, text_of
from zdd.status import GateStatus, InstanceStatus, fold


@frozen
class StageTimes:
    """One stage, as it went. Times are in seconds since the epoch.

    Attributes:
        number: From 1, within its direction's plan.
        title: What the plan calls it.
        direction: Forward, or on the way back.
        entered_s: When it began.
        passed_s: When its traffic was where it should be and its gates had passed; None if it never was.
        failed_s: When it failed; None if it did not.
        reason: Why it failed.
    """

    number: int
    title: str
    direction: Direction
    entered_s: float
    passed_s: float | None = None
    failed_s: float | None = None
    reason: str = ""


@frozen
class ActionResult:
    """What an action came to.

    Attributes:
        name: Its name.
        ended_s: When it ended, in seconds since the epoch.
        succeeded: Whether it did.
        note: What it said.
    """

    name: str
    ended_s: float
    succeeded: bool
    note: str = ""


@frozen
class InstanceTimes:
    """What happened to one instance.

    Attributes:
        id: Its id.
        cell: Its cell.
        version: What it ran.
        moments: Everything that happened to it, in order, with its time in seconds since the epoch.
        note: The last thing that was said about it.
        found: It ran already when the deployment began; then it was first looked at, and not launched, at the time of
            `Moment.LAUNCHED`.
    """

    id: str
    cell: str
    version: str
    moments: tuple[tuple[Moment, float], ...]
    note: str = ""
    found: bool = False

    @property
    def times(self) -> dict[Moment, float]:
        """When each thing happened; the last time, if it happened more than once."""
        return dict(self.moments)

    def between_s(self, first: Moment, last: Moment) -> float | None:
        """Return the seconds from one moment to a later one, or None if one of them did not happen in that order."""
        times = self.times
        if first not in times or last not in times or times[last] < times[first]:
            return None
        return times[last] - times[first]


@frozen
class CapacityPoint:
    """Capacity from a time on.

    Attributes:
        at_s: From when, in seconds since the epoch.
        useful: Instances that serve, proven and seen at every edge.
        existing: Instances that run, with traffic or without.
        floor: What was promised then.
        shares: Version → per mille of the traffic.
    """

    at_s: float
    useful: int
    existing: int
    floor: int
    shares: Mapping[str, int] = field(factory=dict)


@frozen
class CommandCount:
    """How often the world was asked for something.

    Attributes:
        count: Commands sent.
        errors: Of these, refused with an error.
        unknown: Of these, answered so that they may or may not have been applied.
        unanswered: Of these, without an answer on record: the deployer ended in between.
    """

    count: int
    errors: int
    unknown: int
    unanswered: int


@frozen(kw_only=True)
class Report:
    """The evidence of one deployment. Times are in seconds since the epoch.

    Attributes:
        service: The service's name.
        deployment: The id of the deployment. Nothing is written of one that had nothing to do: what such a call returns
            has the id of the last one on record, or none.
        actor: Who started it, as ``user@host:process id``.
        resumed_by: Who went on with it later, in order.
        strategy: What made the plan, in words.
        from_version: What served before; empty if nothing did.
        to_version: What was to serve.
        beside: What was to serve was put beside what serves, as a standby without traffic.
        first_ever: It is known that nothing of the service was ever deployed before.
        outcome: How it ended; None if there is no end on record.
        reason: Why it ended so.
        started_s: When it began.
        ended_s: When it ended, or when the last thing on record happened.
        replicas: How many instances the service wants.
        floor: What was agreed: no command makes useful capacity smaller than this, or than it already was.
        capacity_floor: The smallest useful capacity seen from start to end, in instances; None if it was never
            measured. Where nothing serves at the start it is 0.
        below_floor_s: For how many seconds useful capacity was below the floor.
        capacity: Every capacity seen, in order.
        stages: The stages that began, in order, those on the way back among them.
        actions: What each action came to, in the order in which they ended.
        instances: What happened to each instance, in the order in which they were first heard of.
        gates: The last verdict of every gate about every target.
        orders: What it was told on the way, by whom and when; and where it could not obey, why.
        commands: How often the world was asked for something.
        cut: Ids of the instances that were stopped with something still in flight, or when that was not known.
        unproven: What could not be proven on the way, one line each.
        warnings: What was found before anything was touched, one line each.
        events: What all of this was made from.
    """

    service: str
    deployment: str
    actor: str
    resumed_by: tuple[str, ...]
    strategy: str
    from_version: str
    to_version: str
    beside: bool = False
    first_ever: bool = False
    outcome: Outcome | None
    reason: str
    started_s: float
    ended_s: float
    replicas: int
    floor: int
    capacity_floor: int | None
    below_floor_s: float
    capacity: tuple[CapacityPoint, ...]
    stages: tuple[StageTimes, ...]
    actions: tuple[ActionResult, ...] = ()
    instances: tuple[InstanceTimes, ...]
    gates: tuple[GateStatus, ...]
    orders: tuple[Ordered, ...]
    commands: CommandCount
    cut: tuple[str, ...]
    unproven: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    events: tuple[Event, ...] = field(repr=False)

    @classmethod
    def of(cls, events: Iterable[Event], *, first_ever: bool = False) -> Report:
        """Return the report of one deployment from its events, oldest first, those of the way back among them.

        Args:
            events: All of its own, and no others.
            first_ever: Nothing of the service was ever deployed before, which they can't tell.

        Raises:
            ValueError: There are no events, or they are of more than one deployment.
        """
        everything = tuple(events)
        whose = sorted({(event.service, event.deployment) for event in everything})
        if len(whose) != 1:
            found = ", ".join(f"{service} {deployment}" for service, deployment in whose) or "none"
            raise ValueError(f"a report is of one deployment, but the events are of: {found}; group them first")
        status = fold(everything)
        plans = [event for event in everything if isinstance(event, DeploymentStarted)]
        floor = plans[0].plan.floor if plans else status.floor
        capacity = _capacity(everything)
        ended_s = everything[-1].at_s if status.ended_s is None else status.ended_s
        return cls(
            service=status.service,
            deployment=status.deployment,
            actor=plans[0].actor if plans else "",
            resumed_by=_others(plans),
            strategy=status.strategy,
            from_version=status.from_version,
            to_version=status.to_version,
            beside=status.beside,
            first_ever=first_ever,
            outcome=status.outcome,
            reason=status.reason or status.failure,
            started_s=everything[0].at_s,
            ended_s=ended_s,
            replicas=status.replicas,
            floor=floor,
            capacity_floor=min((point.useful for point in capacity), default=None),
            below_floor_s=_below_s(capacity, floor, ended_s),
            capacity=capacity,
            stages=_stages(everything),
            actions=_actions(everything),
            instances=_instances(everything, status.instances),
            gates=tuple(status.gates.values()),
            orders=tuple(event for event in everything if isinstance(event, Ordered)),
            commands=_commands(everything),
            cut=_cut(everything),
            unproven=status.unproven,
            warnings=tuple(dict.fromkeys(line for event in plans for line in event.plan.warnings)),
            events=everything,
        )

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""
        return max(0.0, self.ended_s - self.started_s)

    @property
    def succeeded(self) -> bool:
        """True if what was wanted serves now; also if it did already."""
        return self.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED)

    @property
    def first(self) -> bool:
        """True if nothing of this service served before."""
        return not self.from_version

    @property
    def summary(self) -> str:
        """The most important things on one line."""
        return summary_of(self)

    def __str__(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        """Return it on one line, for who has it shown without printing it."""
        return f"<Report {self.deployment} {self.summary}; print it to read it>"

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data that JSON can carry, without the events. Times are ISO 8601 in UTC."""
        return data_of(self)

    def _repr_html_(self) -> str:
        return (
            f"<div><strong>{html.escape(self.summary)}</strong>"
            f"<details><summary>Details</summary><pre>{html.escape(str(self))}</pre></details></div>"
        )


def _others(plans: Sequence[DeploymentStarted]) -> tuple[str, ...]:
    names = dict.fromkeys(event.actor for event in plans)
    return tuple(names)[1:]


def _capacity(events: Sequence[Event]) -> tuple[CapacityPoint, ...]:
    return tuple(
        CapacityPoint(event.at_s, event.useful, event.existing, event.floor, dict(event.shares))
        for event in events
        if isinstance(event, CapacityChanged)
    )


def _below_s(capacity: Sequence[CapacityPoint], floor: int, ended_s: float) -> float:
    ends = [*(point.at_s for point in capacity[1:]), ended_s]
    return sum(
        max(0.0, end_s - point.at_s) for point, end_s in zip(capacity, ends, strict=False) if point.useful < floor
    )


def _stages(events: Sequence[Event]) -> tuple[StageTimes, ...]:
    """Pair each stage's beginning with its end, which is that of the last one entered under that number."""
    stages: list[StageTimes] = []
    for event in events:
        if isinstance(event, StageEntered):
            stages.append(StageTimes(event.stage + 1, event.title, event.direction, event.at_s))
        elif isinstance(event, StagePassed | StageFailed):
            places = [place for place, stage in enumerate(stages) if stage.number == event.stage + 1]
            if not places:
                continue
            stage = stages[places[-1]]
            if isinstance(event, StagePassed):
                stages[places[-1]] = evolve(stage, passed_s=event.at_s)
            else:
                stages[places[-1]] = evolve(stage, failed_s=event.at_s, reason=event.reason)
    return tuple(stages)


def _actions(events: Sequence[Event]) -> tuple[ActionResult, ...]:
    ended = [event for event in events if isinstance(event, ActionEnded)]
    return tuple(ActionResult(event.action, event.at_s, event.succeeded, event.note) for event in ended)


def _instances(events: Sequence[Event], known: Mapping[str, InstanceStatus]) -> tuple[InstanceTimes, ...]:
    moves: dict[str, list[InstanceMoved]] = {}
    for event in events:
        if isinstance(event, InstanceMoved):
            moves.setdefault(event.instance, []).append(event)
    return tuple(
        InstanceTimes(
            instance,
            own[-1].cell,
            own[-1].version,
            _moments(own),
            next((move.note for move in reversed(own) if move.note), ""),
            known[instance].found,
        )
        for instance, own in moves.items()
    )


def _moments(moves: Sequence[InstanceMoved]) -> tuple[tuple[Moment, float], ...]:
    """Leave out beginnings that a later deployer tells again: an id is never used twice."""
    kept: list[tuple[Moment, float]] = []
    for move in moves:
        again = move.moment in (Moment.LAUNCHED, Moment.READY) and any(move.moment is moment for moment, _ in kept)
        if not again:
            kept.append((move.moment, move.at_s))
    return tuple(kept)


def _commands(events: Sequence[Event]) -> CommandCount:
    answers = [event for event in events if isinstance(event, CommandAnswered)]
    sent = sum(isinstance(event, CommandIntended) for event in events)
    return CommandCount(
        sent,
        sum(bool(answer.error) and not answer.unknown for answer in answers),
        sum(answer.unknown for answer in answers),
        max(0, sent - len(answers)),
    )


def _cut(events: Sequence[Event]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for event in events:
        if isinstance(event, InstanceMoved) and event.moment is Moment.CUT:
            found[event.instance] = None
        elif isinstance(event, CommandIntended) and isinstance(event.command, Retire):
            found.update(dict.fromkeys(event.command.cut))
    return tuple(found)
