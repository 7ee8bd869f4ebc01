"""What Traefik itself says about where requests go, and the kernel about what is in flight."""

from __future__ import annotations

import http.client
import json
import socket
import threading
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
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

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
        with self._lock:
            answers = [self._ask(traefik_name(service.name, exposure.port)) for exposure in service.exposures]
            process = self._connection.process if self._connection else ""
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
            process=process,
            note="; ".join(notes),
        )

    def close(self) -> None:
        """Close the connection to Traefik; the next look opens another."""
        with self._lock:
            self._disconnect()

    def _ask(self, name: str) -> dict[str, Any]:
        """Return what Traefik says of one of its services; nothing if it does not know it."""
        reused = self._connection is not None
        try:
            return self._ask_once(name)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._disconnect()
            if not reused or isinstance(error, TimeoutError):
                raise TemporaryError(f"{self.name} doesn't answer: {error}") from error
        return self._ask(name)  # the kept connection may have been closed long ago: once more by a fresh one

    def _ask_once(self, name: str) -> dict[str, Any]:
        if self._connection is None:
            self._connection = self._connect()
        client = self._connection.client
        client.request("GET", f"/api/http/services/{name}@file")
        response = client.getresponse()
        body = response.read()
        if response.status == http.client.NOT_FOUND:
            return {}
        answer = json.loads(body)
        if response.status != http.client.OK or not isinstance(answer, dict):
            raise ValueError(f"{response.status} {body[:200]!r}")
        return answer

    def _connect(self) -> _Connection:
        """Open a connection, and name the process at its other end."""
        before = self._proxy.identity
        address = self._proxy.api_address
        client = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
        client.connect()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._proxy.identity != before:
            client.close()
            raise TemporaryError(f"{self.name} was restarted a moment ago")
        return _Connection(client, before)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.client.close()
            self._connection = None


def _servers(balancer: dict[str, Any]) -> dict[Address, int]:
    servers = {}
    for server in balancer.get("servers", ()):
        host, _, port = server["url"].removeprefix("http://").rpartition(":")
        servers[Address(host.strip("[]"), int(port))] = server.get("weight", 1)
    return servers
