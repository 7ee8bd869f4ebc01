"""What anybody may put right who sees it while looking: it stops no task and starts none that serves."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.archive import Archive
from zdd.adapters.swarm.engine import Engine, OutOfSequence
from zdd.adapters.swarm.in_place import handed_back, is_under_way, places
from zdd.adapters.swarm.placement import counted, is_unplaced, needed, placed, waits_for_room
from zdd.adapters.swarm.specification import is_empty, is_global, replicas_of, revision_of
from zdd.errors import AdapterError
from zdd.model.service import Service

Json = dict[str, Any]

ATTEMPTS = 10


class Upkeep:
    """Puts right what is left of what was done. Looking must work for somebody who may not write, too."""

    def __init__(self, engine: Engine, archive: Archive) -> None:
        self._engine = engine
        self._archive = archive
        self._forgetting = threading.Lock()

    def hand_back(self, swarm_service: Json, tasks: Sequence[Json]) -> None:
        """Give the user's update settings back when Swarm's updater has nothing left to do.

        What is written is what was read, without what zdd had put in.
        """
        spec = swarm_service["Spec"]
        if not is_under_way(spec):
            return
        so_far = places(tasks, revision_of(spec["TaskTemplate"]))
        if so_far.running < (so_far.changed + so_far.old if is_global(spec) else replicas_of(spec)):
            return
        self._write(swarm_service, handed_back(spec))

    def loosen(self, service: Service, swarm_service: Json, own: Sequence[Json], others: Sequence[Json]) -> None:
        """Leave of what a cell's placement was given because of the other cells only what it needs now.

        Not while Swarm's updater is at it, which any write would start anew; and not before every task has a node,
        unless there is none for it: then another cell's tasks matter less than having it.

        Args:
            service: The service.
            swarm_service: The cell's.
            own: Its tasks.
            others: Those of the service's other cells.
        """
        spec = swarm_service["Spec"]
        is_ours = (spec.get("Labels") or {}).get(labels.SERVICE) == service.name
        if not is_ours or is_global(spec) or is_empty(spec) or is_under_way(spec):
            return
        on_nodes = counted(own)
        settled = sum(on_nodes.values()) == replicas_of(spec) and not any(map(is_unplaced, own))
        if settled or waits_for_room(own):
            need = needed(spec["TaskTemplate"], replicas_of(spec), on_nodes, counted(others))
            wanted = placed(spec, need)
            if wanted != spec:
                self._write(swarm_service, wanted)

    def forget(self, service: Service, swarm_service: Json, *, last: bool) -> None:
        """Remove a retired cell of which nothing is left. A retired cell never comes back."""
        with self._forgetting:
            try:
                self._engine.remove_service(swarm_service["ID"])
                if last:
                    self._archive.forget(service)
            except AdapterError:
                return  # there is another time

    def _write(self, swarm_service: Json, wanted: Json) -> None:
        """Write what was made of what was read, unless somebody else has written since."""
        version = swarm_service["Version"]["Index"]
        for _ in range(ATTEMPTS):
            try:
                self._engine.update_service(swarm_service["ID"], version, wanted)
            except OutOfSequence:
                fresh = self._engine.service(swarm_service["ID"])
                if fresh is None or fresh["Spec"] != swarm_service["Spec"]:
                    return
                version = fresh["Version"]["Index"]
            except AdapterError:
                return  # there is another time
            else:
                return
