"""A user's gate that is not what a gate should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

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


class Speechless(Concluding):
    """Can't be shown."""

    def __str__(self) -> str:
        raise LookupError("no words")


@pytest.mark.parametrize(
    "around", [lambda gate: gate, lambda gate: zdd.InARow(gate, 2), lambda gate: zdd.AllOf([gate])]
)
def test_one_that_cannot_be_shown_is_refused_before_anything_is_touched(around: Any) -> None:
    with pytest.raises(
        zdd.ConfigurationError, match="of the class Speechless can't be shown, its __str__ raises LookupE"
    ):
        zdd.Canary(gates=[around(Speechless(wrong))])


@pytest.mark.parametrize("times", [{"interval_s": "1s"}, {"interval_s": None}, {"deadline_s": "1m"}])
def test_one_whose_times_are_no_numbers_is_refused_before_anything_is_touched(times: Any) -> None:
    [name] = times
    with pytest.raises(zdd.ConfigurationError, match=f"{name} of gate own gate is"):
        zdd.RollingUpdate(gates=[Concluding(wrong, **times)])


class Forgetful(Concluding):
    """Can be shown until it has looked."""

    looks: ClassVar[list[str]] = []

    def sample(self, target: zdd.Target) -> zdd.Sample:
        self.looks.append(target.service)
        return zdd.Sample(zdd.Result.PASSED)

    def __str__(self) -> str:
        if self.looks:
            raise LookupError("no words")
        return "forgetful"


def test_one_that_cannot_be_shown_any_more_does_not_end_the_deployer() -> None:
    deployer = zdd.Deployer.in_memory(MemoryWorld())
    web = zdd.Service("web")
    deployer.deploy(web, zdd.Release("1.0", Behaviour()))
    Forgetful.looks.clear()
    stage = zdd.RollingUpdate(gates=[Forgetful(wrong)])
    with pytest.raises(
        zdd.DeploymentFailed, match=r"gate Forgetful failed: judge\(\) of gate Forgetful raised ValueError"
    ):
        deployer.deploy(web, zdd.Release("2.0", Behaviour()), stage)
