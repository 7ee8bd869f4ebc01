"""A lease that lives as long as the object."""

from __future__ import annotations

from zdd.errors import DeploymentInProgress, LeaseLost
from zdd.interfaces import Clock, Fence, Holder, gives_way


class MemoryLease:
    """Lets one deployer at a time change a service, by one clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, int] = {}
        self._holders: dict[str, tuple[int, Holder]] = {}

    def acquire(self, service: str, holder: str, ttl_s: float) -> Fence:
        """Take the lease for `ttl_s` seconds. The fence's token is greater than all before it for this service.

        Raises:
            DeploymentInProgress: It is held and has not expired.
        """
        now_s = self._clock.now()
        current = self.holder(service)
        if current is not None and not gives_way(current.name, holder):
            raise DeploymentInProgress(
                f"{service} is being deployed by {current.name} for {now_s - current.since_s:.0f} s",
                holder=current.name,
                since_s=current.since_s,
            )
        token = self._tokens[service] = self._tokens.get(service, 0) + 1
        self._holders[service] = (token, Holder(holder, now_s, now_s + ttl_s))
        return Fence(token, holder)

    def renew(self, service: str, fence: Fence, ttl_s: float) -> None:
        """Keep it for another `ttl_s` seconds from now. An expired one that nobody took is kept too.

        Raises:
            LeaseLost: Somebody else took it, or it was released.
        """
        token, holder = self._holders.get(service, (0, None))
        if holder is None or token != fence.token:
            raise LeaseLost(f"{fence.holder} no longer has the lease of {service}")
        self._holders[service] = (token, Holder(holder.name, holder.since_s, self._clock.now() + ttl_s))

    def release(self, service: str, fence: Fence) -> None:
        """Let go of it, if it is still held."""
        if service in self._holders and self._holders[service][0] == fence.token:
            del self._holders[service]

    def holder(self, service: str) -> Holder | None:
        """Return who holds it; None if nobody does or the time is over."""
        if service not in self._holders:
            return None
        holder = self._holders[service][1]
        return holder if holder.expires_s > self._clock.now() else None
