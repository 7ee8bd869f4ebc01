"""What Traefik itself says about where requests go, and the kernel about what is in flight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

from zdd.adapters.traefik.api import Conversation, routed_servers
from zdd.adapters.traefik.connections import called, can_count, established
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.adapters.traefik.rendering import room_transport, traefik_name
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.service import Service
from zdd.model.traffic import EdgeAbilities, EdgeView


class TraefikEdge:
    """Asks the Traefik of a state directory. May be used by several threads."""

    def __init__(self, proxy: TraefikProxy) -> None:
        self._proxy = proxy

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"traefik at {self._proxy.address}"

    @property
    def abilities(self) -> EdgeAbilities:
        """It weighs and holds; it counts where the kernel shows its table of connections."""
        return EdgeAbilities(weighs=True, holds=True, counts=can_count())

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, the stable address: that of the proxy."""
        wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named in order not to be given out
        address = self._proxy.address
        stable = Address(wildcards.get(address.host, address.host), address.port)
        return {exposure.port: stable for exposure in service.exposures}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Ask Traefik where new requests of this service go, then the kernel what is in flight at the addresses.

        A connection counts while either side of it is established: the application's, where it runs here, whoever
        called it; and Traefik's, which is all there is to see of one in a container.
        """
        as_of_s = time.time()
        process = self._proxy.identity
        with closing(Conversation(self.name, self._proxy.api_address)) as api:
            if self._proxy.identity != process:
                raise TemporaryError(f"{self.name} was restarted a moment ago")
            names = [traefik_name(service.name, one.port) for one in service.exposures]
            answers = [api.ask(f"/api/http/services/{name}@file") for name in names]
        weights: dict[Address, int] = {}
        notes = []
        held = []
        for answer in answers:
            servers, note = routed_servers(self.name, answer)
            notes += [note] if note else []
            transport = answer.get("loadBalancer", {}).get("serversTransport", "")
            in_room = transport.partition("@")[0] == room_transport(service.name)
            held.append(bool(servers) and in_room)
            weights |= {} if in_room else servers
        return EdgeView(
            edge=self.name,
            as_of_s=as_of_s,
            held=bool(held) and all(held),
            weights=weights,
            in_flight=_in_flight(addresses),
            process=process,
            note="; ".join(notes),
        )


def _in_flight(addresses: Sequence[Address]) -> dict[Address, int]:
    here = established(addresses)
    return {address: max(count, here.get(address, 0)) for address, count in called(addresses).items()}
