"""What Traefik itself says about where requests go, and the kernel about what is in flight."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from zdd.adapters.traefik.connections import can_count, established
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.adapters.traefik.rendering import room_transport, traefik_name
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.service import Service
from zdd.model.traffic import EdgeAbilities, EdgeView

TIMEOUT_S = 2.0


@frozen
class _Connection:
    client: http.client.HTTPConnection
    process: str


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

        A connection counts while the application's side of it is established, whoever opened it.
        """
        as_of_s = time.time()
        connection = self._connect()
        try:
            answers = [self._ask(connection, traefik_name(service.name, one.port)) for one in service.exposures]
        finally:
            connection.client.close()
        weights: dict[Address, int] = {}
        notes = []
        held = []
        for answer in answers:
            balancer = answer.get("loadBalancer", {})
            routed = answer.get("status") == "enabled" and bool(answer.get("usedBy"))
            servers = _servers(balancer) if routed else {}
            if answer and not routed:
                notes.append(f"{answer.get('name')} is {answer.get('status')} and used by {answer.get('usedBy')}")
            in_room = balancer.get("serversTransport", "").partition("@")[0] == room_transport(service.name)
            held.append(bool(servers) and in_room)
            weights |= {} if in_room else servers
        return EdgeView(
            edge=self.name,
            as_of_s=as_of_s,
            held=bool(held) and all(held),
            weights=weights,
            in_flight=established(addresses),
            process=connection.process,
            note="; ".join(notes),
        )

    def _ask(self, connection: _Connection, name: str) -> dict[str, Any]:
        """Return what Traefik says of one of its services; nothing if it does not know it."""
        try:
            connection.client.request("GET", f"/api/http/services/{name}@file")
            response = connection.client.getresponse()
            body = response.read()
            if response.status == http.client.NOT_FOUND:
                return {}
            answer = json.loads(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TemporaryError(f"{self.name} doesn't answer: {error}") from error
        if response.status != http.client.OK or not isinstance(answer, dict):
            raise TemporaryError(f"{self.name} answers {response.status} {body[:200]!r}")
        return answer

    def _connect(self) -> _Connection:
        """Open a connection, and name the process at its other end."""
        before = self._proxy.identity
        try:
            address = self._proxy.api_address
            client = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
            client.connect()
        except OSError as error:
            raise TemporaryError(f"{self.name} doesn't answer: {error}") from error
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._proxy.identity != before:
            client.close()
            raise TemporaryError(f"{self.name} was restarted a moment ago")
        return _Connection(client, before)


def _servers(balancer: dict[str, Any]) -> dict[Address, int]:
    servers = {}
    for server in balancer.get("servers", ()):
        host, _, port = server["url"].removeprefix("http://").rpartition(":")
        servers[Address(host.strip("[]"), int(port))] = server.get("weight", 1)
    return servers
