"""The events of a deployment that went from 1.4.2 to 1.5.0, to make reports of."""

from __future__ import annotations

from zdd.events import (
    CapacityChanged,
    DeploymentEnded,
    DeploymentStarted,
    InstanceMoved,
    Moment,
    Outcome,
)
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service

WEB = {"service": "web", "deployment": "d1"}


def started(
    at_s: float = 0.0, *, before: str = "1.4.2", direction: Direction = Direction.FORWARD, actor: str = "user@host:1"
) -> DeploymentStarted:
    workload = Release("1.5.0", Process(["true"])).workload
    revisions = {"r1": Revision("r1", "1.4.2", workload), "r2": Revision("r2", "1.5.0", workload)}
    origin = (Goal("web", "r1", 3, 1),) if before else ()
    stages = (Stage("change web", (Goal("web", "r2", 3, 1),)),)
    plan = Plan(
        Service("web", replicas=3),
        "r2",
        revisions,
        origin,
        stages,
        3,
        4,
        strategy="RollingUpdate(surge=1)",
        direction=direction,
    )
    return DeploymentStarted(at_s=at_s, plan=plan, from_version=before, to_version="1.5.0", actor=actor, **WEB)


def capacity(at_s: float, useful: int) -> CapacityChanged:
    return CapacityChanged(at_s=at_s, useful=useful, existing=4, floor=3, shares={"1.4.2": 1000}, **WEB)


def moved(at_s: float, moment: Moment, instance: str = "web-2.a") -> InstanceMoved:
    return InstanceMoved(at_s=at_s, instance=instance, cell="web-2", version="1.5.0", moment=moment, **WEB)


def ended(at_s: float, outcome: Outcome = Outcome.SUCCEEDED, reason: str = "") -> DeploymentEnded:
    return DeploymentEnded(at_s=at_s, outcome=outcome, reason=reason, **WEB)
