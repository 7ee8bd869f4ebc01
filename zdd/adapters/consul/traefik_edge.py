"""A Traefik that the user runs, and that reads Consul's catalog itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from zdd.adapters.consul.discovery import default_name
from zdd.adapters.traefik.api import ask, open_client, routed_servers
from zdd.adapters.traefik.connections import can_count, established
from zdd.model.address import Address
from zdd.model.service import Exposure, Service
from zdd.model.traffic import EdgeAbilities, EdgeView


class CatalogTraefikEdge:
    """Asks a Traefik with the provider ``consulCatalog``. May be used by several threads.

    That provider does not know weights: every instance gets the same share. What is in flight is the kernel's count of
    connections to the instance, where it runs on this machine; of others it is unknown.

    Traefik has to be told to leave out what has a warning, to follow at once, and to close idle connections soon, which
    would be counted as well::

        providers:
          providersThrottleDuration: 100ms
          consulCatalog: {watch: true, strictChecks: [passing]}
        serversTransport: {forwardingTimeouts: {idleConnTimeout: 500ms}}

    Args:
        api: Where its API answers.
        entrances: By port name, where clients reach the service through it.
        name_for: Consul's name for an exposure, as the discovery has it; Traefik takes it for its own.
    """

    def __init__(
        self,
        api: Address,
        entrances: Mapping[str, Address],
        *,
        name_for: Callable[[Service, Exposure], str] = default_name,
    ) -> None:
        self._api = api
        self._entrances = dict(entrances)
        self._name_for = name_for

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"traefik with its API at {self._api}"

    @property
    def abilities(self) -> EdgeAbilities:
        """It neither weighs nor holds; it counts where the kernel shows its table of connections."""
        return EdgeAbilities(weighs=False, holds=False, counts=can_count())

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, where clients reach the service."""
        return {one.port: self._entrances[one.port] for one in service.exposures if one.port in self._entrances}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Ask Traefik where new requests of this service go, then the kernel what is in flight at the addresses.

        Raises:
            TemporaryError: Traefik doesn't answer.
        """
        as_of_s = time.time()
        names = [self._name_for(service, exposure) for exposure in service.exposures]
        client = open_client(self.name, self._api)
        try:
            started = ask(self.name, client, "/api/version").get("startDate", "")
            answers = [ask(self.name, client, f"/api/http/services/{name}@consulcatalog") for name in names]
        finally:
            client.close()
        found = [routed_servers(answer) for answer in answers]
        return EdgeView(
            edge=self.name,
            as_of_s=as_of_s,
            weights={address: 1 for servers, _ in found for address in servers},
            in_flight=established(addresses),
            process=f"traefik since {started}",
            note="; ".join(note for _, note in found if note),
        )
