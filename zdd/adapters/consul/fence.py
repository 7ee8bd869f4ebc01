"""Fencing: the greatest token of a service that was granted or accepted, in one key for everything kept in Consul."""

from __future__ import annotations

from attrs import frozen

from zdd.adapters.consul.store import Entry, Operation, Store, encode_record, replace, unchanged
from zdd.errors import LeaseLost
from zdd.interfaces import Fence


@frozen
class FenceKey:
    """What is known of a service's fence.

    Attributes:
        entry: The key, as it was read.
        greatest: The greatest fence so far.
    """

    entry: Entry
    greatest: Fence

    @classmethod
    def read(cls, store: Store, service: str) -> FenceKey:
        """Ask for it.

        Raises:
            PermanentError: What is there was not written by zdd.
        """
        return cls.of(store.get(store.heads(service) + "fence"))

    @classmethod
    def of(cls, entry: Entry) -> FenceKey:
        """Read it from its entry. Raises as `read` does."""
        match entry.record():
            case {"token": int(token), "holder": str(holder)} if token >= 0 and not isinstance(token, bool):
                return cls(entry, Fence(token, holder))
            case _ if entry.index:
                raise entry.damaged()
        return cls(entry, Fence(0, ""))

    def check(self, service: str, fence: Fence) -> None:
        """Refuse a deployer that isn't the last one.

        Raises:
            LeaseLost: A greater token was granted or accepted.
        """
        if fence.token < self.greatest.token:
            raise LeaseLost(
                f"a newer deployer has taken over {service}: {self.greatest.holder} "
                f"(token {self.greatest.token}, ours is {fence.token})"
            )

    def accept(self, fence: Fence) -> Operation:
        """The operation that lets a write happen only while nobody else has claimed, and that claims."""
        if fence.token == self.greatest.token:
            return unchanged(self.entry)
        return replace(self.entry, encode_record(token=fence.token, holder=fence.holder))
