"""Two leases in one: a service's, and the stack's while it is held."""

from __future__ import annotations

from collections.abc import Callable

from zdd.interfaces import Fence, Holder, Lease


class BothLeases:
    """Leases of services, which keep the stack's as well: whoever has lost that does nothing further.

    Args:
        lease: Keeps all of them.
        stack: The name under which the stack's is kept.
        fence: The stack's.
        ttl_s: For how long the stack's is kept each time, in seconds.
    """

    def __init__(self, lease: Lease, stack: str, fence: Fence, ttl_s: float) -> None:
        self._lease = lease
        self._keep: Callable[[], None] = lambda: lease.renew(stack, fence, ttl_s)

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take a service's. Raises as `Lease.acquire` does, and `LeaseLost` if the stack's is lost."""
        self._keep()
        return self._lease.acquire(service, holder, ttl_s)

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep both. Raises as `Lease.renew` does."""
        self._keep()
        self._lease.renew(service, fence, ttl_s)

    def release(self, service: str, fence: Fence) -> None:
        """Let go of the service's."""
        self._lease.release(service, fence)

    def holder(self, service: str) -> Holder | None:
        """Return who holds a service's, or None."""
        return self._lease.holder(service)
