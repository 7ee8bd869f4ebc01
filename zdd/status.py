"""How things stand: the fold of the events so far. Every display is a pure function of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from zdd.events import (
    ActionEnded,
    CapacityChanged,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Ordered,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
    Waited,
)
from zdd.model.command import Route
from zdd.model.evolve import evolve
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction
from zdd.model.verdict import Result

GONE = frozenset({Moment.STOPPED, Moment.LOST})
"""The moments after which an instance is no more."""

_BEGINNING = frozenset({Moment.LAUNCHED, Moment.READY, Moment.PROVEN})
_ORDER = {moment: place for place, moment in enumerate(Moment)}


@frozen(slots=False)
class InstanceStatus:
    """How one instance stands.

    Attributes:
        id: Its id.
        cell: Its cell.
        version: What it runs.
        moment: The last thing that happened to it. An instance that is found with traffic and proves itself then stays
            in traffic.
        since_s: When that was, in seconds since the epoch.
        note: Why, or what is known about it.
        found: It ran already when the deployment began.
    """

    id: str
    cell: str
    version: str
    moment: Moment
    since_s: float
    note: str = ""
    found: bool = False


@frozen(slots=False)
class GateStatus:
    """The last verdict of one gate about one target.

    Attributes:
        gate: The gate, in words.
        target: An instance's id, or the service's name for a stage's gate.
        result: The verdict.
        since_s: When it came to it, in seconds since the epoch.
        reason: Why.
        figures: The numbers behind it.
    """

    gate: str
    target: str
    result: Result
    since_s: float
    reason: str = ""
    figures: Mapping[str, float] = field(factory=dict)


@frozen(slots=False, kw_only=True)
class Status:
    """How the deployment of one service stands. Times are in seconds since the epoch.

    Attributes:
        service: The service's name; empty before the first event.
        deployment: The id of the deployment.
        actor: Who runs it, as ``user@host:process id``.
        strategy: What made the plan, in words.
        from_version: What served before; empty if nothing did.
        to_version: What is to serve.
        beside: What is to serve is put beside what serves, as a standby without traffic.
        direction: Forward, or back after a failure.
        stage: Number of the current stage, from 1; 0 before the first.
        stages: How many stages the plan has.
        title: The current stage's title.
        replicas: How many instances the service wants.
        useful: How many instances serve, proven and seen at every edge; None if not measured yet.
        existing: How many run, with traffic or without; None if not measured yet.
        floor: What is promised.
        ceiling: How many may exist at once.
        shares: Version → per mille of the traffic.
        instances: By id, in the order in which they were first heard of. Those that are gone stay until the next
            deployment begins.
        gates: The last verdict by gate and target.
        touched: A command that starts or stops instances was sent.
        waiting_for: What the deployment waits for, most important first; empty if for nothing.
        waiting_until_s: When it stops waiting.
        problem: What the world last said when it refused a command; empty once a command was accepted or
            a stage was passed.
        paused: The order by which it is paused; None: it is not.
        promoted: The order by which this stage is not held any longer; None: there is none.
        aborted: The order by which it is taken back, or frozen; None: there is none.
        failure: Why a stage failed; empty if none did.
        started_s: When the deployment began.
        updated_s: When the last event happened.
        ended_s: When it ended; None while it runs.
        outcome: How it ended; None while it runs.
        reason: Why it ended so.
        unproven: What could not be proven on the way.
    """

    service: str = ""
    deployment: str = ""
    actor: str = ""
    strategy: str = ""
    from_version: str = ""
    to_version: str = ""
    beside: bool = False
    direction: Direction = Direction.FORWARD
    stage: int = 0
    stages: int = 0
    title: str = ""
    replicas: int = 0
    useful: int | None = None
    existing: int | None = None
    floor: int = 0
    ceiling: int = 0
    shares: Mapping[str, int] = field(factory=dict)
    instances: Mapping[str, InstanceStatus] = field(factory=dict)
    gates: Mapping[tuple[str, str], GateStatus] = field(factory=dict)
    touched: bool = False
    waiting_for: tuple[str, ...] = ()
    waiting_until_s: float | None = None
    problem: str = ""
    paused: Order | None = None
    promoted: Order | None = None
    aborted: Order | None = None
    failure: str = ""
    started_s: float = 0.0
    updated_s: float = 0.0
    ended_s: float | None = None
    outcome: Outcome | None = None
    reason: str = ""
    unproven: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """True from the first event of a deployment to its end."""
        return bool(self.deployment) and self.outcome is None

    def elapsed_s(self, now_s: float) -> float:
        """Return for how long the deployment has run at `now_s`, or ran if it ended, in seconds."""
        return max(0.0, (now_s if self.ended_s is None else self.ended_s) - self.started_s)

    def after(self, event: Event) -> Status:
        """Return how things stand after `event`. An event of another deployment begins anew and keeps what runs."""
        base = self
        if (event.service, event.deployment) != (self.service, self.deployment):
            base = self._next(event)
        return evolve(base, updated_s=event.at_s, **_changes(base, event))

    def _next(self, event: Event) -> Status:
        same = event.service == self.service
        alive = {key: evolve(one, found=True) for key, one in self.instances.items() if one.moment not in GONE}
        return Status(
            service=event.service,
            deployment=event.deployment,
            started_s=event.at_s,
            instances=alive if same else {},
            useful=self.useful if same else None,
            existing=self.existing if same else None,
            shares=self.shares if same else {},
        )


def fold(events: Iterable[Event]) -> Status:
    """Return how things stand after these events, oldest first: the same as `Status.after` of each in turn."""
    status, at_s = Status(), 0.0
    instances: dict[str, InstanceStatus] = {}
    gates: dict[tuple[str, str], GateStatus] = {}
    for event in events:
        at_s = event.at_s
        known = (event.service, event.deployment) == (status.service, status.deployment)
        # The two kinds of which there are as many as instances: written in place, for nobody has seen these dicts yet.
        if known and isinstance(event, InstanceMoved):
            instances[event.instance] = _moved(status, event)
        elif known and isinstance(event, GateJudged):
            gates[event.gate, event.target] = _judged(event)
        else:
            status = status.after(event)
            if not known:
                instances, gates = dict(status.instances), dict(status.gates)
                status = evolve(status, instances=instances, gates=gates)
    return evolve(status, updated_s=at_s)


NOT_WAITING: dict[str, Any] = {"waiting_for": (), "waiting_until_s": None}


def _changes(status: Status, event: Event) -> dict[str, Any]:
    """Return what an event changes, by attribute."""
    match event:
        case DeploymentStarted():
            return _started(status, event)
        case StageEntered():
            return {
                "stage": event.stage + 1,
                "stages": event.stages,
                "title": event.title,
                "direction": event.direction,
                "promoted": None,
                **NOT_WAITING,
            }
        case StagePassed():
            return {**NOT_WAITING, "problem": ""}
        case StageFailed():
            return {**NOT_WAITING, "failure": event.reason}
        case ActionEnded():
            note = f"{event.action}: {event.note}" if event.note else event.action
            return {} if event.succeeded else {"problem": f"action failed: {note}"}
        case CommandAnswered():
            return {"problem": event.error}
        case InstanceMoved():
            return {"instances": {**status.instances, event.instance: _moved(status, event)}}
        case CommandIntended(command=command):
            return {} if isinstance(command, Route) else {"touched": True}
        case Ordered():
            return {} if event.note else _ordered(event.order)
        case GateJudged():
            return {"gates": {**status.gates, (event.gate, event.target): _judged(event)}}
        case CapacityChanged():
            shares = dict(event.shares)
            return {"useful": event.useful, "existing": event.existing, "floor": event.floor, "shares": shares}
        case Waited():
            return {"waiting_for": event.reasons, "waiting_until_s": event.until_s if event.reasons else None}
        case DeploymentEnded():
            ended = {"ended_s": event.at_s, "outcome": event.outcome, "reason": event.reason}
            return {**NOT_WAITING, **ended, "unproven": event.unproven}
    return {}


def _ordered(order: Order) -> dict[str, Any]:
    match order.kind:
        case OrderKind.PAUSE:
            return {"paused": order}
        case OrderKind.RESUME:
            return {"paused": None}
        case OrderKind.PROMOTE:
            return {"promoted": order}
        case OrderKind.ABORT:
            return {"aborted": order}


def _judged(event: GateJudged) -> GateStatus:
    return GateStatus(event.gate, event.target, event.result, event.at_s, event.reason, event.figures)


def _moved(status: Status, event: InstanceMoved) -> InstanceStatus:
    known = status.instances.get(event.instance)
    if known is not None and event.moment in _BEGINNING and _ORDER[known.moment] > _ORDER[event.moment]:
        return known
    begins = event.moment is Moment.LAUNCHED
    found = (not begins or not status.touched) if known is None else known.found
    return InstanceStatus(event.instance, event.cell, event.version, event.moment, event.at_s, event.note, found)


def _started(status: Status, event: DeploymentStarted) -> dict[str, Any]:
    """Begin, go back, or go on after an interruption: the last two keep what is known and who started it."""
    plan = event.plan
    again = bool(status.to_version)
    return {
        "actor": event.actor,
        "strategy": status.strategy if again else plan.strategy,
        "from_version": status.from_version if again else event.from_version,
        "to_version": status.to_version if again else event.to_version,
        "beside": status.beside if again else plan.beside,
        "direction": plan.direction,
        "stage": 0,
        "stages": len(plan.stages),
        "title": "",
        "paused": None,
        "promoted": None,
        "replicas": plan.service.replicas,
        "floor": plan.floor,
        "ceiling": plan.ceiling,
        "ended_s": None,
        "outcome": None,
        "reason": "",
        **NOT_WAITING,
    }
