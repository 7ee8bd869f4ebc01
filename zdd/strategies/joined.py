"""`Joined`: strategies one after the other, in one plan with one verdict. `+` makes it."""

from __future__ import annotations

from typing import Any

from attrs import evolve, field, frozen

from zdd.errors import ConfigurationError
from zdd.model.names import list_of
from zdd.model.plan import Stage
from zdd.strategies.situation import Situation, Strategy, is_strategy


def join(first: Strategy, second: Strategy) -> Joined:
    """Return both, one after the other: what ``first + second`` means for zdd's strategies."""
    if not is_strategy(second):
        raise ConfigurationError(f"{first} + {second!r}: join a strategy with another one, such as zdd.Soak(600)")
    return Joined((*_parts(first), *_parts(second)))


def join_after(second: Strategy, first: Strategy) -> Joined:
    """Return the same where the first one is a strategy of a user's own, which knows no ``+``."""
    return join(first, second)


def _parts(strategy: Strategy) -> tuple[Strategy, ...]:
    return strategy.parts if isinstance(strategy, Joined) else (strategy,)


def _tuple(value: Any) -> tuple[Strategy, ...]:
    return list_of("parts of Joined", value, "[zdd.RollingUpdate(), zdd.Soak(600)]")


@frozen
class Joined:
    """Strategies one after the other. Each begins where the one before it would have led.

    Attributes:
        parts: The strategies, in order.
    """

    parts: tuple[Strategy, ...] = field(converter=_tuple)

    def __attrs_post_init__(self) -> None:
        if not self.parts:
            raise ConfigurationError("Joined(()) has no strategy: give at least one")
        for part in self.parts:
            if not is_strategy(part):
                raise ConfigurationError(f"part {part!r} of Joined: use an object such as zdd.RollingUpdate()")

    __add__, __radd__ = join, join_after

    @property
    def stops_everything(self) -> bool:
        """Whether nothing of the service may run in the middle of one of them."""
        return any(getattr(part, "stops_everything", False) for part in self.parts)

    def __str__(self) -> str:
        return " + ".join(map(str, self.parts))

    def surge(self, situation: Situation) -> int:
        """Return the largest of the parts'."""
        most = 0
        for part in self.parts:
            most = max(most, part.surge(situation))
            situation = situation.after(part.stages(situation))
        return most

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return the stages of the parts, in order; what is done while all is stopped, in the gap of the next part."""
        stages: list[Stage] = []
        for part in self.parts:
            added = part.stages(situation)
            if stages and _only_acts_in_a_gap(stages[-1]) and added:
                added = (_with_actions(stages.pop(), added[0]), *added[1:])
            stages.extend(added)
            situation = situation.after(added)
        return tuple(stages)


def _only_acts_in_a_gap(stage: Stage) -> bool:
    return stage.stopped and not stage.goals


def _with_actions(gap: Stage, stage: Stage) -> Stage:
    return evolve(
        stage,
        title=f"{gap.title}, {stage.title}",
        actions=(*gap.actions, *stage.actions),
        deadline_s=gap.deadline_s + stage.deadline_s,
        stopped=True,
    )
