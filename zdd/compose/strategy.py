"""From ``deploy.update_config`` to a strategy. The rule is in docs/compose.md."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from zdd.compose.document import Document, Path
from zdd.compose.extension import Extension
from zdd.model.in_place import UpdateOrder
from zdd.model.plan import OnFailure
from zdd.model.service import Overlap
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Strategy

Json = dict[str, Any]

_SECOND_NS = 1_000_000_000
_STATED = "x-zdd says overlap: forbidden"
_ACTIONS = {None: OnFailure.RETREAT, "rollback": OnFailure.RETREAT, "pause": OnFailure.FREEZE}


@frozen
class Manner:
    """How a service is to be replaced.

    Attributes:
        strategy: What should happen.
        overlap: Whether two revisions may run side by side.
        notes: What zdd does otherwise than Swarm would.
        why: Why two revisions must not run side by side; empty if they may.
        uses_surge: Whether ``x-zdd: {surge: …}`` counts.
    """

    strategy: Strategy
    overlap: Overlap
    notes: tuple[str, ...] = ()
    why: str = ""
    uses_surge: bool = False


def manner_of(document: Document, name: str, service: Json, extension: Extension) -> Manner:
    """Return how a service is to be replaced.

    Raises:
        ConfigurationError: It asks for what zdd doesn't do; says where.
    """
    at: Path = ("services", name, "deploy", "update_config")
    stated = (service.get("deploy") or {}).get("update_config") or {}
    if extension.strategy is not None:
        return _chosen(extension.strategy, extension)
    action = stated.get("failure_action")
    if action not in _ACTIONS:
        what = "zdd never goes on after a failure: use rollback or pause, or choose a strategy in x-zdd"
        raise document.refusal((*at, "failure_action"), f"failure_action {action!r} of {name}: {what}")
    hold_s = max(stated.get("delay") or 0, stated.get("monitor") or 0) / _SECOND_NS
    batch = stated.get("parallelism")
    whole = batch == 0 or (service.get("deploy") or {}).get("replicas", 1) <= (batch or 1)
    stop_first = stated.get("order") == "stop-first"
    why = _alone(service, stated) or ("update_config says stop-first" if stop_first and whole else "")
    if why or extension.overlap is Overlap.FORBIDDEN:
        note = f"{document.place(at)}: {name} is stopped before it is started again: {why}"
        return Manner(Recreate(), Overlap.FORBIDDEN, (note,) if why else (), why or _STATED)
    if stop_first or _through_the_mesh(service):
        order = UpdateOrder.STOP_FIRST if stop_first else UpdateOrder.START_FIRST
        in_place = InPlaceUpdate(
            "100%" if batch == 0 else batch or 1, order, hold_s=hold_s, on_failure=_ACTIONS[action]
        )
        return Manner(in_place, Overlap.ALLOWED, _unused(document, at, name, stated))
    if extension.usual is not None:
        return _chosen(extension.usual, extension)
    rolling = RollingUpdate(extension.surge, hold_s=hold_s, on_failure=_ACTIONS[action])
    notes = _notes(document, at, name, service, stated, extension)
    return Manner(rolling, Overlap.ALLOWED, notes, uses_surge=True)


def _chosen(strategy: Strategy, extension: Extension) -> Manner:
    if isinstance(strategy, Recreate):
        return Manner(strategy, Overlap.FORBIDDEN, why=f"its strategy is {strategy}")
    if extension.overlap is Overlap.FORBIDDEN:
        return Manner(strategy, Overlap.FORBIDDEN, why=_STATED)
    return Manner(strategy, Overlap.ALLOWED)


def _through_the_mesh(service: Json) -> bool:
    """Say whether a port is published through the ingress mesh, where only one Swarm service can have it."""
    return any(port["mode"] != "host" and port["published"] for port in service.get("ports") or [])


def _alone(service: Json, stated: Json) -> str:
    """Return why two revisions must not run side by side; empty if they may."""
    if stated.get("order") == "start-first":
        return ""
    for volume in service.get("volumes") or []:
        if volume.get("type", "volume") in ("volume", "bind") and volume.get("source") and not volume.get("read_only"):
            return f"volume {volume['source']} can be written"
    for port in service.get("ports") or []:
        if port["mode"] == "host" and port["published"]:
            return f"port {port['published']} of its node can be had once"
    return ""


def _notes(
    document: Document, at: Path, name: str, service: Json, stated: Json, extension: Extension
) -> tuple[str, ...]:
    found = []
    replicas = (service.get("deploy") or {}).get("replicas") or 1
    parallelism = stated.get("parallelism")
    cells = -(-replicas // parallelism) if parallelism else 1
    if parallelism and parallelism < replicas and not extension.cells:
        found.append(
            f"{document.place((*at, 'parallelism'))}: {name} is one Swarm service, so its {replicas} instances are "
            f"replaced beside as many new ones, not {parallelism} at a time: x-zdd cells: {cells} "
            "divides them"
        )
    return (*found, *_unused(document, at, name, stated))


def _unused(document: Document, at: Path, name: str, stated: Json) -> tuple[str, ...]:
    if not stated.get("max_failure_ratio"):
        return ()
    place = document.place((*at, "max_failure_ratio"))
    return (f"{place}: max_failure_ratio of {name} is not used: zdd goes on with no failed instance",)
