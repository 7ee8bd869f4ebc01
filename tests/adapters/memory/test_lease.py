from __future__ import annotations

import pytest

from zdd.adapters.memory import MemoryClock, MemoryLease
from zdd.errors import DeploymentInProgress, LeaseLost
from zdd.interfaces import Holder


def test_one_at_a_time_and_the_other_is_told_who_and_since_when() -> None:
    clock = MemoryClock(100.0)
    lease = MemoryLease(clock)
    lease.acquire("web", "ann@host:1", 30.0)
    clock.wait(120.0)
    with pytest.raises(DeploymentInProgress, match="ann@host:1 for 20 s") as caught:
        lease.acquire("web", "bob@host:2", 30.0)
    assert (caught.value.holder, caught.value.since_s) == ("ann@host:1", 100.0)
    assert lease.holder("web") == Holder("ann@host:1", 100.0, 130.0)
    assert lease.acquire("other", "bob@host:2", 30.0).token == 1


def test_an_expired_lease_goes_to_the_next_with_a_greater_token() -> None:
    clock = MemoryClock(100.0)
    lease = MemoryLease(clock)
    old = lease.acquire("web", "ann", 30.0)
    clock.wait(131.0)
    assert lease.holder("web") is None
    new = lease.acquire("web", "bob", 30.0)
    assert new.token > old.token
    with pytest.raises(LeaseLost, match="ann no longer"):
        lease.renew("web", old, 30.0)
    lease.release("web", old)
    assert lease.holder("web") == Holder("bob", 131.0, 161.0)


def test_renewing_moves_only_the_end_and_keeps_even_an_expired_one_that_nobody_took() -> None:
    clock = MemoryClock(100.0)
    lease = MemoryLease(clock)
    fence = lease.acquire("web", "ann", 30.0)
    clock.wait(140.0)
    lease.renew("web", fence, 30.0)
    assert lease.holder("web") == Holder("ann", 100.0, 170.0)


def test_tokens_grow_across_releases() -> None:
    lease = MemoryLease(MemoryClock())
    tokens = []
    for _ in range(3):
        fence = lease.acquire("web", "ann", 30.0)
        tokens.append(fence.token)
        lease.release("web", fence)
        lease.release("web", fence)
    assert tokens == sorted(set(tokens))
    with pytest.raises(LeaseLost):
        lease.renew("web", fence, 30.0)
