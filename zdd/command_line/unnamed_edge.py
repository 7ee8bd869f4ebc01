"""What stands where a call names no edge: it refuses to change anything of a service that has ways in.

A call without the edges that the others named would stop instances that still get requests, and take the tags away by
which Traefik finds them.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.release import Specification
from zdd.model.service import Service
from zdd.model.traffic import EdgeAbilities, EdgeView

NAME_THEM = (
    "name the edges that every call names, with --haproxy and --traefik or in $ZDD_HAPROXY and $ZDD_TRAEFIK; or say "
    "--no-edge, if clients ask Consul themselves"
)


@frozen
class UnnamedEdge:
    """An edge that nobody has named."""

    name: str = "the edge"
    abilities: EdgeAbilities = field(factory=EdgeAbilities)

    def addresses(self, service: Service) -> dict[str, Address]:  # noqa: ARG002 - the protocol's signature
        """Return none."""
        return {}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:  # noqa: ARG002 - as above
        """Raise `TemporaryError`: it can't be asked."""
        raise TemporaryError(f"this call names none: {NAME_THEM}")

    def inspect(self, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:  # noqa: ARG002
        """Refuse the deployment."""
        problem = "has ways in, and this call names no edge, so nobody would see when requests have stopped"
        return (Finding(service.name, problem, NAME_THEM, Severity.ERROR),)
