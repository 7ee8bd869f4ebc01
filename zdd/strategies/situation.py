"""What a strategy is told, and the arithmetic that strategies share. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from typing import Protocol

from attrs import evolve, frozen

from zdd.model.cell import Cell
from zdd.model.plan import Goal, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import FULL_SHARE


@frozen(slots=False)
class Situation:
    """What is observed now, the revision wanted, and the capacity agreed.

    Attributes:
        service: How the service wants to be treated.
        target: The revision that is to run.
        cells: What runs now, whoever made it and however far an earlier deployment came.
        shares: Cell → its share of the traffic now, on the scale of `FULL_SHARE`.
        parts: How many instances each cell is to have at the end, largest first.
        holds: Every edge can hold requests back.
        held: Requests are held back now, by a deployment that was interrupted.
    """

    service: Service
    target: Revision
    cells: tuple[Cell, ...]
    shares: dict[str, int]
    parts: tuple[int, ...]
    holds: bool = False
    held: bool = False

    @cached_property
    def deadline_s(self) -> float:
        """What one stage may take: to start, to drain, to stop, and as long again for what has no time of its own."""
        service = self.service
        return 2 * (service.start_deadline_s + service.drain_deadline_s + service.stop_grace_s + service.settle_s) + 30

    def in_order(self) -> list[Cell]:
        """Return the cells in the order of their numbers: web, web-2, … web-10."""
        return sorted(self.cells, key=lambda cell: (len(cell.name), cell.name))

    def outdated(self) -> list[Cell]:
        """Return the cells that do not run the target, or not alone, in order."""
        return [cell for cell in self.in_order() if not self.runs_target(cell)]

    def current(self) -> list[Cell]:
        """Return the cells that run the target already, in order."""
        return [cell for cell in self.in_order() if self.runs_target(cell)]

    def runs_target(self, cell: Cell) -> bool:
        """Tell whether a cell runs the target, and nothing else."""
        return cell.revision == self.target.id and not cell.mixed

    def fresh_names(self, count: int) -> list[str]:
        """Return names for new cells: the lowest numbers that are free."""
        return fresh_names(self.service, {cell.name for cell in self.cells}, count)

    def after(self, stages: Iterable[Stage]) -> Situation:
        """Return the situation to which these stages would have led."""
        cells = {cell.name: cell for cell in self.cells}
        shares = dict(self.shares)
        for goal in (goal for stage in stages for goal in stage.goals):
            shares[goal.cell] = goal.share
            cells[goal.cell] = Cell(goal.cell, goal.revision, goal.replicas)
        left = tuple(cells[name] for name in sorted(cells) if cells[name].replicas)
        return evolve(self, cells=left, shares={cell.name: shares.get(cell.name, 0) for cell in left})

    def full_share(self, replicas: int) -> int:
        """Return the share of so many instances when all of the service's have the same."""
        return full_share(self.service, replicas)

    def serve(self, cell: str, replicas: int) -> Goal:
        """Return the goal: so many instances of the target, with the share that they have in the end."""
        return Goal(cell, self.target.id, replicas, self.full_share(replicas))

    def warm(self, cell: Cell) -> Goal:
        """Return the goal: as it is, but without traffic."""
        return Goal(cell.name, cell.revision, cell.replicas, 0)

    def gone(self, cell: Cell) -> Goal:
        """Return the goal: retired."""
        return Goal(cell.name, cell.revision, 0, 0)


def fresh_names(service: Service, taken: Container[str], count: int) -> list[str]:
    """Return so many names for new cells that are not taken: web, web-2, web-3 and so on."""
    numbers = (service.name if number == 1 else f"{service.name}-{number}" for number in itertools.count(1))
    return list(itertools.islice((name for name in numbers if name not in taken), count))


def full_share(service: Service, replicas: int) -> int:
    """Return the share of so many instances of a service when all of its instances have the same."""
    return max(1, FULL_SHARE * replicas // service.replicas) if replicas else 0


class Strategy(Protocol):
    """One pure function: from what is observed now to the stages of a plan.

    It must cope with whatever is observed, a half-done deployment included: it is asked again to resume, to supersede
    and to go back. It does not state the safe order; that is the reconciler's. A plan that falls below the floor, or
    does not end with the target alone, is refused before anything is touched (`zdd.model.plan.check_plan`).
    `str(strategy)` is what a person reads. Strategies are frozen attrs classes, so that the journal can keep them.
    """

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return what is to happen, in order.

        Raises:
            ConfigurationError: This strategy can't do it; the message names what is in the way and the fix.
        """

    def surge(self, situation: Situation) -> int:
        """Return how many instances may exist beyond the service's replicas, at most, while the plan runs."""


def is_strategy(value: object) -> bool:
    """Tell whether it has what a strategy needs. A class has not: it is to be called first."""
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in ("stages", "surge"))


def divide(replicas: int, cells: int) -> tuple[int, ...]:
    """Divide so many instances over so many cells, as evenly as can be, largest first."""
    least, rest = divmod(replicas, cells)
    return tuple(least + (1 if number < rest else 0) for number in range(cells))


def split(total: int, sizes: Sequence[int]) -> list[int]:
    """Split a total in proportion to sizes, exactly: what rounding leaves goes to the first ones that have a size."""
    whole = sum(sizes)
    if not whole:
        return [0] * len(sizes)
    parts = [total * size // whole for size in sizes]
    sized = [number for number, size in enumerate(sizes) if size]
    for number in sized[: total - sum(parts)]:
        parts[number] += 1
    return parts


def batches(cells: Iterable[tuple[str, int]], most: int) -> list[list[tuple[str, int]]]:
    """Group cells (name, instances) so that no group has more than `most` instances."""
    groups: list[list[tuple[str, int]]] = []
    for name, replicas in cells:
        if groups and sum(count for _, count in groups[-1]) + replicas <= most:
            groups[-1].append((name, replicas))
        else:
            groups.append([(name, replicas)])
    return groups
