"""`InPlaceUpdate`: the orchestrator's own update of a cell that serves, batch by batch."""

from __future__ import annotations

from itertools import zip_longest

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.cell import Cell
from zdd.model.gate import Gate, gate_tuple
from zdd.model.in_place import InPlace, UpdateOrder, to_order
from zdd.model.names import check_number
from zdd.model.plan import Goal, OnFailure, Stage, to_on_failure
from zdd.model.service import Overlap
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation


@frozen
class InPlaceUpdate:
    """Replace a few instances of a serving cell at a time. For what can't have a second cell or a drained one.

    Its promise is weaker: the orchestrator chooses the victims, and stops each as soon as the new one is ready, drained
    or not. Useful capacity may be lower by a batch. Gates and hold time lie between the batches.

    Attributes:
        batch: How many are replaced at once: a number, or a part of the replicas such as ``"25%"``, at least one.
        order: ``"start-first"`` starts the new one beside the old one, which leaves traffic meanwhile;
            ``"stop-first"`` stops the old one first, and nobody knows beforehand which it is.
        gates: What must pass under traffic after each batch.
        hold_s: Seconds that each batch serves before the next one is touched.
        on_failure: What a failing batch means. Going back is in place, too.
    """

    batch: int | str = 1
    order: UpdateOrder = field(default=UpdateOrder.START_FIRST, converter=to_order)
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    hold_s: float = field(default=0.0, kw_only=True)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.batch, str):
            number = self.batch.removesuffix("%")
            if number == self.batch or not number.isdigit() or not 1 <= int(number) <= 100:
                raise ConfigurationError(f"batch of InPlaceUpdate is {self.batch!r}: use a number, or '1%' to '100%'")
        else:
            check_number("batch of InPlaceUpdate", self.batch, least=1, whole=True)
        check_number("hold_s of InPlaceUpdate", self.hold_s, least=0)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"InPlaceUpdate(batch={self.batch!r}, order={self.order.value!r})"

    def surge(self, situation: Situation) -> int:
        """Return a batch where the new ones start first, beside all that is there now."""
        now = [cell.replicas for cell in situation.in_order()]
        most = sum(max(pair) for pair in zip_longest(now, situation.parts, fillvalue=0))
        beside = self._batch(situation) if self.order is UpdateOrder.START_FIRST and now else 0
        return beside + most - situation.service.replicas

    def _batch(self, situation: Situation) -> int:
        replicas = situation.service.replicas
        if isinstance(self.batch, str):
            return max(1, replicas * int(self.batch.removesuffix("%")) // 100)
        return min(self.batch, replicas)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return: what is missing starts, then batch after batch of each cell, then what is too much goes."""
        self._refuse(situation)
        count = len(situation.parts)
        homes, extras = situation.in_order()[:count], situation.in_order()[count:]
        fresh = situation.fresh_names(count - len(homes))
        parts = dict(zip([*(cell.name for cell in homes), *fresh], situation.parts, strict=True))
        stages = []
        first = [situation.serve(name, parts[name]) for name in fresh]
        first += [self._resized(situation, cell, parts[cell.name]) for cell in homes if _resizes(cell, parts)]
        first += [situation.serve(cell.name, cell.replicas) for cell in homes if _waits(situation, cell, parts)]
        if first:
            stages.append(self._stage(situation, "have all instances", tuple(first)))
        for cell in homes:
            stages += self._batches(situation, cell, parts[cell.name])
        if extras:
            gone = tuple(situation.gone(cell) for cell in extras)
            stages.append(Stage("retire what is too much", gone, deadline_s=situation.deadline_s))
        return tuple(stages) or (Stage("nothing changes", deadline_s=situation.deadline_s),)

    def _refuse(self, situation: Situation) -> None:
        service = situation.service
        if service.overlap is Overlap.FORBIDDEN:
            raise ConfigurationError(
                f"InPlaceUpdate has two revisions of {service.name} side by side, but its overlap is forbidden: "
                "use Recreate()"
            )
        left = service.replicas - self._batch(situation)
        if service.floor is not None and service.floor > left and situation.cells:
            raise ConfigurationError(
                f"{self} leaves {left} of {service.replicas} instances of {service.name} useful, and its floor is "
                f"{service.floor}: use a floor of {left}, or RollingUpdate(), which keeps all"
            )

    def _resized(self, situation: Situation, cell: Cell, replicas: int) -> Goal:
        smaller = replicas < cell.replicas and situation.service.exposures
        if cell.mixed or smaller:
            what = "is half changed" if cell.mixed else "would lose instances that serve"
            raise ConfigurationError(
                f"InPlaceUpdate replaces instances and {cell.name} {what}: deploy with {cell.replicas} replicas, "
                "and use RollingUpdate() or BlueGreen() to change their number"
            )
        return Goal(cell.name, cell.revision, replicas, situation.full_share(replicas))

    def _batches(self, situation: Situation, cell: Cell, replicas: int) -> list[Stage]:
        batch, target = min(self._batch(situation), replicas), situation.target
        done = cell.changed_to(target.id) if not _resizes(cell, {cell.name: replicas}) else 0
        if cell.revision == target.id and not cell.mixed:
            return []
        stages = []
        for before in range(min(done, replicas - 1), replicas, batch):
            changed = min(before + batch, replicas)
            in_place = InPlace(changed, batch, self.order)
            goal = Goal(cell.name, target.id, replicas, situation.full_share(replicas), in_place)
            title = f"replace {changed - before} of {replicas} in place"
            where = f"{cell.name}: " if len(situation.parts) > 1 else ""
            title = f"{where}{title}, {changed} of {replicas} are {target.version} then"
            stages.append(self._stage(situation, title, (goal,)))
        return stages

    def _stage(self, situation: Situation, title: str, goals: tuple[Goal, ...]) -> Stage:
        return Stage(
            title,
            goals,
            gates=self.gates,
            hold_s=self.hold_s,
            deadline_s=situation.deadline_s + self.hold_s,
            on_failure=self.on_failure,
        )


def _resizes(cell: Cell, parts: dict[str, int]) -> bool:
    return cell.replicas != parts[cell.name]


def _waits(situation: Situation, cell: Cell, parts: dict[str, int]) -> bool:
    """Tell whether it runs the target already, but an earlier deployer did not live to admit all of it."""
    done = cell.revision == situation.target.id and not cell.mixed and not _resizes(cell, parts)
    return done and situation.shares.get(cell.name, 0) != situation.full_share(cell.replicas)
