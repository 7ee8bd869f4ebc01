"""From registrations to Traefik's dynamic configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zdd.adapters.traefik.proxy import ENTRY_POINT
from zdd.model.address import Address
from zdd.model.service import Exposure
from zdd.model.traffic import Registration

_HOST_PRIORITY = 1_000_000  # a router for this very host comes before all those for any host
_UNUSED_PRIORITY = 1  # a service without registrations gives way to any other that has the same way in

_TRANSPORT = {
    # A connection that nobody uses any more is closed soon: what the kernel counts is then what is really in flight,
    # and no request is sent into a connection that the application is just closing because it was idle.
    "forwardingTimeouts": {"dialTimeout": "5s", "responseHeaderTimeout": "0s", "idleConnTimeout": "500ms"},
    "maxIdleConnsPerHost": 512,
}
_ROOM_TRANSPORT = {
    "forwardingTimeouts": {"dialTimeout": "5s", "responseHeaderTimeout": "0s"},
    "maxIdleConnsPerHost": -1,  # one connection a request: nothing stays in the room after its release
}


def traefik_name(service: str, port: str) -> str:
    """Return what Traefik calls the service and the router of this exposure; no two exposures share it."""
    return f"{service}_{port}"


def room_transport(service: str) -> str:
    """Return the name of the transport by which Traefik sends to the holding room, and to nothing else."""
    return f"{service}_room"


def render(
    service: str,
    exposures: Sequence[Exposure],
    registrations: Sequence[Registration],
    room: Mapping[str, Address] | None,
) -> dict[str, Any]:
    """Return Traefik's dynamic configuration of one service.

    Args:
        service: Its name.
        exposures: Its ways in; each becomes a router and a Traefik service.
        registrations: Those with a weight above 0 get new requests, at the ports that they have: an exposure that has
            only just been added has no instance yet.
        room: Port name → where requests are held; None: they are not.
    """
    if not exposures:
        return {}
    routers = {}
    services = {}
    for exposure in exposures:
        name = traefik_name(service, exposure.port)
        routers[name] = {
            "entryPoints": [ENTRY_POINT],
            "rule": rule(exposure),
            "priority": priority(exposure) if registrations or room else _UNUSED_PRIORITY,
            "service": name,
        }
        held_at = room.get(exposure.port) if room else None
        if held_at is not None:
            servers = [{"url": f"http://{held_at}", "weight": 1}]
        else:
            servers = [
                {"url": f"http://{registration.addresses[exposure.port]}", "weight": registration.weight}
                for registration in registrations
                if registration.weight > 0 and exposure.port in registration.addresses
            ]
        transport = room_transport(service) if held_at is not None else service
        services[name] = {"loadBalancer": {"servers": servers, "passHostHeader": True, "serversTransport": transport}}
    transports = {service: _TRANSPORT, room_transport(service): _ROOM_TRANSPORT}
    return {"http": {"routers": routers, "services": services, "serversTransports": transports}}


def rule(exposure: Exposure) -> str:
    """Return the rule of Traefik's that matches the requests of this exposure."""
    path = normal_path(exposure.path)
    # Traefik's own PathPrefix(`/api`) matches /apiary too.
    matches_path = f"(Path(`{path}`) || PathPrefix(`{path}/`))" if path else "PathPrefix(`/`)"
    return matches_path if exposure.host is None else f"Host(`{exposure.host.lower()}`) && {matches_path}"


def normal_path(path: str) -> str:
    """Return the path without the slash at its end: ``/api/`` and ``/api`` match the same requests."""
    return path.rstrip("/")


def priority(exposure: Exposure) -> int:
    """Return the order among routers: the host counts first, then the longest path."""
    return _UNUSED_PRIORITY + 1 + len(exposure.path) + (_HOST_PRIORITY if exposure.host is not None else 0)
