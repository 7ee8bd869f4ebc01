"""The lease that a deployer holds, kept for as long as it works."""

from __future__ import annotations

from collections.abc import Callable

from zdd.errors import LeaseNotRenewed, TemporaryError
from zdd.interfaces import Fence, Lease


class HeldLease:
    """Renews a lease in time.

    Args:
        lease: Where it is held.
        service: The service's name.
        fence: With what.
        ttl_s: How long it lasts when it is not renewed, in seconds.
        renewed_s: When it was asked for, in seconds since the epoch.
        now: Tells the time, in seconds since the epoch.
    """

    def __init__(
        self, lease: Lease, service: str, fence: Fence, ttl_s: float, renewed_s: float, now: Callable[[], float]
    ) -> None:
        self._lease = lease
        self._service = service
        self._fence = fence
        self._ttl_s = ttl_s
        self._renewed_s = renewed_s
        self._now = now

    def keep(self) -> None:
        """Renew it if a third of its time has passed.

        Raises:
            LeaseLost: Somebody else has it.
            LeaseNotRenewed: It could not be renewed, and may expire soon. Nobody is known to have it.
        """
        now = self._now()
        if now < self._renewed_s + self._ttl_s / 3:
            return
        try:
            self._lease.renew(self._service, self._fence, self._ttl_s)
        except TemporaryError as error:
            if now >= self._renewed_s + self._ttl_s * 2 / 3:
                raise LeaseNotRenewed(
                    f"the lease of {self._service} could not be renewed in time, so nothing further was done and what "
                    f"runs stays as it is. Nobody is known to have taken over: {error}. When that is mended, "
                    f"deployer.resume({self._service!r}) goes on"
                ) from error
        else:
            self._renewed_s = now
