"""When a lease is renewed, and when it is given up."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import MemoryClock, MemoryLease
from zdd.errors import LeaseLost, LeaseNotRenewed, TemporaryError
from zdd.held_lease import HeldLease
from zdd.interfaces import Fence

TTL_S = 15.0


class Faulty(MemoryLease):
    """A lease whose store may not answer."""

    down = False
    renewed = 0

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        if self.down:
            raise TemporaryError("no answer")
        super().renew(service, fence, ttl_s)
        self.renewed += 1


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def lease(clock: MemoryClock) -> Faulty:
    return Faulty(clock)


@pytest.fixture
def held(lease: Faulty, clock: MemoryClock) -> HeldLease:
    fence = lease.acquire("web", "ann@host:1", TTL_S)
    return HeldLease(lease, "web", fence, TTL_S, clock.now(), clock.now)


def test_it_is_renewed_when_a_third_of_its_time_has_passed(held: HeldLease, lease: Faulty, clock: MemoryClock) -> None:
    for renewed in (0, 0, 1, 1, 2, 2):
        held.keep()
        assert lease.renewed == renewed
        clock.run_until(clock.now() + 2.5)


def test_it_is_given_up_before_it_may_have_expired(held: HeldLease, lease: Faulty, clock: MemoryClock) -> None:
    lease.down = True
    clock.run_until(clock.now() + 9.9)
    held.keep()
    clock.run_until(clock.now() + 0.1)
    with pytest.raises(LeaseNotRenewed) as refusal:
        held.keep()
    assert str(refusal.value) == (
        "the lease of web could not be renewed in time, so nothing further was done and what runs stays as it is. "
        "Nobody is known to have taken over: no answer. When that is mended, deployer.resume('web') goes on"
    )


def test_it_is_lost_when_somebody_else_has_it(held: HeldLease, lease: Faulty, clock: MemoryClock) -> None:
    clock.run_until(clock.now() + TTL_S + 1)
    lease.acquire("web", "bob@host:2", TTL_S)
    with pytest.raises(LeaseLost) as refusal:
        held.keep()
    assert not isinstance(refusal.value, LeaseNotRenewed)
