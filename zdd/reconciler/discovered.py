"""What discovery knows, in the ways in which it is looked up. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from zdd.model.address import Address
from zdd.model.cached import cached_property
from zdd.model.cell import Cell
from zdd.model.traffic import Registration


@frozen(slots=False)
class Discovered:
    """What discovery knows.

    Attributes:
        registrations: As it says it.
        ports: The names of the ports at which edges reach instances.
    """

    registrations: tuple[Registration, ...]
    ports: tuple[str, ...]

    @cached_property
    def by_instance(self) -> Mapping[str, Registration]:
        """By instance."""
        return {registration.instance: registration for registration in self.registrations}

    def of(self, cell: Cell) -> tuple[Registration | None, ...]:
        """Return what it knows of each instance of a cell, in their order."""
        return tuple(map(self.by_instance.get, cell.members))

    @cached_property
    def weights(self) -> Mapping[str, int]:
        """The weight of each instance; 0: it is out."""
        return {registration.instance: registration.weight for registration in self.registrations}

    @cached_property
    def told(self) -> Mapping[Address, int]:
        """The weight of every address that is to have traffic."""
        ports = frozenset(self.ports)
        return {
            address: registration.weight
            for registration in self.registrations
            if registration.weight > 0
            for port, address in registration.addresses.items()
            if port in ports
        }
