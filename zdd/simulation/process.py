"""A deployer's process, and what it saw last, as whoever watches it knows them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from zdd.events import Event
from zdd.model.plan import Direction, Plan


@frozen(slots=False)
class Look:
    """What was true when a deployer looked last.

    Attributes:
        at_s: When.
        surely: Instances that served, and had been well for long enough for everybody to know.
        maybe: Those that served as far as anybody could know.
        weights: Instance → weight, as discovery knew it.
        deaf: Edge → since when it could not be asked.
        held: Whether discovery held requests back.
        stale: The orchestrator showed an old list, or one that lacked an instance.
        sizes: Cell → how many instances it may come to have, with what was told to start since.
    """

    at_s: float
    surely: frozenset[str]
    maybe: frozenset[str]
    weights: Mapping[str, int]
    deaf: Mapping[str, float]
    held: bool
    stale: bool
    sizes: Mapping[str, int]


@define(eq=False)
class Process:
    """A deployer's process, as the watch knows it.

    Attributes:
        number: The later one has the greater.
        plan: What it follows now.
        stage: In which stage it is.
        passed: How many stages have passed.
        look: What it could see last.
        in_doubt_s: Until when a request of its may still take effect.
        told: Cell, or nothing for discovery → the last command and when it was sent.
        plans: Every plan that it began.
        events: Everything it said.
        idle_before: The instances that had no traffic when its first plan began.
        last_key: Of what it told last.
        commands: How many commands it has sent.
        interfered: A person changed something since its plan began.
        back: It takes a deployment back.
        ordered_pause: It was paused by an order, and not resumed yet.
        unwritten: It has heard that an event may not be written down.
        old_died: Since its plan began, or just then, something that it did not start was not well.
        claimed: It has taken the lease.
        looked: It has claimed its place, and looked.
        killed: It was, and does nothing any more.
        ended: It has come to its end.
        paused_s: Until when it stands still.
    """

    number: int
    plan: Plan | None = None
    stage: int = 0
    passed: int = 0
    look: Look | None = None
    in_doubt_s: float = 0.0
    told: dict[str, tuple[object, float]] = field(factory=dict)
    plans: list[Plan] = field(factory=list)
    events: list[Event] = field(factory=list)
    idle_before: frozenset[str] = frozenset()
    last_key: str = ""
    commands: int = 0
    interfered: bool = False
    back: bool = False
    ordered_pause: bool = False
    unwritten: bool = False
    old_died: bool = False
    claimed: bool = False
    looked: bool = False
    killed: bool = False
    ended: bool = False
    paused_s: float = 0.0

    @property
    def forward(self) -> bool:
        """Whether its plan goes forward."""
        return self.plan is not None and self.plan.direction is Direction.FORWARD
