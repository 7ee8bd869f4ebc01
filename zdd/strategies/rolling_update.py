"""`RollingUpdate`: a few instances at a time, with as many spare ones beside them."""

from __future__ import annotations

import itertools

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.cell import Cell, InstanceState
from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_number
from zdd.model.plan import Goal, OnFailure, Stage, to_on_failure
from zdd.model.service import Overlap
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation, batches, divide


@frozen
class RollingUpdate:
    """Replace a few instances at a time. A spare cell of the new revision serves first, so capacity never falls.

    Attributes:
        batch: How many instances are replaced at once, and how many spare ones exist meanwhile. None: the largest
            cell's.
        gates: What must pass under traffic after each batch.
        hold_s: Seconds that each batch serves before the next one is touched.
        on_failure: What a failing batch means.
    """

    batch: int | None = None
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    hold_s: float = field(default=0.0, kw_only=True)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    def __attrs_post_init__(self) -> None:
        if self.batch is not None:
            check_number("batch of RollingUpdate", self.batch, least=1, whole=True)
        check_number("hold_s of RollingUpdate", self.hold_s, least=0)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"RollingUpdate(batch={self.batch})" if self.batch else "RollingUpdate()"

    def surge(self, situation: Situation) -> int:
        """Return the size of a batch, beside all that is there now."""
        now = [cell.replicas for cell in situation.in_order()]
        most = sum(max(pair) for pair in itertools.zip_longest(now, situation.parts, fillvalue=0))
        return self._needed(situation) + most - situation.service.replicas

    def _batch(self, situation: Situation) -> int:
        largest = max(situation.parts)
        if self.batch is None:
            return largest
        if self.batch < largest:
            raise ConfigurationError(
                f"RollingUpdate(batch={self.batch}): {situation.service.name} has cells of {largest} instances, which "
                f"are changed together: use a batch of {largest}, or Service(…, cells={situation.service.replicas})"
            )
        return min(self.batch, situation.service.replicas)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return: spare cells first, then batch after batch in place, then the spare ones go."""
        if situation.service.overlap is Overlap.FORBIDDEN:
            raise ConfigurationError(
                f"RollingUpdate needs two revisions of {situation.service.name} side by side, but its overlap is "
                "forbidden: use Recreate()"
            )
        homes = situation.in_order()[: len(situation.parts)]
        extras = situation.in_order()[len(situation.parts) :]
        missing = len(situation.parts) - len(homes)
        fresh = situation.fresh_names(missing + len(situation.parts))
        home_names = [cell.name for cell in homes] + fresh[:missing]
        parts = dict(zip(home_names, situation.parts, strict=True))
        stale = _stale(situation)
        spare = self._spare(situation, stale, extras, fresh[missing:])
        # They only have to grow; or an earlier deployer changed them and did not live to admit them.
        waiting = [
            cell
            for cell in homes
            if cell not in stale
            and (cell.replicas, situation.shares.get(cell.name, 0))
            != (parts[cell.name], situation.full_share(parts[cell.name]))
        ]
        first = [situation.serve(name, parts[name]) for name in fresh[:missing]] + spare
        first += [situation.serve(cell.name, parts[cell.name]) for cell in waiting]
        steps = [(f"start {_names(first)}", first)] if first else []
        for group in self._groups(situation):
            goals = [situation.serve(name, replicas) for name, replicas in group]
            steps.append((f"replace {_names(goals)}", goals))
        stages = [self._stage(situation, title, tuple(goals)) for title, goals in steps]
        leaving = [situation.gone(cell) for cell in extras if cell.name not in {goal.cell for goal in spare}]
        leaving += [Goal(goal.cell, goal.revision, 0, 0) for goal in spare]
        if leaving:
            stages.append(Stage(f"retire {_names(leaving)}", tuple(leaving), deadline_s=situation.deadline_s))
        return tuple(stages) or (Stage("nothing changes", deadline_s=situation.deadline_s),)

    def _spare(self, situation: Situation, stale: list[Cell], extras: list[Cell], fresh: list[str]) -> list[Goal]:
        """Return the spare cells that stand in while a batch is replaced.

        Those of the target, left by an earlier deployment, are reused. Others that are to go at the end do not stand
        in: nobody knows whether they serve.
        """
        reusable = [cell for cell in extras if situation.runs_target(cell)]
        if not stale:
            return []
        needed = self._needed(situation)
        sizes = divide(needed, -(-needed // max(situation.parts)))
        names = [cell.name for cell in reusable[: len(sizes)]] + fresh
        return [situation.serve(name, replicas) for name, replicas in zip(names, sizes, strict=False)]

    def _groups(self, situation: Situation) -> list[list[tuple[str, int]]]:
        """Return the batches: each cell that is replaced, and how many instances it is to have.

        Those that lack something go first, then those that ended by themselves most often. Least is lost with them, and
        once they serve there is capacity to replace the others: the other way round, one that comes and goes could hold
        up the deployment that is to mend it.
        """
        parts = dict(zip((cell.name for cell in situation.in_order()), situation.parts, strict=False))
        stale = sorted(_stale(situation), key=_worth)
        return batches([(cell.name, parts[cell.name]) for cell in stale], self._batch(situation))

    def _needed(self, situation: Situation) -> int:
        """Return how many stand in: as many as a batch, or more if too few serve beside one of the batches.

        Somebody may have made one cell larger than it is to be, and another one smaller.
        """
        serving = {cell.name: cell.replicas for cell in situation.cells if situation.shares.get(cell.name)}
        least, needed = min(situation.service.agreed_floor, sum(serving.values())), self._batch(situation)
        groups = self._groups(situation)
        replaced = dict(itertools.chain(*groups))
        extras = [cell for cell in situation.in_order()[len(situation.parts) :] if not situation.runs_target(cell)]
        now = sum(situation.parts) - sum(replaced.values())  # the other cells, once they have what they lack
        now += sum(serving.get(name, 0) for name in (*replaced, *(cell.name for cell in extras)))
        for group in groups:
            leaving = sum(serving.get(name, 0) for name, _ in group)
            needed = max(needed, least + leaving - now)
            now += sum(replicas for _, replicas in group) - leaving
        return needed

    def _stage(self, situation: Situation, title: str, goals: tuple[Goal, ...]) -> Stage:
        return Stage(
            title,
            goals,
            gates=self.gates,
            hold_s=self.hold_s,
            deadline_s=situation.deadline_s + self.hold_s,
            on_failure=self.on_failure,
        )


def _stale(situation: Situation) -> list[Cell]:
    """Return the cells that are replaced in place: they run something else, or are larger than they are to be."""
    homes = zip(situation.in_order(), situation.parts, strict=False)
    return [cell for cell, replicas in homes if cell.replicas > replicas or not situation.runs_target(cell)]


def _worth(cell: Cell) -> tuple[bool, int]:
    """Tell whether all that a cell should have is ready, by the orchestrator's word, and how seldom it ended."""
    whole = sum(1 for one in cell.instances if one.state is InstanceState.READY) >= cell.replicas
    return whole, -sum(one.restarts for one in cell.instances)


def _names(goals: list[Goal]) -> str:
    names = [goal.cell for goal in goals]
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} … {names[-1]} ({len(names)} cells)"
