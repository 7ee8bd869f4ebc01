"""Where an instance can be reached."""

from __future__ import annotations

from attrs import frozen


@frozen(order=True, cache_hash=True)  # every look counts and compares by address
class Address:
    """A host and a port in the network that the edges and the deployer share."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
