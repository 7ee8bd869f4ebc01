"""What the Swarm services of a service's cells are called. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from zdd.adapters.swarm import labels
from zdd.adapters.swarm.container import Container, read_container
from zdd.errors import ConfigurationError
from zdd.model.release import Revision
from zdd.model.service import Service

Json = dict[str, Any]


@frozen
class CellNames:
    """What the Swarm services of cells are called.

    Attributes:
        stated: Service → the Swarm service that is its first cell, where that has another name.
    """

    stated: Mapping[str, str] = field(factory=dict)

    def first(self, service: Service) -> str:
        """Return the name of the first cell's, as far as it is known without looking."""
        return self.stated.get(service.name, service.name)

    def prefixes(self, service: Service) -> tuple[str, ...]:
        """Return what all of them begin with; a stack's ``shop_web`` is found under ``shop``."""
        return tuple(sorted({service.name.partition("-")[0], self.first(service)}))

    def original(self, service: Service, found: Mapping[str, Json], revision: Revision) -> str:
        """Return the name of the Swarm service that is, or was, the first cell.

        Args:
            service: The service.
            found: Cell → the Swarm service that was found.
            revision: What is to run; its workload may state the name.
        """
        if service.name in self.stated:
            return self.stated[service.name]
        stated = read_container(revision.workload).service_name if revision.workload else None
        there = found.get(service.name)
        return stated or (str(there["Spec"]["Name"]) if there is not None else service.name)

    def of_cell(self, service: Service, cell: str, first: str) -> str:
        """Return what the Swarm service of a cell is called, when that of the first one is called `first`."""
        if cell == service.name:  # what has the name of a stack's service is a cell of that name
            return f"{first}-1" if service.name in self.stated and first != service.name else first
        if cell == first or service.name not in self.stated:
            return cell if cell == first or cell.startswith(f"{service.name}-") else f"{service.name}-{cell}"
        return first + cell.removeprefix(service.name) if cell.startswith(f"{service.name}-") else f"{first}-{cell}"

    def wanted(self, service: Service, container: Container) -> str:
        """Return what the first one is to be called.

        Raises:
            ConfigurationError: By the name that the container states it could not be found again.
        """
        stated = container.service_name
        if stated is not None and not stated.startswith(service.name.partition("-")[0]):
            raise ConfigurationError(
                f"service_name {stated} of {service.name}: let both begin with the same letters, up to the first "
                "hyphen or underscore"
            )
        return stated or self.first(service)


def check_free(service: Service, first: str, named: Sequence[Json]) -> None:
    """Look whether the first cell's name can be had.

    Args:
        service: The service.
        first: The name.
        named: The Swarm services whose names begin with it.

    Raises:
        ConfigurationError: Somebody else's Swarm service has it.
    """
    for one in named:
        owner = (one["Spec"].get("Labels") or {}).get(labels.SERVICE)
        if one["Spec"]["Name"] == first:
            raise ConfigurationError(
                f"the Swarm service {first} belongs to {owner or 'nobody that zdd knows'}: give {service.name} "
                "another name"
            )
