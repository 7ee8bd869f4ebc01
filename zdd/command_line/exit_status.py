"""How each way to end is told to a shell."""

from __future__ import annotations

from zdd.errors import (
    ConfigurationError,
    DeploymentError,
    DeploymentInProgress,
    LeaseLost,
    LeaseNotRenewed,
    StackFailed,
    ZddError,
)
from zdd.events import Outcome

DONE = 0
"""What was wanted serves, or was told."""

FAILED = 1
"""The world refused: an engine, an edge, Consul, the journal or the leases can't be used."""

REFUSED = 2
"""It can't work, or was not understood. Nothing was touched."""

ELSEWHERE = 7
"""Somebody else deploys it, or has taken over."""

OF_OUTCOME = {
    Outcome.SUCCEEDED: DONE,
    Outcome.UNCHANGED: DONE,
    Outcome.ROLLED_BACK: 3,
    Outcome.FROZEN: 4,
    Outcome.STUCK: 5,
    Outcome.INTERRUPTED: 6,
}
"""How a deployment ended."""


def status_of(error: ZddError) -> int:
    """Return the exit status that tells an error."""
    if isinstance(error, DeploymentError) and error.report is not None and error.report.outcome is not None:
        return OF_OUTCOME[error.report.outcome]
    if isinstance(error, StackFailed):
        return OF_OUTCOME[error.report.outcome]
    if isinstance(error, LeaseNotRenewed):
        return FAILED
    if isinstance(error, DeploymentInProgress | LeaseLost):
        return ELSEWHERE
    return REFUSED if isinstance(error, ConfigurationError) else FAILED
