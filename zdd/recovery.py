"""What became of the deployments that were left unfinished: each is finished or undone, or it says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from zdd.errors import DeploymentError, DeploymentInterrupted, ZddError
from zdd.events import Outcome
from zdd.history import Deployment
from zdd.orders import standing
from zdd.surroundings import Surroundings
from zdd.wording import printable

if TYPE_CHECKING:
    from zdd.report import Report


@frozen
class Recovered:
    """What became of one service whose last deployment was left unfinished.

    Attributes:
        service: The service's name.
        deployment: The id of the deployment that was left unfinished.
        report: What was done; None: nothing was.
        reason: Why it is not finished; empty: it is finished or undone.
    """

    service: str
    deployment: str
    report: Report | None = None
    reason: str = ""

    def __str__(self) -> str:
        outcome = self.report.outcome.value if self.report is not None and self.report.outcome else "left as it is"
        return f"{self.deployment}: {outcome}" + (f", {printable(self.reason)}" if self.reason else "")


def recovered(around: Surroundings, unfinished: Deployment, finish: Callable[[str], Report]) -> Recovered:
    """Finish or undo what was left unfinished, unless a person is to decide or somebody is at it.

    Raises:
        DeploymentInterrupted: Somebody stopped the deployer.
    """
    service = unfinished.plan.service.name
    try:
        reason = _left_to_others(around, unfinished)
        if reason:
            return Recovered(service, unfinished.id, None, reason)
        return Recovered(service, unfinished.id, finish(service))
    except DeploymentInterrupted:
        raise
    except DeploymentError as error:
        return Recovered(service, unfinished.id, error.report, str(error))
    except ZddError as error:
        return Recovered(service, unfinished.id, None, str(error))


def _left_to_others(around: Surroundings, unfinished: Deployment) -> str:
    service = unfinished.plan.service.name
    holder = around.lease.holder(service)
    if holder is not None:
        left_s = max(0.0, holder.expires_s - around.clock.now())
        who = printable(holder.name)
        return f"{who} deploys it, or has died: its lease ends in {left_s:.0f} s unless it is renewed"
    if unfinished.outcome in (Outcome.FROZEN, Outcome.STUCK):
        why = f": {unfinished.reason}" if unfinished.reason else ""
        return f"it is {unfinished.outcome.value} until a person decides{why}; call resume, deploy or rollback"
    paused = standing(around, service, unfinished.id, around.journal.read(service)).paused
    return f"{paused}; call resume to go on" if paused is not None else ""
