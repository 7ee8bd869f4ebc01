"""A shell is told how it ended."""

from __future__ import annotations

import pytest

from zdd.command_line.exit_status import OF_OUTCOME, status_of
from zdd.errors import (
    ConfigurationError,
    DeploymentFailed,
    DeploymentInProgress,
    JournalError,
    LeaseLost,
    LeaseNotRenewed,
    RollbackFailed,
    TemporaryError,
    ZddError,
)
from zdd.events import DeploymentEnded, Event, Outcome
from zdd.report import Report


def report(outcome: Outcome) -> Report:
    event: Event = DeploymentEnded(at_s=1.0, service="web", deployment="web-1", outcome=outcome)
    return Report.of([event])


def test_every_outcome_has_a_status_and_only_success_has_none() -> None:
    assert set(OF_OUTCOME) == set(Outcome)
    assert {outcome for outcome, status in OF_OUTCOME.items() if status == 0} == {Outcome.SUCCEEDED, Outcome.UNCHANGED}
    others = [status for status in OF_OUTCOME.values() if status]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TemporaryError("no engine"), 1),
        (JournalError("damaged"), 1),
        (ConfigurationError("no such thing"), 2),
        (DeploymentFailed("no", report=report(Outcome.ROLLED_BACK)), 3),
        (DeploymentFailed("no", report=report(Outcome.FROZEN)), 4),
        (RollbackFailed("no", report=report(Outcome.STUCK)), 5),
        (DeploymentInProgress("x", holder="ana", since_s=1.0), 7),
        (LeaseLost("x"), 7),
        (LeaseNotRenewed("x"), 1),
    ],
)
def test_each_error_has_its_status(error: ZddError, status: int) -> None:
    assert status_of(error) == status
