"""Whoever keeps the lease of a service keeps the stack's too, and does nothing further without it."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import MemoryClock, MemoryLease
from zdd.errors import LeaseLost
from zdd.stacks.both_leases import BothLeases

TTL_S = 10.0


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def lease(clock: MemoryClock) -> MemoryLease:
    return MemoryLease(clock)


@pytest.fixture
def both(lease: MemoryLease) -> BothLeases:
    return BothLeases(lease, "stack:shop", lease.acquire("stack:shop", "ann", TTL_S), TTL_S)


def test_while_a_service_is_kept_the_stack_is(clock: MemoryClock, lease: MemoryLease, both: BothLeases) -> None:
    clock.run_until(clock.now() + 0.9 * TTL_S)
    fence = both.acquire("web", "ann", TTL_S)
    for _ in range(3):
        clock.run_until(clock.now() + 0.9 * TTL_S)
        both.renew("web", fence, TTL_S)
    for name in ("web", "stack:shop"):
        held = lease.holder(name)
        assert held is not None
        assert (held.name, held.expires_s) == ("ann", clock.now() + TTL_S)


def test_who_lets_go_of_a_service_still_has_the_stack(lease: MemoryLease, both: BothLeases) -> None:
    both.release("web", both.acquire("web", "ann", TTL_S))
    assert both.holder("web") is None
    assert lease.holder("stack:shop") is not None


def test_who_has_lost_the_stack_gets_and_keeps_no_service(
    clock: MemoryClock, lease: MemoryLease, both: BothLeases
) -> None:
    fence = both.acquire("web", "ann", TTL_S)
    clock.run_until(clock.now() + TTL_S)
    lease.acquire("stack:shop", "bob", TTL_S)
    with pytest.raises(LeaseLost):
        both.renew("web", fence, TTL_S)
    with pytest.raises(LeaseLost):
        both.acquire("api", "ann", TTL_S)
    assert lease.holder("api") is None
