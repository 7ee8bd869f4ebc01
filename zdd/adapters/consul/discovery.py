"""Discovery by Consul's services.

Every port of every instance is a service on an agent, with a check of zdd's own that says whether it gets requests; see
`listing`. What a deployer's death leaves behind: an instance that it had taken out stays out, known to the edges and
with no new requests, until the next run. That is a choice. All that Consul does by itself when a time is over is to
make things worse: a TTL check that nobody renews turns critical, and then the address is forgotten in the middle of the
requests that are in flight there. So zdd's check has a TTL without end, which no agent's or deployer's death touches,
and the next deployer, of this service or in a process that only mirrors, finds the instance out and puts it back where
its cell should have traffic. The floor does not depend on it: nothing is taken out that is needed for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery_key import DiscoveryKey, add_names, set_names
from zdd.adapters.consul.fence import FenceKey
from zdd.adapters.consul.listing import META_BYTES_MAX, Listed, Wanted, belongs_to, merge, parse_listing
from zdd.adapters.consul.policy import check_rights, service_policy
from zdd.adapters.consul.registrar import Registrar
from zdd.adapters.consul.sight import NODES_RIGHT, Sight, service_right
from zdd.adapters.consul.store import CONSISTENT, DEFAULT_PREFIX, Store
from zdd.adapters.consul.weights import consul_weight
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.finding import Finding, Severity
from zdd.model.names import check_function
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

_SHOWN_WITHIN_S = 2.0
_POLL_S = 0.02

Checks = Callable[[Service, Exposure, Address], Iterable[Mapping[str, Any]]]
Tags = Callable[[Service, Exposure], Iterable[str]]
WeightTags = Callable[[Service, Exposure, int], Iterable[str]]
Names = Callable[[Service, Exposure], str]
Agents = Callable[[Address], ConsulConnection]


def default_name(service: Service, exposure: Exposure) -> str:
    """Return the service's name for its first exposure, and ``<service>-<port>`` for the others."""
    return service.name if exposure == service.exposures[0] else f"{service.name}-{exposure.port}"


class ConsulDiscovery:
    """Keeps the registrations as services of Consul's agents.

    Args:
        connection: The agent that is asked, and whose keys hold the fence.
        agent_for: The agent with which an instance at this address is registered; None: that of the connection.
        name_for: The name under which Consul lists an exposure. Edges look for it.
        tags_for: Tags besides ``version=…``, for edges that read them.
        weight_tags_for: Tags that tell the weight, for edges that read it nowhere else; Traefik's are
            `zdd.adapters.consul.traefik_edge.weight_tags`. It gets the weight as Consul has it, a multiple of 256.
        checks_for: Checks that the agent makes besides zdd's own; see `checks`. While one of them is not passing, the
            edges send nothing there, whatever the weight.
        prefix: What zdd's keys begin with.

    Raises:
        ConfigurationError: The prefix is illegal.
    """

    def __init__(
        self,
        connection: ConsulConnection,
        *,
        agent_for: Agents | None = None,
        name_for: Names = default_name,
        tags_for: Tags = lambda _service, _exposure: (),
        weight_tags_for: WeightTags = lambda _service, _exposure, _weight: (),
        checks_for: Checks = lambda _service, _exposure, _address: (),
        prefix: str = DEFAULT_PREFIX,
    ) -> None:
        functions = {
            "name_for": (name_for, "a service and an exposure"),
            "tags_for": (tags_for, "a service and an exposure"),
            "weight_tags_for": (weight_tags_for, "a service, an exposure and a weight"),
            "checks_for": (checks_for, "a service, an exposure and an address"),
        }
        for name, (function, arguments) in functions.items():
            check_function(f"{name} of ConsulDiscovery", function, arguments)
        if agent_for is not None:
            check_function("agent_for of ConsulDiscovery", agent_for, "an address")
        self._connection = connection
        self._agent_for = agent_for
        self._name_for = name_for
        self._tags_for = tags_for
        self._weight_tags_for = weight_tags_for
        self._checks_for = checks_for
        self._store = Store(connection, prefix)
        self._sight = Sight(connection)

    def policy(self, service: Service) -> str:
        """Return the least that a token needs to deploy this service, in HCL; lease and journal included."""
        return service_policy(service.name, self._names(service), self._store)

    def examine(self) -> tuple[Finding, ...]:
        """Look whether Consul has a leader. Change nothing.

        Raises:
            AdapterError: The agent can't be reached.
        """
        if self._connection.ask("/v1/status/leader").json(str):
            return ()
        problem = "has no leader: nothing can be registered, and no deployment can begin"
        return (Finding("Consul", problem, "bring back a majority of its servers", Severity.ERROR),)

    def check(self, service: Service) -> None:
        """Raise `ConfigurationError` if the agent's token is not permitted enough, or others use the names.

        Raises:
            TemporaryError: The agent can't be reached, or knows no leader.
        """
        names = self._names(service)
        if len(set(names)) < len(names):
            raise ConfigurationError(f"exposures of {service.name} have one name in Consul: {', '.join(sorted(names))}")
        for name in names:
            if not isinstance(name, str) or not name or any(character in name for character in '/?# "\n'):
                raise ConfigurationError(f"{name!r} of {service.name} is no name for a service in Consul")
        try:
            leader = self._connection.ask("/v1/status/leader").json(str)
            if not leader:
                raise TemporaryError(f"Consul at {self._connection.address} knows no leader")
            check_rights(service.name, names, self._store)
            self._check_others(service, names)
        except PermanentError as error:
            raise ConfigurationError(str(error)) from None

    def claim(self, service: Service, fence: Fence) -> None:
        """From now on refuse smaller tokens, and forget what is registered for exposures that there are no more."""
        names = self._names(service)
        known = add_names(self._store, service.name, fence, names, hold=False)
        former = [name for name in known if name not in names]
        registrar = self._registrar(service, fence)
        if former:
            with registrar.as_one():
                self._remove(service, former, self._listed(service, former), registrar)
                set_names(self._store, service.name, fence, names)

    def registrations(self, service: Service) -> tuple[tuple[Registration, ...], bool]:
        """Return what Consul's health endpoint lists, sorted by instance, and whether requests are held back.

        What others have registered under the same name is left out, and left alone.

        Raises:
            PermanentError: Somebody else has changed one of zdd's registrations, or its key.
        """
        held = DiscoveryKey.read(self._store, service.name).held
        listed = self._listed(service, self._names(service))
        return merge(listed, [exposure.port for exposure in service.exposures]), held

    def apply(self, service: Service, command: Route, fence: Fence) -> None:
        """Make the registrations of this service exactly these.

        Nothing is raised before Consul's health endpoint shows what was lowered. The fence is looked at before every
        single write.

        Raises:
            OutcomeUnknown: Some of it was done, or may have been.
        """
        wanted = self._wanted(service, command)
        names = add_names(self._store, service.name, fence, self._names(service), hold=command.held)
        registrar = self._registrar(service, fence)
        with registrar.as_one():
            listed = self._listed(service, names)
            gone, falling = _falls(wanted, listed)
            self._remove(service, names, gone, registrar)
            for one, before in falling:
                registrar.put(one, before)
            if gone or falling:
                listed = self._await_lowered(service, names, gone, [one for one, _ in falling])
            for one in wanted.values():
                now = _same(one, listed)
                if now is None or not now.is_as(one) or now.status != one.status:
                    registrar.put(one, now)
            set_names(self._store, service.name, fence, self._names(service), held=command.held)

    # -- what should be -----------------------------------------------------------------------------------------------

    def _names(self, service: Service) -> list[str]:
        return [self._name_for(service, exposure) for exposure in service.exposures]

    def _wanted(self, service: Service, command: Route) -> dict[str, Wanted]:
        weights = [registration.weight for registration in command.registrations]
        found: dict[str, Wanted] = {}
        for registration in command.registrations:
            if service.exposures and not any(e.port in registration.addresses for e in service.exposures):
                raise PermanentError(f"instance {registration.instance} has no address for any port of {service.name}")
            for exposure in service.exposures:
                address = registration.addresses.get(exposure.port)
                if address is not None:
                    weight = consul_weight(registration.weight, weights)
                    one = Wanted(
                        service.name,
                        self._name_for(service, exposure),
                        exposure.port,
                        registration,
                        weight,
                        (
                            f"version={registration.version}",
                            *self._tags_for(service, exposure),
                            *self._weight_tags_for(service, exposure, weight),
                        ),
                        tuple(self._checks_for(service, exposure, address)),
                    )
                    _check_meta(one)
                    found[one.id] = one
        return found

    # -- what Consul has ----------------------------------------------------------------------------------------------

    def _listed(self, service: Service, names: Iterable[str]) -> list[Listed]:
        """Return what the health endpoint lists of this service, which is what edges are told."""
        return [listed for listed in self._all_listed(names) if belongs_to(listed, service.name)]

    def _all_listed(self, names: Iterable[str]) -> list[Listed]:
        found: list[Listed] = []
        for name in names:
            path = f"/v1/health/service/{name}"
            answer = self._connection.ask(path, parameters=CONSISTENT, right=service_right(name))
            answer.check_whole(f"{service_right(name)} {NODES_RIGHT}")
            try:
                listed = [parse_listing(item) for item in answer.json(list)]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise TemporaryError(f"{answer.what} was not answered as Consul does: {error!r}") from error
            self._sight.check(name, [(one.id, one.node) for one in listed])
            found += listed
        return found

    def _check_others(self, service: Service, names: Iterable[str]) -> None:
        others = [listed for listed in self._all_listed(names) if not belongs_to(listed, service.name)]
        if others:
            ids = ", ".join(sorted(listed.id for listed in others)[:5])
            raise ConfigurationError(
                f"{ids} in Consul has a name of {service.name} and was not registered by it: requests would go there "
                "too. Deregister it, or give name_for= that names the exposures otherwise"
            )

    # -- changing it --------------------------------------------------------------------------------------------------

    def _registrar(self, service: Service, fence: Fence) -> Registrar:
        def agent_for(address: Address) -> ConsulConnection:
            return self._connection if self._agent_for is None else self._agent_for(address)

        def check_fence() -> None:
            FenceKey.read(self._store, service.name).check(service.name, fence)

        return Registrar(self._connection, agent_for, fence, check_fence)

    def _remove(self, service: Service, names: Sequence[str], gone: Sequence[Listed], registrar: Registrar) -> None:
        """Deregister with the agents, and strike out of the catalog what an agent has forgotten or died with."""
        for former in gone:
            registrar.remove(former)
        places = {(former.id, former.node) for former in gone}
        for left in self._listed(service, names) if gone else ():
            if (left.id, left.node) in places:
                registrar.strike_out(left)

    def _await_lowered(
        self, service: Service, names: Sequence[str], gone: Sequence[Listed], lowered: Sequence[Wanted]
    ) -> list[Listed]:
        """Wait until the health endpoint shows it: an agent's 200 does not say that the servers have been told."""
        former = {(one.id, one.node) for one in gone}
        most = {one.id: one.effect for one in lowered}
        end_s = time.monotonic() + _SHOWN_WITHIN_S
        while True:
            listed = self._listed(service, names)
            late = {
                one.id for one in listed if (one.id, one.node) in former or one.effect > most.get(one.id, one.effect)
            }
            if not late:
                return listed
            if time.monotonic() >= end_s:
                raise OutcomeUnknown(
                    f"Consul does not show within {_SHOWN_WITHIN_S:g} s that {', '.join(sorted(late)[:5])} was lowered",
                    settles_within_s=self._connection.settles_within_s,
                )
            time.sleep(_POLL_S)


def _falls(wanted: Mapping[str, Wanted], listed: Sequence[Listed]) -> tuple[list[Listed], list[tuple[Wanted, Listed]]]:
    """Return what is to go, and what is to get less."""
    gone, falling = [], []
    for before in listed:
        one = wanted.get(before.id)
        if one is None or before is not _same(one, listed):
            gone.append(before)
        elif one.effect < before.effect:
            falling.append((one, before))
    return gone, falling


def _same(one: Wanted, listed: Sequence[Listed]) -> Listed | None:
    """Return what Consul lists under its id: where it should be, if there are several, as on two agents."""
    found = [before for before in listed if before.id == one.id]
    return next((before for before in found if before.address == one.address), found[0] if found else None)


def _check_meta(one: Wanted) -> None:
    for key, value in one.meta().items():
        if len(value.encode()) > META_BYTES_MAX:
            raise PermanentError(
                f"{key} of {one.registration.instance} is longer than the {META_BYTES_MAX} bytes that Consul keeps"
            )
