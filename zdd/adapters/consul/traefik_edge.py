"""A Traefik that the user runs, and that reads Consul's catalog itself."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing

from zdd.adapters.consul.discovery import default_name
from zdd.adapters.consul.weights import STEP
from zdd.adapters.traefik.api import BoundedClient, Conversation, Freshness, routed_servers
from zdd.adapters.traefik.connections import called, can_count, established, process_at
from zdd.adapters.traefik.rendering import priority, rule
from zdd.errors import ConfigurationError, TemporaryError
from zdd.model.address import Address, check_address, entrances_of
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.names import check_flag, check_function
from zdd.model.release import Specification
from zdd.model.service import Exposure, Service
from zdd.model.traffic import EdgeAbilities, EdgeView

Names = Callable[[Service, Exposure], str]

_COUNT_TIMEOUT_S = 1.0
_COUNTS_TIMEOUT_S = 2.0
_COUNT_BYTES_MAX = 32
_PROVIDER = "consulcatalog"


def weight_tags(
    service: Service, exposure: Exposure, weight: int, *, name_for: Names = default_name
) -> tuple[str, ...]:
    """Return the tag that tells Traefik a weight, for ``ConsulDiscovery(weight_tags_for=weight_tags)``.

    Args:
        service: The service.
        exposure: One of its ways in.
        weight: As Consul has it, a multiple of 256.
        name_for: Consul's name for an exposure, as the discovery has it.
    """
    name = _key(name_for(service, exposure))
    return (f"traefik.http.services.{name}.loadbalancer.server.weight={max(1, weight // STEP)}",)


def route_tags(service: Service, exposure: Exposure, *, name_for: Names = default_name) -> tuple[str, ...]:
    """Return the tags that tell Traefik which requests are this exposure's.

    They are for ``ConsulDiscovery(tags_for=route_tags)``; without them Traefik goes by its own ``defaultRule``. An
    exposure with a host comes before all those without, then the longest path.

    Args:
        service: The service.
        exposure: One of its ways in.
        name_for: Consul's name for an exposure, as the discovery has it.
    """
    router = f"traefik.http.routers.{_key(name_for(service, exposure))}"
    return (f"{router}.rule={rule(exposure)}", f"{router}.priority={priority(exposure)}")


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


class CatalogTraefikEdge:
    """Asks a Traefik with the provider ``consulCatalog``. May be used by several threads.

    What is in flight is known by one of three witnesses; where none of them can say, every drain takes the whole drain
    deadline:

    * the instance's own word, where `in_flight_path` names it;
    * the kernel's table of the connections that Traefik has opened, where Traefik runs beside the deployer, in the same
      network namespace; the deployer has to be permitted to see whose process listens at the API's port;
    * the kernel's table of the connections that an instance has accepted, where that runs beside the deployer.

    The kernel counts idle connections too, so Traefik must close them soon. See ``examples/traefik/traefik.yml``.

    Args:
        api: Where its API answers.
        entrances: By port name, where clients reach the service through it.
        name_for: Consul's name for an exposure, as the discovery has it; Traefik takes it for its own.
        weighs: The discovery has `weight_tags`. Otherwise every instance gets the same share. It is not believed: a
            stage is reached when Traefik itself shows the shares.
        in_flight_path: Where an instance answers how many requests and connections it has in hand, as a number in
            plain text, the question itself not among them. It is asked only when Traefik sends nothing there any more.

    Raises:
        ConfigurationError: The path is none.
    """

    def __init__(
        self,
        api: Address,
        entrances: Mapping[str, Address],
        *,
        name_for: Names = default_name,
        weighs: bool = False,
        in_flight_path: str | None = None,
    ) -> None:
        check_address("api of CatalogTraefikEdge", api)
        check_function("name_for of CatalogTraefikEdge", name_for, "a service and an exposure")
        check_flag("weighs of CatalogTraefikEdge", weighs)
        if in_flight_path is not None and not str(in_flight_path).startswith("/"):
            raise ConfigurationError(f"in_flight_path {in_flight_path!r}: use a path that begins with /")
        self._api = api
        self._entrances: dict[str, Address] = entrances_of(entrances)
        self._name_for = name_for
        self._weighs = weighs
        self._in_flight_path = in_flight_path
        self._located: tuple[str, bool] = ("", False)
        self._freshness = Freshness()

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"traefik with its API at {self._api}"

    @property
    def abilities(self) -> EdgeAbilities:
        """It does not hold; it weighs and counts as far as it was set up for that."""
        return EdgeAbilities(weighs=self._weighs, holds=False, counts=can_count() or self._in_flight_path is not None)

    def addresses(self, service: Service) -> dict[str, Address]:
        """Return, by port name, where clients reach the service."""
        return {one.port: self._entrances[one.port] for one in service.exposures if one.port in self._entrances}

    def view(self, service: Service, addresses: Sequence[Address]) -> EdgeView:
        """Ask Traefik where new requests of this service go, then the witness what is in flight at the addresses.

        Raises:
            TemporaryError: Traefik doesn't answer.
        """
        as_of_s = time.time()
        names = [self._name_for(service, exposure) for exposure in service.exposures]
        with closing(Conversation(self.name, self._api, self._freshness)) as api:
            started = self._started(api)
            answers = [api.ask(f"/api/http/services/{name}@{_PROVIDER}") for name in names]
        found = [routed_servers(self.name, answer) for answer in answers]
        weights = {address: weight for servers, _ in found for address, weight in servers.items()}
        return EdgeView(
            edge=self.name,
            as_of_s=as_of_s,
            weights=weights if self._weighs else dict.fromkeys(weights, 1),
            in_flight=self._in_flight(started, addresses, weights),
            process=f"traefik since {started}",
            note="; ".join(note for _, note in found if note),
        )

    def inspect(
        self,
        service: Service,
        workload: Specification,  # noqa: ARG002 - how it is reached does not depend on what runs
        demand: Demand,  # noqa: ARG002 - it has no limit to how many it knows
    ) -> tuple[Finding, ...]:
        """Say what of the running Traefik's settings is wrong, and what of them can't be read.

        Raises:
            TemporaryError: It doesn't answer.
        """
        with closing(Conversation(self.name, self._api, self._freshness)) as api:
            started = self._started(api)
            providers = api.ask("/api/overview").get("providers") or ()
            names = [self._name_for(service, exposure) for exposure in service.exposures]
            known = [api.ask(f"/api/http/services/{name}@{_PROVIDER}") for name in names]
        found = []
        if not any(str(provider).lower() == _PROVIDER for provider in providers):
            words = f"it does not read Consul's catalog; its providers are {', '.join(map(str, providers)) or 'none'}"
            found.append(Finding(self.name, words, "set providers.consulCatalog, see docs/edges.md", Severity.ERROR))
        elif not any(known):
            words = "how fast it follows Consul can't be read from it; without watch it asks every 15 s"
            found.append(Finding(self.name, words, "set watch, throttle and strictChecks as in docs/edges.md"))
        if self._in_flight_path is None and not self._is_here(started):
            words = (
                f"nobody can count what is in flight behind it, so each drain may take {service.drain_deadline_s:g} s"
            )
            found.append(Finding(self.name, words, "run the deployer beside it, or give in_flight_path"))
        return tuple(found)

    def examine(self) -> tuple[Finding, ...]:
        """Say nothing if it answers.

        Raises:
            TemporaryError: It doesn't answer.
        """
        with closing(Conversation(self.name, self._api, self._freshness)) as api:
            self._started(api)
        return ()

    def _started(self, api: Conversation) -> str:
        """Return when it began. One that has not read its own configuration yet knows no such page."""
        started = api.ask("/api/version").get("startDate")
        if not started:
            raise TemporaryError(f"{self.name} does not say when it was started, so it is not ready, or no Traefik")
        return str(started)

    # -- what is in flight --------------------------------------------------------------------------------------------

    def _in_flight(self, started: str, addresses: Sequence[Address], weights: Iterable[Address]) -> dict[Address, int]:
        if self._in_flight_path is not None:
            return self._told([address for address in addresses if address not in set(weights)])
        if self._is_here(started):
            return called(addresses)
        return {address: count for address, count in established(addresses).items() if process_at(address)}

    def _is_here(self, started: str) -> bool:
        """Tell whether the Traefik that began then runs in this network namespace, as far as can be seen."""
        if self._located[0] != started:
            self._located = (started, "traefik" in process_at(self._api).lower())
        return self._located[1]

    def _told(self, addresses: Sequence[Address]) -> dict[Address, int]:
        end_s = time.monotonic() + _COUNTS_TIMEOUT_S
        told = {address: self._ask_count(address) for address in addresses if time.monotonic() < end_s}
        return {address: count for address, count in told.items() if count is not None}

    def _ask_count(self, address: Address) -> int | None:
        client = BoundedClient(address, _COUNT_TIMEOUT_S)
        try:
            client.request("GET", self._in_flight_path or "/", headers={"Connection": "close"})
            response = client.getresponse()
            text = response.read(_COUNT_BYTES_MAX).decode("ascii", "replace").strip()
        except (OSError, http.client.HTTPException):
            return None  # it says nothing, so it is not known
        finally:
            client.close()
        return int(text) if response.status == http.client.OK and text.isdecimal() else None
