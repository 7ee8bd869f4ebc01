"""A user's gate that is not what a gate should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen

import zdd
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.model.gate import conclude


@frozen
class Concluding:
    """Concludes by a function, and names its ports as it likes."""

    conclusion: Any
    named: Any = frozenset()
    interval_s: float = 1.0
    deadline_s: float | None = None

    def __str__(self) -> str:
        return "own gate"

    def ports(self) -> Any:
        return self.named

    def sample(self, target: zdd.Target) -> zdd.Sample:
        return zdd.Sample(zdd.Result.PASSED)

    def judge(self, samples: Sequence[zdd.Sample]) -> Any:
        return self.conclusion()


def wrong() -> None:
    raise ValueError("not so")


@pytest.mark.parametrize(
    ("conclusion", "reason"),
    [
        (wrong, r"judge\(\) of gate own gate raised ValueError: not so"),
        (lambda: None, r"judge\(\) of gate own gate returned None: return a zdd Verdict"),
    ],
)
def test_a_conclusion_that_is_none_fails_and_the_release_is_taken_back(conclusion: Any, reason: str) -> None:
    deployer = zdd.Deployer.in_memory(MemoryWorld())
    web = zdd.Service("web")
    deployer.deploy(web, zdd.Release("1.0", Behaviour()))
    with pytest.raises(zdd.DeploymentFailed, match=reason) as failed:
        deployer.deploy(web, zdd.Release("2.0", Behaviour(), gates=[Concluding(conclusion)]))
    assert failed.value.report.outcome is zdd.Outcome.ROLLED_BACK


def test_a_conclusion_is_taken_as_it_is() -> None:
    verdict = zdd.Verdict(zdd.Result.PASSED, "well")
    assert conclude(Concluding(lambda: verdict), ()) is verdict


def test_what_a_gate_lacks_is_named() -> None:
    class Half:
        def ports(self) -> frozenset[str]:
            return frozenset()

        def sample(self, target: zdd.Target) -> zdd.Sample:
            return zdd.Sample(zdd.Result.PASSED)

        def judge(self, samples: Sequence[zdd.Sample]) -> zdd.Verdict:
            return zdd.Verdict(zdd.Result.PASSED)

    with pytest.raises(zdd.ConfigurationError, match="has no interval_s"):
        zdd.Service("web", gates=[Half()])  # type: ignore[list-item]
    with pytest.raises(zdd.ConfigurationError, match=r"looks at the ports 'http': ports\(\) returns a frozenset"):
        zdd.Service("web", gates=[Concluding(wrong, "http")])
    with pytest.raises(zdd.ConfigurationError, match="looks at port 'admin'"):
        zdd.Service("web", gates=[Concluding(wrong, ["admin"])])
