"""What Traefik really does with what it is told, and whether the edge says so."""

import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration


def test_requests_are_divided_by_weight_and_the_edge_says_how(world) -> None:
    one, two, out = world.application(), world.application(), world.application()
    world.route(one.registration(250_000), two.registration(750_000), out.registration(0))

    answers = Counter(world.get() for _ in range(200))

    assert world.view().weights == {one.address: 250_000, two.address: 750_000}
    assert answers[200, "web-1"] == pytest.approx(50, abs=2)
    assert answers[200, "web-2"] == pytest.approx(150, abs=2)


def test_a_service_without_an_instance_in_traffic_is_answered_with_503(world) -> None:
    one = world.application()
    world.route(one.registration())
    world.route(one.registration(0))

    assert world.get() == (503, "no")
    assert world.view().weights == {}


def test_twenty_changes_under_load_lose_nothing_and_each_drain_is_seen(world, clients, kit) -> None:
    one, two = world.application(), world.application()
    world.route(one.registration(), two.registration())
    clients.start()
    kit.await_condition(lambda: clients.total > 50, "clients are served")
    counted = []
    for _ in range(20):
        new = world.application()
        world.route(one.registration(), two.registration(), new.registration())
        busy = world.view(one.address).in_flight[one.address]
        world.route(one.registration(0), two.registration(), new.registration())
        counts = world.await_idle(one)
        counted.append(max(busy, *counts))
        one.stop()
        world.route(two.registration(), new.registration())
        one, two = two, new
    clients.end()

    assert clients.lost == []
    assert min(counted) > 0
    assert statistics.median(world.seen_after_s) < 1.0
    print(f"\n0 of {clients.total} lost; seen after {statistics.median(world.seen_after_s):.3f} s (median)")


def test_an_upgraded_connection_survives_changes_and_is_counted(world, kit) -> None:
    one, two = world.application(), world.application()
    world.route(one.registration())
    echo = kit.Echo(world.proxy.address)
    assert echo.says("before")

    for weight in (100, 50, 100):
        world.route(one.registration(0), two.registration(weight))
        assert echo.says(f"after {weight}")
    time.sleep(0.7)  # longer than an idle connection is kept: this one is not idle
    world.route(two.registration())

    assert world.view(one.address).in_flight == {one.address: 1}
    assert echo.says("out, and still here")
    echo.close()
    world.await_idle(one)


def test_a_count_that_cannot_be_known_is_left_out(world) -> None:
    world.route()
    elsewhere = Address("192.0.2.1", 8080)
    unnamed = Address("application.example", 8080)

    assert world.view(elsewhere, unnamed).in_flight == {elsewhere: 0}  # Traefik runs here, and calls nobody there
    assert world.edge.abilities.counts


def test_the_stable_address_is_the_proxys(world) -> None:
    service = Service("web", exposures=(Exposure("http"), Exposure("admin", "/admin")))

    assert world.edge.addresses(service) == {"http": world.proxy.address, "admin": world.proxy.address}


def test_an_edge_that_does_not_run_is_a_temporary_error(world) -> None:
    world.route()
    world.proxy.stop()

    with pytest.raises(TemporaryError, match="doesn't"):
        world.view()


def test_a_service_that_traefik_never_heard_of_goes_nowhere(world) -> None:
    view = world.edge.view(Service("unheard-of"), ())

    assert (view.weights, view.held, view.reachable) == ({}, False, True)


def test_several_threads_may_look_at_once(world) -> None:
    one = world.application()
    world.route(one.registration(7))

    with ThreadPoolExecutor(4) as threads:
        views = list(threads.map(lambda _: world.view(one.address), range(200)))

    assert {(view.weights[one.address], view.process) for view in views} == {(7, world.view().process)}


def test_instances_on_ipv6_are_seen_and_counted(world) -> None:
    six = Address("::1", 9)
    world.route(Registration("web-6", "web", "r-1", "1.0", {"http": six}, 3))

    assert (world.view(six).weights, world.view(six).in_flight) == ({six: 3}, {six: 0})


def test_a_look_at_twenty_instances_is_cheap(world) -> None:
    applications = [world.application() for _ in range(20)]
    world.route(*(application.registration() for application in applications))
    addresses = [application.address for application in applications]
    durations_s = []
    for _ in range(100):
        began = time.thread_time()  # of its own, however busy the machine is
        world.view(*addresses)
        durations_s.append(time.thread_time() - began)

    assert statistics.median(durations_s) < 0.05  # ten times what it takes
    print(f"\na look takes {statistics.median(durations_s) * 1000:.2f} ms (median)")
