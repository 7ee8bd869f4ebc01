"""Where an instance can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from zdd.errors import ConfigurationError
from zdd.model.names import pairs_of


@frozen(order=True, cache_hash=True)  # every look counts and compares by address
class Address:
    """A host and a port in the network that the edges and the deployer share."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def check_address(what: str, value: object) -> None:
    """Check that a person has given the address of something.

    Raises:
        ConfigurationError: It is none, or its port is text, say, which would be like no address that is seen.
    """
    if not isinstance(value, Address) or not isinstance(value.host, str) or not isinstance(value.port, int):
        raise ConfigurationError(f"{what} is {value!r}: use an address such as Address('10.0.0.1', 80)")


def entrances_of(value: Mapping[str, Address]) -> dict[str, Any]:
    """Return by port name where clients reach a service through an edge.

    Raises:
        ConfigurationError: It is no mapping, or one of them is no address.
    """
    found = pairs_of("entrances", value, {"http": Address("10.0.0.1", 80)})
    for name, address in found.items():
        check_address(f"entrance {name!r}", address)
    return found
