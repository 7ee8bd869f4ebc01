"""What happened, as frozen values in the past tense. The journal keeps them; their fold is the status and the report.

Every event says when (`at_s`, seconds since the epoch), to which service and in which deployment. An event of a command
is written twice: `CommandIntended` before it is sent, `CommandAnswered` after.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import field, frozen

from zdd.model.command import Command
from zdd.model.order import Order
from zdd.model.plan import Direction, Plan
from zdd.model.verdict import Result


class Outcome(enum.Enum):
    """How a deployment ended. There is no other way for one to end."""

    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    ROLLED_BACK = "rolled back"
    FROZEN = "frozen"
    STUCK = "stuck"
    INTERRUPTED = "interrupted"


class Moment(enum.Enum):
    """What can happen to one instance, in the safe order."""

    LAUNCHED = "launched"
    READY = "ready"
    PROVEN = "proven"
    ADMITTED = "admitted"
    SEEN = "seen"
    OUT = "out"
    SEEN_GONE = "seen gone"
    IDLE = "idle"
    CUT = "cut"
    STOPPED = "stopped"
    LOST = "lost"


@frozen(kw_only=True)
class Event:
    """What every event says."""

    at_s: float
    service: str
    deployment: str


@frozen(kw_only=True)
class DeploymentStarted(Event):
    """A plan began: forward, or back after a failure.

    Attributes:
        plan: All of it.
        from_version: What served until then; empty if nothing did.
        to_version: What is to serve.
        actor: Who started it, as ``user@host:process id``.
        strategy: The strategy object that made the plan, so that another process can ask it again; None going back.
        edges: The names of the edges that were watched; none for a service without ways in.
    """

    plan: Plan
    from_version: str
    to_version: str
    actor: str
    strategy: object = None
    edges: tuple[str, ...] = ()


@frozen(kw_only=True)
class StageEntered(Event):
    """A stage of the plan began."""

    stage: int
    stages: int
    title: str
    direction: Direction = Direction.FORWARD


@frozen(kw_only=True)
class CommandIntended(Event):
    """The command is about to be sent. Written before it is."""

    number: int
    command: Command


@frozen(kw_only=True)
class CommandAnswered(Event):
    """The command was answered.

    Attributes:
        number: That of the intention.
        error: Empty, or what the world said.
        unknown: True if it may or may not have been applied.
    """

    number: int
    error: str = ""
    unknown: bool = False


@frozen(kw_only=True)
class InstanceMoved(Event):
    """Something happened to an instance.

    Attributes:
        instance: Its id.
        cell: Its cell.
        version: What it runs.
        moment: What happened.
        note: Why, or what is known about it.
    """

    instance: str
    cell: str
    version: str
    moment: Moment
    note: str = ""


@frozen(kw_only=True)
class GateJudged(Event):
    """A gate's verdict changed.

    Attributes:
        gate: The gate, in words.
        target: The instance's id, or the service's name for a stage's gate.
        result: The verdict.
        reason: Why.
        figures: The numbers behind it.
    """

    gate: str
    target: str
    result: Result
    reason: str = ""
    figures: Mapping[str, float] = field(factory=dict)


@frozen(kw_only=True)
class ActionEnded(Event):
    """An action of a stage came to its end."""

    stage: int
    action: str
    succeeded: bool
    note: str = ""


@frozen(kw_only=True)
class CapacityChanged(Event):
    """How many instances serve changed.

    Attributes:
        useful: Ready, proven, and seen with traffic at every edge.
        existing: All that run, with traffic or without.
        floor: What is promised.
        shares: Version → per mille of the traffic.
    """

    useful: int
    existing: int
    floor: int
    shares: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True)
class Waited(Event):
    """What the deployment waits for changed. Shown, not kept in the journal.

    Attributes:
        reasons: What it waits for, most important first.
        until_s: When it stops waiting, in seconds since the epoch.
    """

    reasons: tuple[str, ...]
    until_s: float


@frozen(kw_only=True)
class Ordered(Event):
    """Somebody told the deployment what to do, and it took note.

    Attributes:
        order: What was ordered, by whom and when.
        note: Empty: it is obeyed. Otherwise why it has no effect.
    """

    order: Order
    note: str = ""


@frozen(kw_only=True)
class StagePassed(Event):
    """A stage's traffic is where it should be and its gates have passed. Nothing of it is taken back by itself."""

    stage: int
    title: str


@frozen(kw_only=True)
class StageFailed(Event):
    """A stage failed; what follows is its `on_failure`."""

    stage: int
    title: str
    reason: str


@frozen(kw_only=True)
class DeploymentEnded(Event):
    """The end, with its name.

    Attributes:
        outcome: How.
        reason: Why, in words.
        unproven: What could not be proven on the way, one line each.
    """

    outcome: Outcome
    reason: str = ""
    unproven: tuple[str, ...] = ()


@frozen(kw_only=True)
class StackStarted(Event):
    """The services of a stack began to be deployed. Its record is kept under the name ``stack:`` and the stack's.

    Attributes:
        services: The names of its services, in the order in which they are deployed.
        actor: Who started it, as ``user@host:process id``.
    """

    services: tuple[str, ...]
    actor: str


@frozen(kw_only=True)
class StackStep(Event):
    """One service of a stack is about to be deployed.

    Attributes:
        name: The service's name.
        origin: The deployment after which it serves what it serves now; empty: nothing of it does.
    """

    name: str
    origin: str


@frozen(kw_only=True)
class StackEnded(Event):
    """The end of a stack's deployment, with its name.

    Attributes:
        outcome: How.
        reason: Why, in words.
    """

    outcome: Outcome
    reason: str = ""
