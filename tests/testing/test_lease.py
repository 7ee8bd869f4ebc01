from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.memory import MemoryClock, MemoryLease
from zdd.errors import DeploymentInProgress, LeaseLost
from zdd.interfaces import Clock, Fence, Holder
from zdd.testing import LEASE_RULES, ConformanceError, check_lease


class Shared(MemoryLease):
    """A lease of which a second object onto the same state can be had."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.clock = clock

    def again(self) -> MemoryLease:
        return self


def check(kind: Callable[[Clock], Shared]) -> tuple[str, ...]:
    clock = MemoryClock()
    return check_lease(lambda: kind(clock), clock=clock, again=lambda lease: lease.again())


def test_the_memory_lease_keeps_every_rule() -> None:
    assert check(Shared) == tuple(rule.name for rule in LEASE_RULES)


def test_without_a_second_deployer_fewer_rules_are_tried() -> None:
    clock = MemoryClock()
    assert len(check_lease(lambda: MemoryLease(clock), clock=clock)) == len(LEASE_RULES) - 2


class IsNeverFree(Shared):
    def holder(self, service: str) -> Holder | None:
        return super().holder(service) or Holder("somebody", 0.0, 1.0)


class ForgetsSinceWhen(Shared):
    def holder(self, service: str) -> Holder | None:
        holder = super().holder(service)
        return holder and evolve(holder, since_s=holder.expires_s)


class GivesItToAll(Shared):
    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        self._holders.pop(service, None)
        return super().acquire(service, holder, ttl_s)


class DoesNotSayWho(Shared):
    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        try:
            return super().acquire(service, holder, ttl_s)
        except DeploymentInProgress as error:
            raise DeploymentInProgress("busy", holder=error.holder, since_s=error.since_s) from None


class KeepsWhatIsReleased(Shared):
    def release(self, service: str, fence: Fence) -> None:
        pass


class BeginsAgain(Shared):
    def release(self, service: str, fence: Fence) -> None:
        super().release(service, fence)
        self._tokens.clear()


class RenewsWhatIsLost(Shared):
    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        now_s = self.clock.now()
        self._holders[service] = (fence.token, Holder(fence.holder, now_s, now_s + ttl_s))


class ReleasesForOthers(Shared):
    def release(self, service: str, fence: Fence) -> None:
        self._holders.pop(service, None)


class RenewsNothing(Shared):
    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        token, _ = self._holders[service]
        if token != fence.token:
            raise LeaseLost("lost")


class LosesWhatExpired(Shared):
    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        if self.holder(service) is None:
            raise LeaseLost("it expired")
        super().renew(service, fence, ttl_s)


class KeepsADeployerOut(Shared):
    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        return super().acquire(service, holder.removeprefix("mirror "), ttl_s)


class OneForAllServices(Shared):
    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        return super().acquire("web", holder, ttl_s)


class IsOfOneProcess(Shared):
    def again(self) -> MemoryLease:
        return type(self)(self.clock)


class ThinksAboutIt(Shared):
    """Looks, and takes it a moment later."""

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        if self.holder(service) is not None:
            return super().acquire(service, holder, ttl_s)
        time.sleep(0.05)
        self._holders.pop(service, None)
        return super().acquire(service, holder, ttl_s)


BROKEN: list[tuple[str, Any]] = [
    ("nobody holds it at first", IsNeverFree),
    ("holder() says who and since when", ForgetsSinceWhen),
    ("one at a time holds it, and the next is told who", GivesItToAll),
    ("one at a time holds it, and the next is told who", DoesNotSayWho),
    ("a released lease can be taken", KeepsWhatIsReleased),
    ("tokens grow for ever", BeginsAgain),
    ("an expired lease can be taken and the old fence is refused then", RenewsWhatIsLost),
    ("the release of an old fence lets go of nothing", ReleasesForOthers),
    ("a renewed lease is kept", RenewsNothing),
    ("an expired lease that nobody took can be renewed", LosesWhatExpired),
    ("a mirror gives way to a deployer", KeepsADeployerOut),
    ("leases of one service are not those of another", OneForAllServices),
    ("another deployer sees the same lease", IsOfOneProcess),
    ("of many who try at once one gets it", ThinksAboutIt),
    ("of many who try at once one gets it", IsOfOneProcess),
]


@pytest.mark.parametrize(("rule", "kind"), BROKEN)
def test_a_lease_that_breaks_a_rule_is_caught_by_it(rule: str, kind: Any) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(kind)
    assert rule in caught.value.broken


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in LEASE_RULES}
