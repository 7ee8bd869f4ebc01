"""Remembers the greatest token, per service."""

from __future__ import annotations

from zdd.errors import LeaseLost
from zdd.interfaces import Fence


class MemoryFences:
    """The greatest fence that was accepted, per service."""

    def __init__(self) -> None:
        self._greatest: dict[str, Fence] = {}

    def accept(self, service: str, fence: Fence) -> None:
        """Remember the fence.

        Raises:
            LeaseLost: A greater token was accepted for this service.
        """
        greatest = self._greatest.get(service)
        if greatest is not None and fence.token < greatest.token:
            raise LeaseLost(
                f"{fence.holder} (token {fence.token}) no longer has the lease of {service}: "
                f"{greatest.holder} (token {greatest.token}) has taken over"
            )
        self._greatest[service] = fence
