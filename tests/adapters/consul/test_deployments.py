"""Whole deployments of local processes through Consul and an edge that follows it, under load; some deployers die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from zdd import BlueGreen, Canary, Deployer, Process, Release, RollingUpdate, Service
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge, weight_tags
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.errors import JournalError, LeaseLost
from zdd.events import CommandAnswered, CommandIntended, Event, InstanceMoved, Moment, Outcome
from zdd.model.address import Address
from zdd.model.command import Route

sys.path.append(str(Path(__file__).parents[2] / "lab"))
sys.path.append(str(Path(__file__).parents[2] / "loss"))
from strict_clients import Load, Request, mixed
from suspended import suspend
from without import without

# It ends at once when it is told to: whatever is in flight then is lost.
APPLICATION = """
import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/sleep/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        body = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *arguments): pass

signal.signal(signal.SIGTERM, lambda *arguments: os._exit(0))
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

UNREACHED_S = 3.0
STATED_S = 2.0
CLIENTS = {**mixed(5, 3), Request("/", "POST", b"x" * 5000): 2}
ROUTE = ("traefik.http.routers.app.rule=PathPrefix(`/`)",)


def release(version: str) -> Release:
    return Release(version, Process([sys.executable, "-c", APPLICATION, version]))


@define(eq=False)
class World:
    """Everything that a deployment needs, so that another process can make it again."""

    consul: str
    prefix: str
    state: Path
    edge: str
    where: tuple[str, int]
    entrance: tuple[str, int]

    def deployer(
        self,
        *listeners: Callable[[Event], None],
        lease_s: float = 3.0,
        wrap: Callable[[Any], Any] = lambda edge: edge,
        beside: Sequence[Any] = (),
    ) -> Deployer:
        connection = ConsulConnection(address=self.consul)
        entrance = {"http": Address(*self.entrance)}
        if self.edge == "haproxy":
            edge: Any = HaproxyEdge(self.where[0], entrance, old_process_s=0)
        else:
            edge = CatalogTraefikEdge(Address(*self.where), entrance)
        return Deployer(
            LocalOrchestrator(self.state),
            ConsulDiscovery(connection, prefix=self.prefix, tags_for=lambda *_: ROUTE, weight_tags_for=weight_tags),
            [wrap(edge), *beside],
            journal=ConsulJournal(connection, prefix=self.prefix),
            lease=ConsulLease(connection, prefix=self.prefix),
            lease_s=lease_s,
            listeners=listeners,
        )

    def registered(self, service: Service) -> list[tuple[str, int]]:
        discovery = ConsulDiscovery(ConsulConnection(address=self.consul), prefix=self.prefix)
        return [(one.version, one.weight) for one in discovery.registrations(service)[0]]


@contextmanager
def made_world(
    edge: str,
    agent: Any,
    prefix: str,
    state: Path,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
) -> Iterator[World]:
    state.mkdir()
    if edge == "haproxy":
        haproxy = start_haproxy(agent, {"app": "/"})
        made = World(agent.address, prefix, state, edge, (str(haproxy.socket), 0), ("127.0.0.1", haproxy.port))
    else:
        api, entrance, _ = start_traefik(agent)
        made = World(agent.address, prefix, state, edge, (api.host, api.port), (entrance.host, entrance.port))
    try:
        yield made
    finally:
        LocalOrchestrator(state).stop_everything()
        for item in agent.ask("GET", "/v1/health/service/app?consistent"):
            agent.ask("PUT", f"/v1/agent/service/deregister/{item['Service']['ID']}")


@pytest.fixture(params=["haproxy", "traefik"])
def world(
    request: pytest.FixtureRequest,
    agent: Any,
    prefix: str,
    tmp_path: Path,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
) -> Iterator[World]:
    with made_world(request.param, agent, prefix, tmp_path / "state", start_haproxy, start_traefik) as made:
        yield made


@pytest.fixture
def own_world(
    own_agent: Any,
    prefix: str,
    tmp_path: Path,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
) -> Iterator[World]:
    """One whose Consul the test may end, for longer than a start takes."""

    def start(agent: Any, paths: dict[str, str]) -> Any:
        return start_haproxy(agent, paths, {"hold nx 5s": "hold nx 30s"})

    with made_world("haproxy", own_agent, prefix, tmp_path / "state", start, start_traefik) as made:
        yield made


SERVICE = Service("app", replicas=3, drain_deadline_s=10.0, stop_grace_s=2.0, start_deadline_s=60.0)


@pytest.mark.timeout(400)
def test_nothing_is_lost_by_applications_that_end_at_once(world: World) -> None:
    deployer = world.deployer()
    deployer.deploy(SERVICE, release("1.0"), RollingUpdate())
    steps: list[tuple[str, Any]] = [("2.0", RollingUpdate()), ("3.0", BlueGreen())]
    if world.edge == "haproxy":  # the other one knows no weights
        steps.append(("4.0", Canary(steps=(20, 100), hold_s=0.5)))
    with Load(Address(*world.entrance), CLIENTS).running() as load:
        for version, strategy in steps:
            report = deployer.deploy(SERVICE, release(version), strategy)
            assert report.outcome is Outcome.SUCCEEDED, report
            assert not report.unproven
        deployer.rollback(SERVICE.name, "2.0")
    print(f"{world.edge}: {sum(load.answers.values())} answered {dict(load.answers)}, {len(load.lost)} lost")
    assert not load.lost
    assert set(load.answers) == {"1.0", *(version for version, _ in steps)}
    assert [(version, round(weight / 1e6, 3)) for version, weight in world.registered(SERVICE)] == [("2.0", 0.333)] * 3
    deployer.remove(SERVICE.name)
    assert world.registered(SERVICE) == []


@pytest.mark.timeout(400)
def test_a_reload_of_haproxy_makes_the_count_unknown_until_the_process_before_has_ended(
    agent: Any, prefix: str, tmp_path: Path, start_haproxy: Callable[..., Any], start_traefik: Callable[..., Any]
) -> None:
    old_process_s = 3.0
    started: list[Any] = []

    def start(agent: Any, paths: dict[str, str]) -> Any:
        started.append(start_haproxy(agent, paths, {"hard-stop-after 60s": f"hard-stop-after {old_process_s:g}s"}))
        return started[-1]

    reloaded_s: list[float] = []

    def reload(event: Event) -> None:
        if isinstance(event, InstanceMoved) and event.moment is Moment.OUT and not reloaded_s and load.answers:
            reloaded_s.append(time.time())
            started[0].reload()

    with made_world("haproxy", agent, prefix, tmp_path / "state", start, start_traefik) as world:
        edge = HaproxyEdge(world.where[0], {"http": Address(*world.entrance)}, old_process_s=old_process_s)
        load = Load(Address(*world.entrance), CLIENTS)
        deployer = world.deployer(reload, wrap=lambda _: edge)
        deployer.deploy(SERVICE, release("1.0"), RollingUpdate())
        with load.running():
            _wait_until(lambda: load.answers)
            report = deployer.deploy(SERVICE, release("2.0"), BlueGreen())
    print(f"{sum(load.answers.values())} answered, {len(load.lost)} lost, one reload; {report}")
    assert report.outcome is Outcome.SUCCEEDED
    assert load.lost == []
    removed = [one.times for one in report.instances if one.version == "1.0"]
    assert len(removed) == SERVICE.replicas
    for times in removed:
        end_s = times.get(Moment.IDLE) or times[Moment.CUT]
        assert end_s >= reloaded_s[0] + old_process_s - 1.0  # HAProxy tells its uptime in whole seconds


@pytest.fixture(params=["haproxy", "traefik"])
def second_edge(
    request: pytest.FixtureRequest,
    agent: Any,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
) -> Iterator[tuple[Any, subprocess.Popen[bytes]]]:
    """An edge beside another one, and its process, which the test may pause."""
    if request.param == "haproxy":
        haproxy = start_haproxy(agent, {"app": "/"})
        edge: Any = HaproxyEdge(haproxy.socket, {}, old_process_s=0)
        process = haproxy.process
    else:
        api, _, process = start_traefik(agent)
        edge = CatalogTraefikEdge(api, {}, weighs=True)
    yield edge, process
    process.send_signal(signal.SIGCONT)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("world", ["haproxy"], indirect=True)
def test_an_edge_that_can_not_be_reached_holds_up_who_joins_and_the_report_says_so(
    world: World, second_edge: tuple[Any, subprocess.Popen[bytes]]
) -> None:
    edge, process = second_edge
    answering_s: list[float] = []
    paused: list[threading.Timer] = []

    def answer_again() -> None:
        answering_s.append(time.time())
        process.send_signal(signal.SIGCONT)

    def listen(event: Event) -> None:
        if isinstance(event, InstanceMoved) and event.moment is Moment.READY and load.answers and not paused:
            suspend(process.pid)
            paused.append(threading.Timer(UNREACHED_S, answer_again))
            paused[0].start()

    load = Load(Address(*world.entrance), CLIENTS)
    service = evolve(SERVICE, drain_deadline_s=UNREACHED_S + 1.0)
    world.deployer(beside=[edge]).deploy(service, release("1.0"), BlueGreen())
    with load.running():
        _wait_until(lambda: load.answers)
        report = world.deployer(listen, beside=[edge]).deploy(service, release("2.0"), BlueGreen())
    assert report.outcome is Outcome.SUCCEEDED, report
    admitted_s = [one.times[Moment.ADMITTED] for one in report.instances if one.version == "2.0"]
    assert len(admitted_s) == SERVICE.replicas
    assert min(admitted_s) >= answering_s[0]
    assert any(line.startswith(f"{edge.name} could not be reached") for line in report.unproven), report.unproven
    assert load.lost == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("world", ["haproxy"], indirect=True)
def test_an_edge_that_never_answers_again_holds_up_who_leaves_until_the_stated_time_and_the_report_says_so(
    world: World, second_edge: tuple[Any, subprocess.Popen[bytes]]
) -> None:
    edge, process = second_edge
    paused_s: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, InstanceMoved) and event.moment is Moment.SEEN and not paused_s:
            suspend(process.pid)  # after the first look: what serves was seen there
            paused_s.append(time.time())

    service = evolve(SERVICE, drain_deadline_s=STATED_S)
    world.deployer(beside=[edge]).deploy(service, release("1.0"), BlueGreen())
    with Load(Address(*world.entrance), CLIENTS).running() as load:
        _wait_until(lambda: load.answers)
        report = world.deployer(listen, beside=[edge]).deploy(evolve(service, replicas=2), release("1.0"))
    assert report.outcome is Outcome.SUCCEEDED, report
    (times,) = [one.times for one in report.instances if Moment.STOPPED in one.times]
    assert times[Moment.OUT] >= paused_s[0] + STATED_S
    assert times[Moment.CUT] >= times[Moment.OUT] + STATED_S
    assert any(line.startswith(f"{edge.name} could not be reached") for line in report.unproven), report.unproven
    assert load.lost == []


def _wait_until(condition: Callable[[], Any], deadline_s: float = 60.0) -> None:
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"not within {deadline_s:g} s"
        time.sleep(0.02)


def _deploy_until_killed(world: World, version: str, wanted: int) -> None:
    """Deploy, and die by SIGKILL at the wanted change of the traffic: when it was asked for, or when it was done."""
    routes = []

    def listen(event: Event) -> None:
        intended = isinstance(event, CommandIntended) and isinstance(event.command, Route)
        if intended or (isinstance(event, CommandAnswered) and routes and routes[-1] == event.number):
            routes.append(getattr(event, "number", 0))
            if len(routes) > wanted:
                os.kill(os.getpid(), signal.SIGKILL)

    world.deployer(listen).deploy(SERVICE, release(version), RollingUpdate())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("wanted", [1, 3, 6])
@pytest.mark.parametrize("world", ["haproxy"], indirect=True)
def test_a_killed_deployer_leaves_nothing_out_for_ever(world: World, wanted: int) -> None:
    world.deployer().deploy(SERVICE, release("1.0"))
    with Load(Address(*world.entrance), CLIENTS).running() as load:
        killed = multiprocessing.get_context("spawn").Process(target=_deploy_until_killed, args=(world, "2.0", wanted))
        killed.start()
        killed.join(60.0)
        assert killed.exitcode == -signal.SIGKILL
        assert sum(weight > 0 for _, weight in world.registered(SERVICE)) >= SERVICE.replicas
        lease = ConsulLease(ConsulConnection(address=world.consul), prefix=world.prefix)
        deadline = time.monotonic() + 60
        while lease.holder(SERVICE.name) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        report = world.deployer().resume(SERVICE.name)
    assert report.outcome is Outcome.SUCCEEDED, report
    assert not load.lost
    assert [version for version, weight in world.registered(SERVICE) if weight > 0] == ["2.0"] * 3
    assert len(world.registered(SERVICE)) == 3
    world.deployer().remove(SERVICE.name)


def _deploy_until_stopped(world: World, version: str, wanted: int) -> None:
    """Deploy, and stand still when the wanted change of the traffic is about to be sent. Exit 3: the lease was lost."""
    routes = []

    def listen(event: Event) -> None:
        if isinstance(event, CommandIntended) and isinstance(event.command, Route):
            routes.append(event.number)
            if len(routes) == wanted:
                os.kill(os.getpid(), signal.SIGSTOP)

    try:
        world.deployer(listen).deploy(SERVICE, release(version), RollingUpdate())
    except LeaseLost:
        os._exit(3)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("world", ["haproxy"], indirect=True)
def test_a_deployer_that_slept_longer_than_its_lease_changes_nothing_when_it_wakes_up(world: World) -> None:
    world.deployer().deploy(SERVICE, release("1.0"))
    with Load(Address(*world.entrance), CLIENTS).running() as load:
        asleep = multiprocessing.get_context("spawn").Process(target=_deploy_until_stopped, args=(world, "2.0", 2))
        asleep.start()
        pid = asleep.pid or 0
        try:
            _wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", 60.0)
            lease = ConsulLease(ConsulConnection(address=world.consul), prefix=world.prefix)
            _wait_until(lambda: lease.holder(SERVICE.name) is None)
            report = world.deployer().resume(SERVICE.name)
            journal = ConsulJournal(ConsulConnection(address=world.consul), prefix=world.prefix)
            before = (world.registered(SERVICE), LocalOrchestrator(world.state).observe(SERVICE), journal.read("app"))
        finally:
            os.kill(pid, signal.SIGCONT)
        asleep.join(60.0)
        assert asleep.exitcode == 3
        after = (world.registered(SERVICE), LocalOrchestrator(world.state).observe(SERVICE), journal.read("app"))
    assert report.outcome is Outcome.SUCCEEDED, report
    assert after == before
    assert not load.lost
    world.deployer().remove(SERVICE.name)


@define(eq=False)
class Careless:
    """An edge of which nobody waits for what is in flight."""

    edge: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.edge, name)

    def view(self, service: Service, addresses: Any) -> Any:
        return evolve(self.edge.view(service, addresses), in_flight=dict.fromkeys(addresses, 0))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("world", ["haproxy"], indirect=True)
def test_without_the_count_of_what_is_in_flight_requests_are_lost(world: World) -> None:
    deployer = world.deployer(wrap=Careless)
    deployer.deploy(SERVICE, release("1.0"))
    with Load(Address(*world.entrance), CLIENTS).running() as load:
        for version in ("2.0", "3.0", "4.0", "5.0"):  # one deployment may by chance stop all of them between requests
            deployer.deploy(SERVICE, release(version), RollingUpdate())
            if load.lost:
                break
    assert load.lost
    deployer.remove(SERVICE.name)


LATE = {"watch: true": "refreshInterval: 2s"}
"""A Traefik that polls, as it does by default, but every 15 s then."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("wait", "versions"),
    [("", ["2.0"]), ("gone", ["2.0", "3.0", "4.0", "5.0"])],  # it may by chance let go just before they stop
    ids=["with", "without"],
)
def test_an_edge_that_follows_late_loses_requests_only_without_the_wait_for_it_to_let_go(
    wait: str,
    versions: Sequence[str],
    agent: Any,
    prefix: str,
    tmp_path: Path,
    start_haproxy: Callable[..., Any],
    start_traefik: Callable[..., Any],
) -> None:
    def start(agent: Any) -> Any:
        return start_traefik(agent, LATE)

    with made_world("traefik", agent, prefix, tmp_path / "state", start_haproxy, start) as world:
        deployer = world.deployer()
        deployer.deploy(SERVICE, release("1.0"), BlueGreen())
        # So seldom that Traefik closes its connections in between: they are what is counted.
        load = Load(Address(*world.entrance), {Request("/"): 1}, pause_s=0.3)
        with load.running(), without(wait) if wait else nullcontext():
            for version in versions:
                if not load.lost:
                    deployer.deploy(SERVICE, release(version), RollingUpdate(batch=SERVICE.replicas))
    print(f"{sum(load.answers.values())} answered, {len(load.lost)} lost {load.lost[:2]}")
    assert bool(load.lost) == bool(wait), load.lost[:3]


@pytest.mark.timeout(400)
def test_an_agent_that_crashes_in_the_middle_and_comes_back_costs_nothing(own_world: World, own_agent: Any) -> None:
    crashed = []

    def crash(event: Event) -> None:
        if isinstance(event, CommandAnswered) and event.number == 3 and not crashed:
            own_agent.kill()
            crashed.append(threading.Timer(1.5, own_agent.start))
            crashed[0].start()

    own_world.deployer().deploy(SERVICE, release("1.0"))
    with Load(Address(*own_world.entrance), CLIENTS).running() as load:
        report = own_world.deployer(crash, lease_s=15.0).deploy(SERVICE, release("2.0"), RollingUpdate())
    crashed[0].join()
    print(f"{sum(load.answers.values())} answered, {len(load.lost)} lost while Consul was away")
    assert report.outcome is Outcome.SUCCEEDED, report
    assert not load.lost, load.lost[:3]
    assert [version for version, _ in own_world.registered(SERVICE)] == ["2.0"] * 3


@pytest.mark.timeout(400)
def test_a_consul_that_does_not_come_back_ends_it_with_a_clear_error_and_traffic_stays(
    own_world: World, own_agent: Any
) -> None:
    def crash(event: Event) -> None:
        if isinstance(event, CommandAnswered) and event.number == 3:
            own_agent.kill()

    own_world.deployer().deploy(SERVICE, release("1.0"))
    before = own_world.registered(SERVICE)
    with Load(Address(*own_world.entrance), CLIENTS).running() as load:
        began_s = time.monotonic()
        with pytest.raises((JournalError, LeaseLost), match="can't be reached"):
            own_world.deployer(crash, lease_s=10.0).deploy(SERVICE, release("2.0"), RollingUpdate())
        assert time.monotonic() - began_s < 30.0  # for so long HAProxy keeps the addresses it knows
        times_s = [time.monotonic() - began_s]
        own_agent.start()
        times_s.append(time.monotonic() - began_s)
        after = own_world.registered(SERVICE)
        assert sum(weight > 0 for _, weight in after) >= sum(weight > 0 for _, weight in before)
        lease = ConsulLease(ConsulConnection(address=own_world.consul), prefix=own_world.prefix)
        deadline = time.monotonic() + 60
        while lease.holder(SERVICE.name) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        times_s.append(time.monotonic() - began_s)
        report = own_world.deployer().resume(SERVICE.name)
        times_s.append(time.monotonic() - began_s)
    assert report.outcome is Outcome.SUCCEEDED, report
    print(f"given up, there again, gone on with, done after {times_s} s; lost after", end=" ")
    print([round(one.began_s - began_s, 2) for one in load.lost], report)
    assert not load.lost, load.lost[:3]
    assert [version for version, _ in own_world.registered(SERVICE)] == ["2.0"] * 3
