"""Situations to ask strategies about, and their stages in a short form."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zdd.model.cell import Cell
from zdd.model.plan import Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import FULL_SHARE
from zdd.strategies.situation import Situation, Strategy, divide, full_share


def _situation(
    *cells: tuple[str, str, int, int | None], replicas: int = 3, parts: int = 3, **settings: object
) -> Situation:
    holds, held = bool(settings.pop("holds", False)), bool(settings.pop("held", False))
    service = Service("web", replicas=replicas, **settings)  # type: ignore[arg-type]
    observed = tuple(Cell(name, revision, count) for name, revision, count, _ in cells)
    shares = {
        name: full_share(service, count) if percent is None else FULL_SHARE * percent // 100
        for name, _, count, percent in cells
    }
    return Situation(service, Revision("new", "2.0", {}), observed, shares, divide(replicas, parts), holds, held)


def _steps(stages: tuple[Stage, ...]) -> list[str]:
    return [
        "; ".join(f"{g.cell}: {g.replicas} {g.revision} {round(100 * g.share / FULL_SHARE)} %" for g in stage.goals)
        for stage in stages
    ]


@pytest.fixture
def situation() -> Callable[..., Situation]:
    """Make a situation from cells (name, revision, instances, percent of the traffic); the target is "new".

    Percent None: all that so many instances have in the end.
    """
    return _situation


@pytest.fixture
def steps() -> Callable[[Strategy, Situation], list[str]]:
    """Return the goals of each stage, in words."""
    return lambda strategy, situation: _steps(strategy.stages(situation))
