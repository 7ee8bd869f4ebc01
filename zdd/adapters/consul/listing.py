"""One port of one instance: as it should be registered, and as Consul lists it.

What decides whether it gets requests is a check of zdd's own, which no agent ever changes by itself: *passing* is in,
*warning* is out. A warning has the weight 0, and leaves the address in DNS and in the catalog, so that edges go on
counting what is in flight there. The weight in Consul is scaled; the true one is in the service's meta.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from attrs import frozen

from zdd.adapters.consul.weights import STEP
from zdd.errors import PermanentError
from zdd.model.address import Address
from zdd.model.traffic import Registration

IN, OUT = "passing", "warning"
ENDLESS = "876000h"
META_BYTES_MAX = 512
_MARK = "zdd-service"
_DIGITS_MAX = 18


def service_id(service: str, port: str, instance: str) -> str:
    """Return the id under which Consul knows this port of this instance."""
    return f"zdd:{service}:{port}:{instance}"


def check_id(service_id: str) -> str:
    """Return the id of zdd's own check."""
    return f"{service_id}:traffic"


@frozen
class Wanted:
    """One port of one instance, as it should be registered.

    Attributes:
        service: The service's name.
        name: The name under which Consul lists it.
        port: The port's name.
        registration: The instance's.
        weight: What Consul is told, while it is in.
        tags: Consul's.
        checks: Definitions of the checks besides zdd's own.
    """

    service: str
    name: str
    port: str
    registration: Registration
    weight: int
    tags: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """The id under which Consul knows it."""
        return service_id(self.service, self.port, self.registration.instance)

    @property
    def address(self) -> Address:
        """Where it can be reached."""
        return self.registration.addresses[self.port]

    @property
    def effect(self) -> int:
        """The weight that edges see."""
        return self.weight if self.registration.weight > 0 else 0

    @property
    def status(self) -> str:
        """What zdd's own check should say."""
        return IN if self.registration.weight > 0 else OUT

    def meta(self) -> dict[str, str]:
        """What is kept with it, and compared."""
        digest = hashlib.sha256(json.dumps([self.tags, self.checks], sort_keys=True).encode()).hexdigest()
        return {
            _MARK: self.service,
            "zdd-port": self.port,
            "zdd-instance": self.registration.instance,
            "zdd-cell": self.registration.cell,
            "zdd-revision": self.registration.revision,
            "zdd-version": self.registration.version,
            "zdd-weight": str(self.registration.weight),
            "zdd-definition": digest[:16],
        }

    def definition(self, token: int) -> dict[str, Any]:
        """Return it as an agent is told, with the fencing token for who looks at it."""
        own = {"CheckID": check_id(self.id), "Name": "traffic by zdd", "TTL": ENDLESS, "Status": self.status}
        return {
            "ID": self.id,
            "Name": self.name,
            "Address": self.address.host,
            "Port": self.address.port,
            "Tags": list(self.tags),
            "Meta": {**self.meta(), "zdd-token": str(token)},
            "Weights": {"Passing": self.weight, "Warning": 0},
            "Checks": [own, *self._more_checks()],
        }

    def _more_checks(self) -> list[dict[str, Any]]:
        # What is registered was proven a moment ago: it need not wait for the agent's first look.
        return [
            {"CheckID": f"{self.id}:check-{number}", "Status": IN, **check}
            for number, check in enumerate(self.checks, 1)
        ]


@frozen
class Listed:
    """One port of one instance, as Consul's health endpoint lists it.

    Attributes:
        id: Its id.
        name: The name under which it is listed.
        node: The node of the agent that registered it.
        node_alive: The cluster can reach that node.
        meta: What is kept with it.
        address: Where it can be reached.
        weight: What edges see while all its checks pass.
        status: What zdd's own check says.
    """

    id: str
    name: str
    node: str
    node_alive: bool
    meta: Mapping[str, str]
    address: Address
    weight: int
    status: str

    @property
    def effect(self) -> int:
        """The weight that edges see as far as it is up to zdd."""
        return self.weight if self.status == IN else 0

    @property
    def told(self) -> int:
        """The weight that zdd gave, or 0 while it is out.

        Raises:
            PermanentError: It is not a number: somebody else wrote there.
        """
        text = self.meta.get("zdd-weight", "")
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
            raise self._damaged(f"its meta says zdd-weight {text!r}")
        return max(1, int(text)) if self.status == IN else 0

    @property
    def port(self) -> str:
        """The port's name."""
        return self._said("zdd-port")

    @property
    def instance(self) -> str:
        """The instance's id."""
        return self._said("zdd-instance")

    def is_as(self, wanted: Wanted) -> bool:
        """Tell whether it is registered as wanted, but for zdd's own check. The weight matters only while it is in."""
        idle = {} if wanted.effect else {"zdd-weight": self.meta.get("zdd-weight", "")}
        same = all(self.meta.get(key) == value for key, value in {**wanted.meta(), **idle}.items())
        return same and self.address == wanted.address and (not wanted.effect or self.weight == wanted.weight)

    def registration(self, addresses: Mapping[str, Address], weight: int) -> Registration:
        """Return the instance's registration, of which this is one port."""
        cell, revision, version = (self._said(f"zdd-{part}") for part in ("cell", "revision", "version"))
        return Registration(self.instance, cell, revision, version, addresses, weight)

    def _said(self, key: str) -> str:
        if key not in self.meta:
            raise self._damaged(f"its meta has no {key}")
        return self.meta[key]

    def _damaged(self, why: str) -> PermanentError:
        return PermanentError(
            f"Consul's service {self.id!r} at node {self.node} says it is zdd's, but {why}: "
            "somebody else has changed it; deregister it, and zdd registers it again"
        )


def parse_listing(item: Any) -> Listed:
    """Return one item of the health endpoint's answer.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: It is not as Consul answers.
    """
    service = item["Service"]
    own = check_id(service["ID"])
    statuses = [str(check["Status"]) for check in item["Checks"] if check["CheckID"] == own]
    meta = {str(key): str(value) for key, value in (service.get("Meta") or {}).items()}
    host = service["Address"] or item["Node"]["Address"]
    weight = int((service.get("Weights") or {}).get("Passing", STEP))
    address = Address(str(host), int(service["Port"]))
    alive = all(check["Status"] == IN for check in item["Checks"] if check["CheckID"] == "serfHealth")
    return Listed(
        id=str(service["ID"]),
        name=str(service["Service"]),
        node=str(item["Node"]["Node"]),
        node_alive=alive,
        meta=meta,
        address=address,
        weight=weight,
        status=(statuses or [""])[0],
    )


def belongs_to(listed: Listed, service: str) -> bool:
    """Tell whether zdd registered it for this service."""
    return listed.meta.get(_MARK) == service


def merge(listed: Sequence[Listed], ports: Sequence[str]) -> tuple[Registration, ...]:
    """Return the instances, sorted, of which these are the ports.

    One whose ports are not all registered in the same way, because a deployer was killed between two of them, has a
    weight that nobody gave it: it is in traffic, and not as anybody wants it.

    Raises:
        PermanentError: One was changed by somebody else.
    """
    instances: dict[str, list[Listed]] = {}
    for one in listed:
        if one.port in ports:
            instances.setdefault(one.instance, []).append(one)
    merged = []
    for _, parts in sorted(instances.items()):
        weights = [part.told for part in parts]
        weights += [0] * (len(ports) - len({part.port for part in parts}))
        same = len(set(weights)) == 1 and len(parts) <= len(ports) and len({_identity(part) for part in parts}) == 1
        weight = weights[0] if same else _given_to_none(weights) if any(weights) else 0
        merged.append(parts[0].registration({part.port: part.address for part in parts}, weight))
    return tuple(merged)


def _given_to_none(weights: Sequence[int]) -> int:
    return next(weight for weight in count(1) if weight not in weights)


def _identity(listed: Listed) -> tuple[str | None, ...]:
    return tuple(listed.meta.get(f"zdd-{part}") for part in ("cell", "revision", "version"))
