"""`Recreate`: for what must not run twice at once."""

from __future__ import annotations

from attrs import frozen

from zdd.model.plan import Stage
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation


@frozen
class Recreate:
    """Hold requests back, drain and stop the old instances, start the new ones, let requests go on.

    The gap is what stopping, starting and proving take. An edge that can hold requests answers them late; at one that
    can't, they fail meanwhile. So it keeps no floor, whatever the service says of overlap; one that was stated refuses
    it.
    """

    __add__, __radd__ = join, join_after

    @property
    def stops_everything(self) -> bool:
        """Whether nothing of the service may run in the middle, whatever the service says of overlap."""
        return True

    def __str__(self) -> str:
        return "Recreate()"

    def surge(self, situation: Situation) -> int:
        """Return none: nothing runs beside what is replaced."""
        return max(0, sum(cell.replicas for cell in situation.cells) - situation.service.replicas)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage in which everything is replaced."""
        cells = situation.in_order()
        homes, extras = cells[: len(situation.parts)], cells[len(situation.parts) :]
        names = [cell.name for cell in homes] + situation.fresh_names(len(situation.parts) - len(homes))
        goals = [situation.serve(name, size) for name, size in zip(names, situation.parts, strict=True)]
        return (
            Stage(
                "replace",
                (*goals, *(situation.gone(cell) for cell in extras)),
                deadline_s=situation.deadline_s,
                held=situation.holds and (bool(cells) or situation.held),
            ),
        )
