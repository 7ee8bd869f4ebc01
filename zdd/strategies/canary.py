"""`Canary`: a growing share of the traffic, judged at every step."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.cell import Cell
from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_number
from zdd.model.plan import Goal, OnFailure, Stage, to_on_failure
from zdd.model.traffic import FULL_SHARE
from zdd.strategies.blue_green import beside, green_cells, only_sizes, refuse_forbidden_overlap
from zdd.strategies.joined import join, join_after
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Situation, split


def _steps(value: Iterable[int]) -> tuple[int, ...]:
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"steps of Canary are {value!r}: use a list of percentages, such as (5, 25, 50, 100)")
    return tuple(value)


@frozen
class Canary:
    """Give the new revision a growing share of the traffic, and judge it at every step.

    At each step as many new instances run as its share of the service's replicas needs, at least one.

    Attributes:
        steps: Percent of the traffic at each step, rising, ending with 100.
        gates: What must pass under traffic at every step.
        hold_s: Seconds that each step but the last lasts.
        on_failure: What a failure means.
    """

    steps: tuple[int, ...] = field(default=(5, 25, 50, 100), converter=_steps)
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    hold_s: float = field(default=60.0, kw_only=True)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    def __attrs_post_init__(self) -> None:
        for step in self.steps:
            check_number("a step of Canary", step, least=1, most=100, whole=True)
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or self.steps[-1] != 100 or not rising:
            raise ConfigurationError(
                f"steps of Canary are {self.steps}: use rising percentages that end with 100, such as (5, 25, 50, 100)"
            )
        check_number("hold_s of Canary", self.hold_s, least=0)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"Canary(steps={self.steps}, hold_s={self.hold_s:g})"

    def surge(self, situation: Situation) -> int:
        """Return as many as the service has: at the last step both revisions are whole."""
        if not situation.outdated():
            return RollingUpdate().surge(situation)
        return beside(situation)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return: a stage for each step; then the old revision goes."""
        refuse_forbidden_overlap("Canary", situation)
        if not situation.outdated():
            return only_sizes(situation, self.gates, self.on_failure)
        rising, leaving = green_cells(situation)
        falling = [*situation.outdated(), *leaving]
        stages = [self._step(situation, step, rising, falling) for step in self.steps]
        goals = tuple(situation.gone(cell) for cell in falling)
        return (*stages, Stage("retire the old revision", goals, deadline_s=situation.deadline_s))

    def _step(self, situation: Situation, percent: int, rising: list[Goal], falling: list[Cell]) -> Stage:
        needed = max(1, -(-situation.service.replicas * percent // 100))
        there = {cell.name: cell.replicas for cell in situation.current()}
        sizes: list[tuple[str, int]] = []
        for goal in rising:
            count = max(min(goal.replicas, needed), min(goal.replicas, there.get(goal.cell, 0)))
            needed -= min(count, needed)
            if count:
                sizes.append((goal.cell, count))
        if percent == 100:
            goals = [situation.serve(name, count) for name, count in sizes]
        else:
            shares = split(FULL_SHARE * percent // 100, [count for _, count in sizes])
            goals = [
                Goal(name, situation.target.id, count, share)
                for (name, count), share in zip(sizes, shares, strict=True)
            ]
        left = split(FULL_SHARE * (100 - percent) // 100, [cell.replicas for cell in falling])
        goals += [
            Goal(cell.name, cell.revision, cell.replicas, share) for cell, share in zip(falling, left, strict=True)
        ]
        hold_s = self.hold_s if percent < 100 else 0.0
        return Stage(
            f"{percent} % of the traffic",
            tuple(goals),
            gates=self.gates,
            hold_s=hold_s,
            deadline_s=situation.deadline_s + hold_s,
            on_failure=self.on_failure,
        )
