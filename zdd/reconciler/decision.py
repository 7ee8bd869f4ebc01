"""What `reconcile` answers."""

from __future__ import annotations

from attrs import field, frozen

from zdd.model.action import Action
from zdd.model.command import Command
from zdd.model.gate import Gate, Target
from zdd.reconciler.guard import Refusal
from zdd.reconciler.memory import Memory
from zdd.reconciler.progress import Passed, TrafficReached


@frozen
class Ask:
    """A gate is to look at a target, beside the driver.

    Attributes:
        key: Which gate, as the progress knows it.
        gate: The gate.
        target: What it looks at.
    """

    key: str
    gate: Gate
    target: Target


@frozen
class Perform:
    """An action of the stage is to run, beside the driver."""

    number: int
    action: Action


@frozen(slots=False)
class Decision:
    """What may be done now, or what is awaited.

    Attributes:
        commands: To be sent, in this order. They are safe together.
        asks: Gates that are due.
        perform: An action that is due.
        mark: Something about the plan that has become true.
        failed: Why the stage has failed; empty: it has not.
        finished: Everything is as the plan wants it, and nothing is left to clear away.
        waits: What is awaited, most important first.
        until_s: When to decide again at the latest, in seconds since the epoch.
        complete: Cells that have all their instances, proven.
        useful: How many instances serve for certain; None while one that seems to serve was not looked at yet.
        existing: How many instances exist.
        memory: What was derived for this, for the next decision.
    """

    commands: tuple[Command, ...] = ()
    asks: tuple[Ask, ...] = ()
    perform: Perform | None = None
    mark: TrafficReached | Passed | None = None
    failed: str = ""
    finished: bool = False
    waits: tuple[Refusal, ...] = ()
    until_s: float = 0.0
    complete: tuple[str, ...] = ()
    useful: int | None = None
    existing: int = 0
    memory: Memory | None = field(default=None, eq=False, repr=False)
