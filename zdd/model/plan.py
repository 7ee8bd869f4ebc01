"""A plan: what would happen, as plain data, before anything does."""

from __future__ import annotations

import enum
import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from zdd.errors import ConfigurationError
from zdd.model.action import Action, action_tuple
from zdd.model.address import Address
from zdd.model.cached import cached_property
from zdd.model.gate import Gate, gate_tuple
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.names import check_number, choice_of
from zdd.model.release import Revision
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.traffic import CellShare, TrafficIntent
from zdd.wording import count

if TYPE_CHECKING:
    from zdd.simulation.rehearsal import Rehearsal, Startup

GOALS_KEPT = 4
"""Of how many stages a plan remembers what its cells should be at their end."""


class OnFailure(enum.Enum):
    """What a stage's failure means.

    `RETREAT` goes back to where the deployment came from. `FREEZE` stops in place and leaves the rest to a person:
    for what can't be undone.
    """

    RETREAT = "retreat"
    FREEZE = "freeze"


def to_on_failure(value: object) -> OnFailure:
    """Return it as what a failure means: what attrs classes convert their ``on_failure`` with."""
    return choice_of("on_failure", OnFailure, value)


@frozen
class Goal:
    """What one cell should be at the end of a stage.

    Attributes:
        cell: The cell's name.
        revision: The id of the revision it should run.
        replicas: How many instances. 0: the cell is retired, after the stage's traffic is where it should be.
        share: How much of the service's traffic, relative to the other cells. 0: up, but without traffic.
        in_place: So far only, while the others serve and have their part of the share. None: all at once, without
            traffic.
    """

    cell: str
    revision: str
    replicas: int
    share: int
    in_place: InPlace | None = None


def _goals(value: Any) -> tuple[Goal, ...]:
    found = tuple(value) if isinstance(value, Iterable) else (value,)
    for goal in found:
        if not isinstance(goal, Goal) or not isinstance(value, Iterable):
            raise ConfigurationError(f"goals={value!r} of a stage: use a list of zdd.Goal objects")
    return found


@frozen
class Stage:
    """A step of a plan, stated as what changes against the stage before it.

    Inside a stage the order is fixed, and is the reconciler's: what is new starts and proves itself, traffic shifts
    when every edge shows it, gates judge while the hold time passes, and what has no traffic any more is retired.

    Attributes:
        title: One line for a person.
        goals: The cells that change.
        gates: What must pass, judged while the stage's traffic flows. A gate that fails ends the stage at once.
        actions: What is done before anything else in this stage.
        hold_s: How long the stage's traffic flows, in seconds, before the next stage begins.
        deadline_s: Seconds within which the stage must be passed, hold time included.
        on_failure: What a failure means.
        held: Requests are held back at the edges until the stage's instances are ready.
        stopped: The actions are done while nothing of the service runs: everything is drained and stopped first. Only
            where overlap is forbidden.
        warm: What runs of the target already goes on running when everything else stops, and gets its traffic when
            nothing else runs any more.
    """

    title: str
    goals: tuple[Goal, ...] = field(default=(), converter=_goals)
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    actions: tuple[Action, ...] = field(default=(), kw_only=True, converter=action_tuple)
    hold_s: float = field(default=0.0, kw_only=True)
    deadline_s: float = field(default=600.0, kw_only=True)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)
    held: bool = field(default=False, kw_only=True)
    stopped: bool = field(default=False, kw_only=True)
    warm: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_number(f"hold_s of stage {self.title!r}", self.hold_s, least=0)
        check_number(f"deadline_s of stage {self.title!r}", self.deadline_s, least=0)


class Direction(enum.Enum):
    """Whether a plan goes forward, or takes a failed deployment back."""

    FORWARD = "forward"
    BACK = "back"


@frozen(slots=False)
class Plan:
    """What would happen, as plain data.

    Attributes:
        service: How the service wants to be treated while the plan runs.
        target: The id of the revision that runs at the end.
        revisions: Every revision that has a part in it, whole, by id: going back may have to launch the old one.
        origin: The cells as they were when the plan was made.
        retreat: The cells as they are to be again if the deployment is taken back: where it came from, which for a
            deployment that is resumed is not what was found.
        stages: What happens, in order.
        floor: No command makes useful capacity smaller than this, or than it already is.
        ceiling: At no time do more instances than this exist, besides those that were told to stop.
        entrances: Port name → the stable address at which clients reach the service.
        exposures_before: The ways in as they were, for going back; None: as they are.
        strategy: What made the plan, in words.
        direction: Forward, or back.
        holds: Every edge can hold requests back.
        stated: The service as its user stated it, where it is treated in another way while the plan runs; None: as it
            is.
        warnings: What was found beforehand that does not refuse the deployment, one line each.
        beside: The target is put beside what serves, and gets no traffic.
    """

    service: Service
    target: str
    revisions: Mapping[str, Revision]
    origin: tuple[Goal, ...]
    stages: tuple[Stage, ...]
    floor: int
    ceiling: int
    entrances: Mapping[str, Address] = field(factory=dict)
    retreat: tuple[Goal, ...] = ()
    exposures_before: tuple[Exposure, ...] | None = None
    strategy: str = ""
    direction: Direction = Direction.FORWARD
    warnings: tuple[str, ...] = ()
    holds: bool = False
    stated: Service | None = None
    beside: bool = False

    @property
    def agreed(self) -> Service:
        """The service as its user stated it."""
        return self.stated if self.stated is not None else self.service

    def __str__(self) -> str:
        """Return the plan for a person to read, before anything happens."""
        from zdd.model.plan_text import plan_text  # it knows plans, so it can only be known when one is shown

        return plan_text(self)

    def __repr__(self) -> str:
        """Return it on one line, for who has it shown without printing it."""
        from zdd.model.plan_text import plan_title

        return f"<Plan {plan_title(self)}, {count(len(self.stages), 'stage')}; print it to read it>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def rehearse(
        self,
        *,
        startup: Startup = 1.0,
        failure_rate: float = 0.0,
        replicas: int | None = None,
        seeds: int | Iterable[int] = 100,
    ) -> Rehearsal:
        """Play the plan many times, in memory and in virtual time: see `zdd.simulation.rehearse`."""
        from zdd.simulation.rehearsal import rehearse  # it stands above everything that can carry out a plan

        return rehearse(self, startup=startup, failure_rate=failure_rate, replicas=replicas, seeds=seeds)

    def final(self) -> tuple[Goal, ...]:
        """Return what every cell should be when the plan has ended."""
        goals = self.goals_at(len(self.stages) - 1).values()
        return tuple(evolve(goal, in_place=None) for goal in goals)  # how it came to be so is of no matter then

    def goals_at(self, stage: int) -> Mapping[str, Goal]:
        """Return what every cell should be at the end of stage number `stage`; -1 is where the plan comes from."""
        number = min(max(stage, -1), len(self.stages) - 1)
        goals = self._goals.get(number)
        if goals is None:
            before = self._goals.get(number - 1)  # stages are asked for one after the other
            goals = dict(before) if before is not None else {goal.cell: goal for goal in self.origin}
            for step in self.stages[number if before is not None else 0 : number + 1]:
                goals.update((goal.cell, goal) for goal in step.goals)
            while len(self._goals) >= GOALS_KEPT:
                del self._goals[next(iter(self._goals))]
            self._goals[number] = goals
        return goals

    @cached_property
    def _goals(self) -> dict[int, dict[str, Goal]]:
        return {}


def traffic_intent(service: Service, goals: Iterable[Goal]) -> TrafficIntent:
    """Return where traffic is meant to go when every cell is what these goals say."""
    cells = {
        goal.cell: CellShare(goal.revision, goal.replicas, goal.share, goal.in_place is not None) for goal in goals
    }
    return TrafficIntent(service.name, tuple(exposure.port for exposure in service.exposures), cells)


def check_plan(plan: Plan) -> Plan:
    """Return the plan if it can be carried out.

    Raises:
        ConfigurationError: A stage names an unknown revision, states a cell twice, ends below the floor, needs more
            instances than the ceiling, sends traffic to nothing, or the plan does not end with the target alone.
    """
    before = plan.goals_at(-1)
    for number, stage in enumerate(plan.stages):
        after = plan.goals_at(number)
        where = f"stage {number + 1} ({stage.title!r}) of {plan.strategy or 'the plan'} for {plan.service.name}"
        if stage.stopped and plan.service.overlap is Overlap.ALLOWED:
            raise ConfigurationError(f"{where} stops everything first: that needs overlap='forbidden'")
        if len({goal.cell for goal in stage.goals}) < len(stage.goals):
            names = [goal.cell for goal in stage.goals]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError(f"{where} states {twice} twice: give each cell one goal")
        for goal in stage.goals:
            check_number(f"replicas of {goal.cell} in {where}", goal.replicas, least=0, whole=True)
            check_number(f"share of {goal.cell} in {where}", goal.share, least=0, whole=True)
            if goal.revision not in plan.revisions:
                raise ConfigurationError(f"{where} wants unknown revision {goal.revision!r} in cell {goal.cell}")
            if goal.share and not goal.replicas:
                raise ConfigurationError(f"{where} sends traffic to {goal.cell}, which has no replicas then")
            _check_in_place(goal, before.get(goal.cell), plan, where)
        replaced = [goal.in_place for goal in stage.goals if goal.in_place is not None]
        capacity = sum(goal.replicas for goal in after.values() if goal.share) - sum(one.batch for one in replaced)
        if capacity < plan.floor:
            raise ConfigurationError(
                f"{where} leaves {capacity} instances with traffic, below the floor of {plan.floor}"
            )
        most = peak(before, after)
        most += sum(one.batch for one in replaced if one.order is UpdateOrder.START_FIRST)
        if plan.service.overlap is Overlap.ALLOWED and most > plan.ceiling:
            raise ConfigurationError(f"{where} needs {most} instances at once, above the ceiling of {plan.ceiling}")
        before = after
    left = [goal for goal in before.values() if goal.replicas and not _ended(goal, plan)]
    if plan.direction is Direction.FORWARD and left and not plan.beside:
        raise ConfigurationError(
            f"{plan.strategy or 'the plan'} for {plan.service.name} does not end with its target alone: "
            + ", ".join(f"{goal.cell} keeps {goal.replicas} of {goal.revision} at share {goal.share}" for goal in left)
            + ": add a strategy that does, such as + RollingUpdate()"
        )
    return plan


def _ended(goal: Goal, plan: Plan) -> bool:
    whole = goal.in_place is None or goal.in_place.changed == goal.replicas
    return goal.revision == plan.target and bool(goal.share) and whole


def _check_in_place(goal: Goal, before: Goal | None, plan: Plan, where: str) -> None:
    if goal.in_place is None:
        return
    if plan.service.overlap is Overlap.FORBIDDEN:
        raise ConfigurationError(f"{where} has two revisions of {goal.cell} side by side, but overlap is forbidden")
    if goal.in_place.changed > goal.replicas:
        raise ConfigurationError(f"{where} changes {goal.in_place.changed} instances of {goal.cell}, which has fewer")
    if before is None or before.replicas != goal.replicas:
        raise ConfigurationError(
            f"{where} replaces instances of {goal.cell} in place, which does not have {goal.replicas} instances "
            "before: change the number in a stage of its own"
        )


def peak(before: Mapping[str, Goal], after: Mapping[str, Goal]) -> int:
    """Return how many instances exist at most between two stages, if each cell is the larger of what it is in both."""
    return sum(max(a.replicas, b.replicas) for a, b in _pairs(before, after))


def _pairs(before: Mapping[str, Goal], after: Mapping[str, Goal]) -> list[tuple[Goal, Goal]]:
    names = sorted({*before, *after})
    return [(before.get(name, Goal(name, "", 0, 0)), after.get(name, Goal(name, "", 0, 0))) for name in names]
