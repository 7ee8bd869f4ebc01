"""Registrations in a real Consul: what edges are told, who may change them, and what a death in the middle leaves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.consul.checks import tcp_check
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.errors import ConfigurationError, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.command import Route
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

Make = Callable[..., Registration]
ANN, BOB = Fence(1, "ann@host:1"), Fence(2, "bob@host:2")


@pytest.fixture
def discovery(connection: ConsulConnection, prefix: str, service: Service) -> Any:
    yield ConsulDiscovery(connection, prefix=prefix)
    ConsulDiscovery(connection, prefix=prefix).apply(service, Route(()), Fence(1_000_000, "the end of the test"))


def statuses(item: Mapping[str, Any]) -> dict[str, str]:
    return {check["CheckID"]: check["Status"] for check in item["Checks"] if check["ServiceID"]}


# -- what edges are told -----------------------------------------------------------------------------------------------


def test_a_port_of_an_instance_is_a_service_with_everything_people_look_for(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    discovery.apply(service, Route((make_registration(1, 700, "1.4"), make_registration(2, 300, "1.5"))), ANN)
    items = agent.listed(service.name)
    assert list(items) == [f"zdd:{service.name}:http:web.1", f"zdd:{service.name}:http:web.2"]
    one = items[f"zdd:{service.name}:http:web.1"]["Service"]
    assert (one["Address"], one["Port"]) == ("127.0.0.1", 40_001)
    assert one["Tags"] == ["version=1.4"]
    said = {name.removeprefix("zdd-"): value for name, value in one["Meta"].items() if name != "zdd-definition"}
    assert said == {
        "service": service.name,
        "port": "http",
        "instance": "web.1",
        "cell": "web-1",
        "revision": "r-1.4",
        "version": "1.4",
        "weight": "700",
        "token": "1",
    }
    assert [item["Service"]["Port"] for item in agent.listed(f"{service.name}-admin").values()] == [50_001, 50_002]


def test_dns_tells_scaled_weights_and_keeps_what_is_out_with_weight_0(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    one, two = make_registration(1, 950_000), make_registration(2, 50_000)
    name = f"_{service.name}._tcp.service.consul"
    discovery.apply(service, Route((one, two)), ANN)
    assert agent.srv_weights(name) == {40_001: 65_280, 40_002: 13 * 256}
    discovery.apply(service, Route((evolve(one, weight=0), two)), ANN)
    assert agent.srv_weights(name)[40_001] == 0
    discovery.apply(service, Route((one, two)), ANN)
    assert agent.srv_weights(name) == {40_001: 65_280, 40_002: 13 * 256}


def test_taking_out_is_one_write_that_says_who_did_it(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    one, two = make_registration(1, 500), make_registration(2, 500)
    discovery.apply(service, Route((one, two)), ANN)
    before = agent.listed(service.name)[f"zdd:{service.name}:http:web.1"]["Service"]
    discovery.apply(service, Route((evolve(one, weight=0), two)), BOB)
    item = agent.listed(service.name)[f"zdd:{service.name}:http:web.1"]
    assert item["Service"]["ModifyIndex"] == before["ModifyIndex"], "it was registered anew"
    (own,) = [check for check in item["Checks"] if check["ServiceID"]]
    assert (own["Status"], own["Output"]) == ("warning", "out, by bob@host:2 (token 2)")


def test_nothing_is_written_where_nothing_changes(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    route = Route((make_registration(1, 500), make_registration(2, 0)))
    discovery.apply(service, route, ANN)
    before = agent.ask("GET", "/v1/agent/self")["Stats"]["raft"]["last_log_index"]
    discovery.apply(service, route, ANN)
    assert agent.ask("GET", "/v1/agent/self")["Stats"]["raft"]["last_log_index"] == before


def test_a_users_checks_are_made_and_a_failing_one_is_not_zdds_weight(
    connection: ConsulConnection, agent: Any, prefix: str, service: Service, make_registration: Make
) -> None:
    discovery = ConsulDiscovery(
        connection,
        prefix=prefix,
        tags_for=lambda _, exposure: [f"edge={exposure.port}"],
        checks_for=lambda *about: [tcp_check(about[-1], interval_s=0.1)],
        name_for=lambda service, exposure: f"{exposure.port}.{service.name}",
    )
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    name = f"http.{service.name}"
    id_ = f"zdd:{service.name}:http:web.1"
    assert agent.listed(name)[id_]["Service"]["Tags"] == ["version=1.0", "edge=http"]
    deadline = time.monotonic() + 60
    while statuses(agent.listed(name)[id_])[f"{id_}:check-1"] != "critical":  # nobody listens there
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert statuses(agent.listed(name)[id_])[f"{id_}:traffic"] == "passing"
    assert discovery.registrations(service) == ((one,), False)
    without = ConsulDiscovery(
        connection, prefix=prefix, name_for=lambda service, exposure: f"{exposure.port}.{service.name}"
    )
    without.apply(service, Route((one,)), ANN)
    assert list(statuses(agent.listed(name)[id_])) == [f"{id_}:traffic"]
    without.apply(service, Route(()), ANN)


def test_a_check_that_would_forget_too_early_is_refused(make_registration: Make) -> None:
    with pytest.raises(ConfigurationError, match="deregister_after_s of a check is 30"):
        tcp_check(make_registration(1, 1).addresses["http"], deregister_after_s=30)


def test_each_instance_is_registered_with_the_agent_of_its_address(
    agent: Any, own_agent: Any, connection: ConsulConnection, prefix: str, service: Service, make_registration: Make
) -> None:
    # Two clusters of one agent each stand for two agents of one: the rule is what is tried.
    other = ConsulConnection(address=own_agent.address)
    discovery = ConsulDiscovery(
        connection, prefix=prefix, agent_for=lambda address: connection if address.port % 2 else other
    )
    discovery.apply(service, Route((make_registration(1, 500), make_registration(2, 500))), ANN)
    assert list(agent.listed(service.name)) == [f"zdd:{service.name}:http:web.1"]
    assert list(own_agent.listed(service.name)) == [f"zdd:{service.name}:http:web.2"]
    discovery.apply(service, Route(()), ANN)


# -- what is there already ---------------------------------------------------------------------------------------------


def test_others_under_the_same_name_are_refused_beforehand_and_left_alone(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    agent.ask("PUT", "/v1/agent/service/register", {"ID": "by-hand", "Name": service.name, "Port": 1})
    with pytest.raises(
        ConfigurationError, match=r"by-hand in Consul has a name of web\d+ and was not registered by it"
    ):
        discovery.check(service)
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    assert discovery.registrations(service) == ((one,), False)
    discovery.apply(service, Route(()), ANN)
    assert list(agent.listed(service.name)) == ["by-hand"]
    agent.ask("PUT", "/v1/agent/service/deregister/by-hand")
    discovery.check(service)


def test_two_exposures_of_one_name_are_refused(connection: ConsulConnection, service: Service) -> None:
    with pytest.raises(ConfigurationError, match=f"exposures of {service.name} have one name in Consul"):
        ConsulDiscovery(connection, name_for=lambda service, _: service.name).check(service)


def test_what_is_half_registered_has_a_weight_that_nobody_gave_it(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    agent.ask("PUT", f"/v1/agent/service/deregister/zdd:{service.name}:admin:web.1")
    half = evolve(one, weight=1, addresses={"http": one.addresses["http"]})
    assert discovery.registrations(service) == ((half,), False)
    discovery.apply(service, Route((one,)), ANN)
    agent.ask("PUT", f"/v1/agent/check/warn/zdd:{service.name}:admin:web.1:traffic")
    assert discovery.registrations(service) == ((evolve(one, weight=1),), False)
    discovery.apply(service, Route((one,)), ANN)
    assert discovery.registrations(service) == ((one,), False)


def test_an_exposure_that_is_no_more_is_forgotten_by_the_claim(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    discovery.apply(service, Route((make_registration(1, 500),)), ANN)
    less = evolve(service, exposures=(Exposure("http"),))
    discovery.claim(less, BOB)
    assert agent.listed(f"{service.name}-admin") == {}
    assert len(agent.listed(service.name)) == 1


def test_what_somebody_else_has_changed_is_named(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    id_ = f"zdd:{service.name}:http:web.1"
    item = agent.listed(service.name)[id_]["Service"]
    definition = {"ID": id_, "Name": service.name, "Address": "127.0.0.1", "Port": 40_001}
    definition["Meta"] = {**item["Meta"], "zdd-weight": "much"}
    agent.ask("PUT", "/v1/agent/service/register", definition)
    with pytest.raises(
        PermanentError, match=f"{id_}' at node lab says it is zdd's, but its meta says zdd-weight 'much'"
    ):
        discovery.registrations(service)
    discovery.apply(service, Route((one,)), ANN)
    assert discovery.registrations(service) == ((one,), False)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"\xff", b'{"format": 1, "held": "yes"}', b'{"format": 9}', b"[" * 9999]
)
def test_a_damaged_key_is_named_and_traffic_stays_as_it_was(
    discovery: ConsulDiscovery, agent: Any, prefix: str, service: Service, make_registration: Make, value: bytes
) -> None:
    discovery.apply(service, Route((make_registration(1, 500),)), ANN)
    key = f"{prefix}/heads/{service.name}/discovery"
    before, kept = agent.listed(service.name), agent.ask("GET", f"/v1/kv/{key}?raw")
    agent.ask("PUT", f"/v1/kv/{key}", value)
    for act in (
        lambda: discovery.registrations(service),
        lambda: discovery.claim(service, BOB),
        lambda: discovery.apply(service, Route(()), BOB),
    ):
        with pytest.raises(PermanentError, match=key):
            act()
    assert agent.listed(service.name) == before
    agent.ask("PUT", f"/v1/kv/{key}", kept)


def test_an_instance_without_any_port_and_a_name_that_is_too_long_are_refused(
    discovery: ConsulDiscovery, service: Service, make_registration: Make
) -> None:
    one = make_registration(1, 500)
    with pytest.raises(PermanentError, match=r"web\.1 has no address for any port"):
        discovery.apply(service, Route((evolve(one, addresses={}),)), ANN)
    with pytest.raises(PermanentError, match=r"zdd-version of web\.1 is longer than the 512 bytes"):
        discovery.apply(service, Route((evolve(one, version="1" * 513),)), ANN)
    assert discovery.registrations(service) == ((), False)


# -- two deployers -----------------------------------------------------------------------------------------------------


def test_a_deployer_that_is_shut_out_in_the_middle_writes_nothing_more(
    connection: ConsulConnection, prefix: str, service: Service, make_registration: Make
) -> None:
    asked = []

    def claimed_meanwhile(service: Service, exposure: Exposure) -> tuple[str, ...]:
        if not asked:  # what ann is about to write is ready, and she has not written yet
            asked.append(exposure)
            ConsulDiscovery(connection, prefix=prefix).claim(service, BOB)
        return ()

    discovery = ConsulDiscovery(connection, prefix=prefix, tags_for=claimed_meanwhile)
    with pytest.raises(LeaseLost, match=r"a newer deployer has taken over web\d+: bob@host:2 \(token 2, ours is 1\)"):
        discovery.apply(service, Route((make_registration(1, 500),)), ANN)
    assert discovery.registrations(service) == ((), False)


def test_between_two_writes_the_fence_is_looked_at_again(
    connection: ConsulConnection, prefix: str, service: Service, make_registration: Make
) -> None:
    registered = []

    def agent_for(address: object) -> ConsulConnection:
        registered.append(address)
        if len(registered) == 3:  # ann is in the middle of writing her third one
            ConsulDiscovery(connection, prefix=prefix).claim(service, BOB)
        return connection

    discovery = ConsulDiscovery(connection, prefix=prefix, agent_for=agent_for)
    route = Route(tuple(make_registration(number, 100) for number in range(1, 5)))
    with pytest.raises(LeaseLost):
        discovery.apply(service, route, ANN)
    assert len(registered) == 3, "she went on after bob had claimed"
    other = ConsulDiscovery(connection, prefix=prefix)
    other.apply(service, Route(()), BOB)
    assert other.registrations(service) == ((), False)


def test_a_look_that_fails_after_a_write_does_not_say_that_nothing_was_changed(
    guarded_agent: Any, connect: Callable[..., ConsulConnection], prefix: str, make_registration: Make
) -> None:
    rules = " ".join(f'{kind}_prefix "" {{ policy = "write" }}' for kind in ("service", "key", "node"))
    mine, other = connect(rules), connect(rules)
    accessor = mine.ask("/v1/acl/token/self").json(dict)["AccessorID"]
    revoked: list[object] = []

    def agent_for(address: object) -> ConsulConnection:
        """In the middle of the second write, the deployer's token is revoked."""
        revoked.append(address)
        if len(revoked) == 2:
            guarded_agent.ask("DELETE", f"/v1/acl/token/{accessor}")
        return other

    web, one = Service(prefix, exposures=(Exposure("http"),)), make_registration(1, 500)
    discovery = ConsulDiscovery(mine, prefix=prefix, agent_for=agent_for)
    discovery.apply(web, Route((one,)), ANN)
    with pytest.raises(
        OutcomeUnknown, match=r"after 1 changes: GET /v1/health/service/\S+ at \S+ Consul does not know the token"
    ):
        discovery.apply(web, Route((evolve(one, weight=0),)), ANN)
    ConsulDiscovery(other, prefix=prefix).apply(web, Route(()), BOB)


# -- deaths and absences -----------------------------------------------------------------------------------------------


def _die_in_the_middle(address: str, prefix: str, service: Service, route: Route, after: int) -> None:
    connection = ConsulConnection(address=address)
    writes = []

    def agent_for(_: object) -> ConsulConnection:
        writes.append(1)
        if len(writes) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return connection

    ConsulDiscovery(connection, prefix=prefix, agent_for=agent_for).apply(service, route, ANN)


@pytest.mark.parametrize("after", range(4))
def test_kill_9_in_the_middle_leaves_nothing_out_for_ever(
    discovery: ConsulDiscovery, agent: Any, prefix: str, service: Service, make_registration: Make, after: int
) -> None:
    one, two = make_registration(1, 500), make_registration(2, 500)
    discovery.apply(service, Route((one, two)), ANN)
    out = Route((evolve(one, weight=0), evolve(two, weight=0)))
    arguments = (agent.address, prefix, service, out, after)
    deployer = multiprocessing.get_context("spawn").Process(target=_die_in_the_middle, args=arguments)
    deployer.start()
    deployer.join(60.0)
    assert deployer.exitcode == -signal.SIGKILL
    items = [*agent.listed(service.name).values(), *agent.listed(f"{service.name}-admin").values()]
    assert sum("warning" in statuses(item).values() for item in items) == after
    # The next run sees what was not done whole: in traffic, with a weight that nobody wants.
    seen = tuple(registration.weight for registration in discovery.registrations(service)[0])
    assert seen == {0: (500, 500), 1: (1, 500), 2: (1, 1), 3: (0, 1)}[after]
    later = ConsulDiscovery(ConsulConnection(address=agent.address), prefix=prefix)
    later.claim(service, BOB)
    later.apply(service, Route((one, two)), BOB)
    assert later.registrations(service) == ((one, two), False)


def test_an_agent_that_crashes_and_comes_back_keeps_what_was_in_in_and_what_was_out_out(
    own_agent: Any, own_connection: ConsulConnection, service: Service, make_registration: Make
) -> None:
    discovery = ConsulDiscovery(own_connection)
    one, two, three = make_registration(1, 500), make_registration(2, 500), make_registration(3, 0)
    discovery.apply(service, Route((one, two, three)), ANN)
    discovery.apply(service, Route((one, evolve(two, weight=0), three)), ANN)
    own_agent.kill()
    with pytest.raises(TemporaryError, match="can't be reached"):
        discovery.registrations(service)
    with pytest.raises(TemporaryError, match="can't be reached"):
        discovery.apply(service, Route((one,)), ANN)
    own_agent.start()
    _becomes(discovery, service, (one, evolve(two, weight=0), three))
    with pytest.raises(LeaseLost):
        discovery.apply(service, Route(()), Fence(0, "an older one"))


def test_an_agent_that_comes_back_without_its_data_is_told_everything_anew(
    own_agent: Any, own_connection: ConsulConnection, service: Service, make_registration: Make
) -> None:
    discovery = ConsulDiscovery(own_connection)
    route = Route((make_registration(1, 500), make_registration(2, 0)))
    discovery.apply(service, route, ANN)
    own_agent.kill()
    own_agent.forget_everything()
    own_agent.start()
    assert discovery.registrations(service) == ((), False)
    discovery.apply(service, route, ANN)
    assert discovery.registrations(service) == (route.registrations, False)


def test_what_only_the_catalog_still_has_can_be_forgotten_and_put_back(
    discovery: ConsulDiscovery, agent: Any, service: Service, make_registration: Make
) -> None:
    ghost = {"ID": f"zdd:{service.name}:http:web.9", "Service": service.name, "Port": 9, "Address": "127.0.0.1"}
    parts = {"service": service.name, "port": "http", "instance": "web.9", "cell": "w", "revision": "r", "version": "1"}
    ghost["Meta"] = {f"zdd-{part}": value for part, value in {**parts, "weight": "5"}.items()}
    check = {
        "CheckID": f"{ghost['ID']}:traffic",
        "Name": "traffic by zdd",
        "Status": "passing",
        "ServiceID": ghost["ID"],
    }
    node = {"Node": "gone", "Address": "127.0.0.9", "Service": ghost, "Check": check}
    agent.ask("PUT", "/v1/catalog/register", node)
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    assert list(agent.listed(service.name)) == [f"zdd:{service.name}:http:web.1"]
    agent.ask("PUT", "/v1/catalog/deregister", {"Node": "gone"})


def test_an_agent_that_hangs_is_waited_for_no_longer_than_stated(
    own_agent: Any, own_connection: ConsulConnection, service: Service, make_registration: Make
) -> None:
    discovery = ConsulDiscovery(own_connection)
    one = make_registration(1, 500)
    discovery.apply(service, Route((one,)), ANN)
    own_agent.pause()
    began_s = time.monotonic()
    with pytest.raises((TemporaryError, OutcomeUnknown), match="not answered"):
        discovery.apply(service, Route((evolve(one, weight=0),)), ANN)
    assert time.monotonic() - began_s < 20.0
    own_agent.go_on()
    _becomes(discovery, service, (one,))


def _becomes(discovery: ConsulDiscovery, service: Service, expected: tuple[Registration, ...]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            seen = discovery.registrations(service)
        except TemporaryError as error:
            seen = ((), error)
        if seen == (expected, False):
            return
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
