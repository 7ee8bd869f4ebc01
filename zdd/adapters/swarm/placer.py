"""Giving a cell that is to start tasks a placement that goes with the service's other cells."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from zdd.adapters.swarm.engine import Engine
from zdd.adapters.swarm.nodes import fitting
from zdd.adapters.swarm.placement import (
    Placing,
    chosen,
    counted,
    is_unplaced,
    needed,
    placed,
    waits_for_room,
    without_placing,
)
from zdd.adapters.swarm.specification import is_empty, is_global, replicas_of
from zdd.errors import TemporaryError
from zdd.model.service import Service

Json = dict[str, Any]

LOOKS = 10
PAUSE_S = 0.1


class Placer:
    """Looks where the other cells' tasks are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def placed(self, service: Service, found: Mapping[str, Json], cell: str, spec: Json, *, stays: bool) -> Json:
        """Return a cell's specification with what its placement needs because of the other cells.

        Args:
            service: The service.
            found: Cell → the Swarm service.
            cell: The cell.
            spec: What it is to be.
            stays: The tasks that it has stay.

        Raises:
            TemporaryError: Where the other cells' tasks will be is not known yet.
        """
        if is_global(spec) or is_empty(spec) or not found.keys() - {cell}:
            return placed(spec, Placing())
        current = found[cell]["ID"] if cell in found else ""
        tasks = self._tasks(service, found, current)
        own = counted(task for task in tasks if task["ServiceID"] == current) if stays else {}
        others = counted(task for task in tasks if task["ServiceID"] != current)
        template, replicas = spec["TaskTemplate"], replicas_of(spec)
        nodes = fitting(self._engine.nodes(), without_placing(spec)) if others else []
        best = chosen(template, replicas, own, others, nodes)
        return placed(spec, needed(template, replicas, own, others) if best is None else best)

    def _tasks(self, service: Service, found: Mapping[str, Json], current: str) -> list[Json]:
        """Return the tasks when Swarm has looked for a node for each of the other cells'. It does so at once."""
        for _ in range(LOOKS):
            tasks = self._engine.tasks([one["ID"] for one in found.values()])
            new = [task for task in tasks if task["ServiceID"] != current and is_unplaced(task)]
            if all(waits_for_room([task]) for task in new):
                return tasks
            time.sleep(PAUSE_S)
        raise TemporaryError(f"Swarm has not looked for a node for every task of {service.name} yet")
