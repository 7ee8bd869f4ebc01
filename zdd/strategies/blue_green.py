"""`BlueGreen`: all of the new revision beside all of the old one, then one switch."""

from __future__ import annotations

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.cell import Cell
from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_number
from zdd.model.plan import Goal, OnFailure, Stage, to_on_failure
from zdd.model.service import Overlap
from zdd.strategies.joined import join, join_after
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Situation


@frozen
class BlueGreen:
    """Start all of the new revision without traffic, switch at once, keep the old one warm for a while.

    Attributes:
        keep_s: Seconds that the old revision stays up, without traffic, after the switch. Until then going back is
            one change of the traffic.
        gates: What must pass under traffic from the switch until `keep_s` has passed.
        on_failure: What a failure after the switch means.
    """

    keep_s: float = 0.0
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    def __attrs_post_init__(self) -> None:
        check_number("keep_s of BlueGreen", self.keep_s, least=0)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"BlueGreen(keep_s={self.keep_s:g})"

    def surge(self, situation: Situation) -> int:
        """Return as many as the service has."""
        if not situation.outdated():
            return RollingUpdate().surge(situation)
        return beside(situation, apart=True)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return: green starts; the switch, and blue is kept warm; blue goes."""
        refuse_forbidden_overlap("BlueGreen", situation)
        if not situation.outdated():
            return only_sizes(situation, self.gates, self.on_failure)
        green, leaving = green_cells(situation, apart=True)
        blue = situation.outdated()
        stages = (
            Stage(
                "start green",
                tuple(
                    Goal(goal.cell, goal.revision, goal.replicas, situation.shares.get(goal.cell, 0)) for goal in green
                ),
                deadline_s=situation.deadline_s,
            ),
            Stage(
                "switch to green",
                (*green, *(situation.warm(cell) for cell in (*blue, *leaving))),
                gates=self.gates,
                hold_s=self.keep_s,
                deadline_s=situation.deadline_s + self.keep_s,
                on_failure=self.on_failure,
            ),
        )
        goals = tuple(situation.gone(cell) for cell in (*blue, *leaving))
        return (*stages, Stage("retire blue", goals, deadline_s=situation.deadline_s))


def beside(situation: Situation, *, apart: bool = False) -> int:
    """Return how many instances exist beyond the service's when the target is whole beside all that is there now."""
    there = {cell.name: cell.replicas for cell in situation.cells}
    rising, _ = green_cells(situation, apart=apart)
    wanted = {goal.cell: goal.replicas for goal in rising}
    most = sum(max(there.get(name, 0), wanted.get(name, 0)) for name in {**there, **wanted})
    return max(0, most - situation.service.replicas)


def only_sizes(situation: Situation, gates: tuple[Gate, ...], on_failure: OnFailure) -> tuple[Stage, ...]:
    """Return the stages where there is no old revision to compare with: a first deployment, or only sizes differ."""
    return RollingUpdate(gates=gates, on_failure=on_failure).stages(situation)


def green_cells(situation: Situation, *, apart: bool = False) -> tuple[list[Goal], list[Cell]]:
    """Return the cells of the target as they should be at the end, and those of them that are too many.

    Args:
        situation: What there is.
        apart: One that serves and is too large leaves as well. To be made smaller it would have to be drained, and
            what has no old revision beside it any more may not have the capacity for that.
    """
    kept, leaving = list[Cell](), list[Cell]()
    for cell in situation.current():
        part = situation.parts[len(kept)] if len(kept) < len(situation.parts) else 0
        large = apart and cell.replicas > part and situation.shares.get(cell.name, 0) > 0
        (leaving if large or not part else kept).append(cell)
    names = [cell.name for cell in kept] + situation.fresh_names(len(situation.parts) - len(kept))
    return [situation.serve(name, size) for name, size in zip(names, situation.parts, strict=True)], leaving


def refuse_forbidden_overlap(strategy: str, situation: Situation) -> None:
    """Raise `ConfigurationError` if two revisions may not run side by side."""
    if situation.service.overlap is Overlap.FORBIDDEN:
        raise ConfigurationError(
            f"{strategy} needs two revisions of {situation.service.name} side by side, but its overlap is forbidden: "
            "use Recreate()"
        )
