"""Errors are brought from one process to another with all that they carry."""

from __future__ import annotations

import copy
import pickle

import pytest

import zdd
from zdd.adapters.memory import Behaviour, MemoryWorld


@pytest.mark.parametrize(
    "error",
    [
        zdd.ConfigurationError("name the thing"),
        zdd.DeploymentInProgress("wait", holder="user@host:1", since_s=5.0),
        zdd.OutcomeUnknown("no answer", settles_within_s=2.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: zdd.ZddError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - written one line above
        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_failed_deployment_comes_with_its_report() -> None:
    deployer = zdd.Deployer.in_memory(MemoryWorld())
    with pytest.raises(zdd.DeploymentError) as failed:
        deployer.deploy(zdd.Service("web", exposures=[]), zdd.Release("1.0", Behaviour(never_ready=True)))
    again = pickle.loads(pickle.dumps(failed.value))  # noqa: S301 - written in this line
    assert again.report == failed.value.report
    assert again.next_steps in str(again)
