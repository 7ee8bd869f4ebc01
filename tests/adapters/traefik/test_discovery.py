"""What discovery keeps, whom it refuses, and that requests find their way."""

import errno
import json
import os
import subprocess
import sys

import pytest

from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.adapters.traefik.room import HoldingRoom
from zdd.errors import ConfigurationError, LeaseLost, OutcomeUnknown, PermanentError, TemporaryError
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Route
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

FENCE = Fence(1, "tester")


def _registration(instance: str, weight: int = 1, port: str = "http", number: int = 9) -> Registration:
    return Registration(instance, "web", "r-1", "1.0", {port: Address("127.0.0.1", number)}, weight)


@pytest.fixture
def discovery(proxy: TraefikProxy) -> TraefikDiscovery:
    return TraefikDiscovery(proxy)


def test_registrations_come_back_sorted_with_weights_even_to_another_deployer(discovery, proxy) -> None:
    service = Service("web")
    two, one = _registration("web-2", 0), _registration("web-1", 5)
    discovery.apply(service, Route((two, one)), FENCE)

    assert TraefikDiscovery(proxy).registrations(service) == ((one, two), False)


def test_a_service_that_was_never_applied_has_no_registrations(discovery) -> None:
    assert discovery.registrations(Service("web")) == ((), False)


def test_an_older_deployer_is_refused_and_nothing_changes(discovery) -> None:
    service = Service("web")
    discovery.apply(service, Route((_registration("web-1"),)), Fence(1, "old"))
    discovery.claim(service, Fence(2, "new"))

    with pytest.raises(LeaseLost, match="newer deployer"):
        discovery.apply(service, Route(()), Fence(1, "old"))
    with pytest.raises(LeaseLost, match="newer deployer"):
        discovery.claim(service, Fence(1, "old"))
    assert discovery.registrations(service)[0] == (_registration("web-1"),)
    discovery.apply(Service("other"), Route(()), Fence(1, "old"))


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, TemporaryError), (errno.EACCES, PermanentError)])
def test_what_can_t_be_written_has_changed_nothing_unless_held_requests_were_let_go(
    discovery, proxy, kit, monkeypatch, code, kind
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    service, one = Service("web"), _registration("web-1")
    with monkeypatch.context() as patch:
        patch.setattr("zdd.adapters.traefik.discovery.write_record", refuse)
        with pytest.raises(kind, match=r"web\.yaml can't be written"):
            discovery.apply(service, Route((one,)), FENCE)
    discovery.apply(service, Route((one,), held=True), FENCE)
    (directory,) = proxy.rooms_directory.iterdir()
    room = HoldingRoom(directory)
    with monkeypatch.context() as patch:
        patch.setattr("zdd.adapters.traefik.discovery.write_record", refuse)
        with pytest.raises(OutcomeUnknown, match=r"held requests were let go, but then: .*web\.yaml can't be written"):
            discovery.apply(service, Route((one,)), FENCE)
    assert not room.holds(["http"])
    discovery.apply(service, Route((one,)), FENCE)
    assert discovery.registrations(service) == ((one,), False)
    room.close()
    kit.await_condition(lambda: not room.alive, "the room has ended")


def test_the_ways_in_are_those_stated_with_the_last_route_and_a_claim_changes_none(world) -> None:
    one = world.application()
    world.route(one.registration())
    world.service = Service("web", exposures=(Exposure("http", "/shop"), Exposure("admin", "/admin")))

    world.discovery.claim(world.service, Fence(2, "later"))
    world.await_answer("/", (200, one.name))
    world.discovery.apply(world.service, Route((one.registration(),)), Fence(2, "later"))

    world.await_answer("/shop", (200, one.name))
    world.await_answer("/admin", (503, "no"))
    world.await_answer("/", (404, "404"))


def test_an_instance_that_no_exposure_reaches_is_refused(discovery) -> None:
    service = Service("web", exposures=(Exposure("admin", "/admin"),))

    with pytest.raises(PermanentError, match="web-1 has no address for port 'admin' of web"):
        discovery.apply(service, Route((_registration("web-1"),)), FENCE)
    assert discovery.registrations(service) == ((), False)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Exposure(), Exposure()),
        (Exposure(path="/api"), Exposure(path="/api/")),
        (Exposure(host="www.example.org"), Exposure(host="WWW.example.org")),
    ],
)
def test_two_services_with_the_same_way_in_are_refused(discovery, mine, theirs) -> None:
    discovery.apply(Service("shop", exposures=theirs), Route((_registration("shop-1"),)), FENCE)

    with pytest.raises(
        ConfigurationError, match=r"service shop: .*, take it out first \(deployer\.remove\('shop'\)\)"
    ) as no:
        discovery.check(Service("web", exposures=mine))
    assert "port 'http' of web" in str(no.value)
    discovery.check(Service("shop", exposures=mine))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (Exposure(), Exposure(path="/api")),
        (Exposure(), Exposure(host="www.example.org")),
        (Exposure(host="example.org"), Exposure(host="www.example.org")),
    ],
)
def test_services_with_different_ways_in_share_the_proxy(discovery, mine, theirs) -> None:
    discovery.apply(Service("shop", exposures=theirs), Route((_registration("shop-1"),)), FENCE)

    discovery.check(Service("web", exposures=mine))


def test_a_service_without_registrations_gives_way(discovery) -> None:
    discovery.apply(Service("shop"), Route(()), FENCE)

    discovery.check(Service("web"))


def test_two_ports_of_one_service_with_the_same_way_in_are_refused(discovery) -> None:
    with pytest.raises(ConfigurationError, match=r"port 'admin' of web .* and so is its port 'http'"):
        discovery.check(Service("web", exposures=(Exposure("http"), Exposure("admin"))))


@pytest.mark.parametrize("host", ["example.org:80", "*.example.org", "bücher.example", "a..", "(x)"])
def test_a_host_that_traefik_cannot_match_is_refused(discovery, host) -> None:
    with pytest.raises(ConfigurationError, match="use one host name in ASCII letters"):
        discovery.check(Service("web", exposures=Exposure(host=host)))


@pytest.mark.parametrize("path", ["/a?b", "/a#b", "/a\x07"])
def test_a_path_that_can_never_match_is_refused(discovery, path) -> None:
    with pytest.raises(ConfigurationError, match="use a path alone"):
        discovery.check(Service("web", exposures=Exposure(path=path)))


def test_a_check_changes_nothing(discovery, tmp_path) -> None:
    discovery.check(Service("web"))

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_somebody_else_is_not_overwritten(discovery, proxy) -> None:
    proxy.make_directories()
    path = proxy.dynamic_directory / "web.yaml"
    path.write_text("http: {}\n")

    with pytest.raises(PermanentError, match="was not written by zdd"):
        discovery.apply(Service("web"), Route(()), FENCE)
    assert path.read_text() == "http: {}\n"


def test_a_file_of_somebody_else_is_named_by_the_check(discovery, proxy) -> None:
    proxy.make_directories()
    (proxy.dynamic_directory / "mine.yaml").write_text("http: {}\n")

    with pytest.raises(ConfigurationError, match=r"mine\.yaml was not written by zdd: move it"):
        discovery.check(Service("web"))


def test_a_deployer_killed_at_any_moment_leaves_a_whole_record_that_traefik_follows(world, kit) -> None:
    one, two = world.application(), world.application()
    world.route(one.registration())
    code = (
        "import sys\n"
        "from zdd.adapters.traefik.discovery import *\n"
        "from zdd.adapters.traefik.proxy import TraefikProxy\n"
        "from zdd.model.address import Address\n"
        "discovery = TraefikDiscovery(TraefikProxy(sys.argv[1], port=int(sys.argv[2])))\n"
        "addresses = [Address('127.0.0.1', int(port)) for port in sys.argv[3:]]\n"
        "while True:\n"
        "    for address in addresses:\n"
        "        one = Registration('web-0', 'web', 'r-1', '1.0', {'http': address}, 1)\n"
        "        discovery.apply(Service('web'), Route((one,)), Fence(1, 'tester'))\n"
        "        print(flush=True)\n"
    )
    directory, ports = world.proxy.directory.parent, (world.proxy.address, one.address, two.address)
    arguments = [sys.executable, "-c", code, str(directory), *(str(address.port) for address in ports)]
    for lines in (1, 4, 9, 16, 25):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as deployer:
            for _ in range(lines):
                deployer.stdout.readline()
            deployer.kill()
        (told,), held = world.discovery.registrations(world.service)
        assert not held
        kit.await_condition(lambda now=told: set(world.view().weights) == set(now.addresses.values()), "it follows")
    world.route(one.registration())


def test_what_a_killed_deployer_had_half_written_is_gone_after_the_next_change(discovery, proxy) -> None:
    service = Service("web")
    discovery.apply(service, Route((_registration("web-1"),)), FENCE)
    left = proxy.dynamic_directory / ".web.yaml.abc.half-written"
    left.touch()
    discovery.apply(service, Route(()), FENCE)
    assert not left.exists()


def test_a_record_of_a_later_format_is_refused_rather_than_guessed(discovery, proxy) -> None:
    service = Service("web")
    discovery.apply(service, Route((_registration("web-1"),)), FENCE)
    path = proxy.dynamic_directory / "web.yaml"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))

    with pytest.raises(PermanentError, match="its format is 2, ours is 1"):
        discovery.registrations(service)


def test_a_state_directory_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    discovery = TraefikDiscovery(TraefikProxy(tmp_path / "file" / "state", port=65_000))

    with pytest.raises(ConfigurationError, match=r"state directory .*file.*use a directory that this user can write"):
        discovery.check(Service("web"))
    with pytest.raises(ConfigurationError, match="state directory"):
        discovery.claim(Service("web"), FENCE)


def test_paths_match_by_whole_segments_and_the_longest_wins(world) -> None:
    site, api = world.application(), world.application()
    for name, path, application in (("site", "/", site), ("api", "/api", api)):
        service = Service(name, exposures=Exposure(path=path))
        world.discovery.apply(service, Route((application.registration(),)), FENCE)
    world.service = Service("api")
    world.await_routed(api)

    found = {path: world.get(path)[1] for path in ("/", "/api", "/api/", "/api/x", "/apiary", "/x/api")}

    assert found == {
        "/": site.name,
        "/api": api.name,
        "/api/": api.name,
        "/api/x": api.name,
        "/apiary": site.name,
        "/x/api": site.name,
    }


def test_a_host_comes_before_any_path_and_the_application_sees_it(world) -> None:
    any_host, shop = world.application(), world.application()
    long = Service("any", exposures=Exposure(path="/a/very/long/path"))
    world.discovery.apply(long, Route((any_host.registration(),)), FENCE)
    world.service = Service("shop", exposures=Exposure(host="shop.example"))
    world.apply(shop.registration())
    world.await_routed(shop)

    assert world.get("/a/very/long/path", host="shop.example") == (200, shop.name)
    assert world.get("/a/very/long/path", host="other.example") == (200, any_host.name)
    assert "Host: shop.example" in shop.headers[-1]


def test_a_service_with_two_ports_has_two_ways_in(world) -> None:
    public, admin = world.application(), world.application()
    world.service = Service("web", exposures=(Exposure("http"), Exposure("admin", "/admin")))
    addresses = {"http": public.address, "admin": admin.address}
    world.apply(Registration("web-1", "web", "r-1", "1.0", addresses, 7))
    world.await_routed(public, admin)

    assert world.view().weights == {public.address: 7, admin.address: 7}
    assert world.get("/")[1] == public.name
    assert world.get("/admin")[1] == admin.name


def test_a_worker_has_no_way_in(world) -> None:
    world.service = Service("worker", exposures=())
    worker = Registration("worker-1", "worker", "r-1", "1.0", {}, 1)
    world.apply(worker)
    one = world.application()
    world.service = Service("web")
    world.route(one.registration())

    assert world.get()[1] == one.name
    assert world.discovery.registrations(Service("worker", exposures=()))[0] == (worker,)


def test_what_traefik_reads_is_legal_and_readable(discovery, proxy) -> None:
    discovery.apply(Service("web"), Route((_registration("web-1", 3), _registration("web-2", 0))), FENCE)

    text = (proxy.dynamic_directory / "web.yaml").read_text()

    balancer = json.loads(text.partition("\n")[2])["http"]["services"]["web_http"]["loadBalancer"]
    assert balancer["servers"] == [{"url": "http://127.0.0.1:9", "weight": 3}]
