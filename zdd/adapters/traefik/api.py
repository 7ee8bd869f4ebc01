"""Traefik's own interface: what it says of its services."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from zdd.errors import TemporaryError
from zdd.model.address import Address

TIMEOUT_S = 2.0


def open_client(edge: str, address: Address) -> http.client.HTTPConnection:
    """Connect to the interface of the edge of this name.

    Raises:
        TemporaryError: Nobody is there.
    """
    client = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
    try:
        client.connect()
    except OSError as error:
        raise TemporaryError(f"{edge} doesn't answer: {error}") from error
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def ask(edge: str, client: http.client.HTTPConnection, path: str) -> dict[str, Any]:
    """Return what is answered; nothing if there is no such thing.

    Raises:
        TemporaryError: There was no whole answer, or not one of Traefik's.
    """
    try:
        client.request("GET", path)
        response = client.getresponse()
        body = response.read()
        if response.status == http.client.NOT_FOUND:
            return {}
        answer = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TemporaryError(f"{edge} doesn't answer: {error}") from error
    if response.status != http.client.OK or not isinstance(answer, dict):
        raise TemporaryError(f"{edge} answers {response.status} {body[:200]!r}")
    return answer


def routed_servers(edge: str, answer: dict[str, Any]) -> tuple[dict[Address, int], str]:
    """Return the servers to which a service sends, with their weights; and why it sends nothing, if it does not.

    Raises:
        TemporaryError: It isn't one of Traefik's services.
    """
    if not answer:
        return {}, ""
    if answer.get("status") != "enabled" or not answer.get("usedBy"):
        return {}, f"{answer.get('name')} is {answer.get('status')} and used by {answer.get('usedBy')}"
    try:
        return dict(map(_server, answer.get("loadBalancer", {}).get("servers", ()))), ""
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TemporaryError(f"{edge} answers with servers that are not Traefik's: {error!r}") from error


def _server(server: dict[str, Any]) -> tuple[Address, int]:
    host, _, port = server["url"].partition("://")[2].rpartition(":")
    return Address(host.strip("[]"), int(port)), int(server.get("weight", 1))
