"""Tasks that die while nobody deploys, on a real swarm with a real Consul, seen at a real HAProxy under load."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import define, field, frozen

from zdd import Deployer, HttpGate, Release, Service
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.intent import ConsulIntents
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge, route_tags, weight_tags
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.interfaces import mirror_role
from zdd.model.address import Address

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from strict_clients import Load, mixed
from suspended import let_go_on, suspend

ELSEWHERE = "another copy is active"
SERVICE = Service("web", replicas=3, gates=(HttpGate("/health"),), stop_grace_s=3.0, start_deadline_s=90.0)


def load_lab(part: str) -> ModuleType:
    name = f"zdd_lab_{part}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "lab" / f"{part}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_consul = load_lab("consul")
_haproxy = load_lab("haproxy")
_traefik = load_lab("traefik")


@frozen
class Front:
    """An edge, as the deployer, the mirror's command line and the clients know it."""

    edge: Any
    entrance: Address
    options: tuple[str, str]


@define(eq=False)
class Scene:
    """What runs beside the swarm, and words for what happens."""

    swarm: Any
    agent: Any
    front: Front
    directory: Path
    wait_until: Callable[..., Any]
    mirrors: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def connection(self) -> ConsulConnection:
        return ConsulConnection(address=self.agent.address)

    def deploy(self, version: str) -> None:
        connection = self.connection
        with contextlib.closing(SwarmOrchestrator(self.swarm.engine)) as orchestrator:
            deployer = Deployer(
                orchestrator,
                ConsulDiscovery(connection, tags_for=route_tags, weight_tags_for=weight_tags),
                [self.front.edge],
                journal=ConsulJournal(connection),
                lease=ConsulLease(connection),
                intents=ConsulIntents(connection),
            )
            workload = self.swarm.workload()
            workload["service_spec"]["TaskTemplate"]["RestartPolicy"] = {"Condition": "any", "Delay": 500_000_000}
            report = deployer.deploy(SERVICE, Release(version, workload))
            warned = any("no mirror runs" in warning for warning in report.warnings)
            assert warned is not bool(self.mirrors), report.warnings

    def start_mirror(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "zdd", "mirror", "web", "--consul", self.agent.address]
        command += [
            "--docker",
            self.swarm.engine,
            *self.front.options,
            "--interval",
            "0.5",
            "--takeover",
            "3",
        ]
        number = len(self.mirrors)
        with (self.directory / f"mirror-{number}.log").open("wb") as log:
            self.mirrors.append(subprocess.Popen(command, stderr=log))
        if number:
            self.wait_until(lambda: ELSEWHERE in self.told_by_each()[number], "the other mirror looks")
        else:
            self.wait_until(self.active, "a mirror is active")
        return self.mirrors[-1]

    def active(self) -> int:
        """Return the process id of the active mirror, or 0."""
        holder = ConsulLease(self.connection).holder(mirror_role("web"))
        return int(holder.name.rpartition(":")[2]) if holder else 0

    def told(self) -> str:
        return "\n".join(self.told_by_each())

    def told_by_each(self) -> list[str]:
        return [path.read_text() for path in sorted(self.directory.glob("mirror-*.log"))]

    def instances(self) -> set[str]:
        return {item["Service"]["Meta"]["zdd-instance"] for item in self.agent.listed("web").values()}

    def crash(self) -> float:
        """Let one instance end by itself, and return when it did."""
        item = next(iter(self.agent.listed("web").values()))["Service"]
        client = http.client.HTTPConnection(item["Address"], item["Port"], timeout=5)
        client.request("GET", "/die")
        with pytest.raises((OSError, http.client.HTTPException)):
            client.getresponse()
        client.close()
        return time.monotonic()

    def await_whole(self, before: set[str], deadline_s: float = 90.0) -> None:
        """Wait until as many as before are registered, one of them new, and the edge shows exactly them."""

        def whole() -> bool:
            now = self.instances()
            if len(now) != 3 or now == before or len(self.front.edge.view(SERVICE, ()).weights) != 3:
                return False
            active = [mirror.pid for mirror in self.mirrors].index(self.active())
            return self.told_by_each()[active].endswith("is as it should be\n")

        try:
            self.wait_until(whole, "a replacement serves", deadline_s)
        except AssertionError:
            print(self.told())
            raise


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Front]]:
    directory = tmp_path_factory.mktemp("parts")
    try:
        program = _consul.find_consul()
        haproxy = _haproxy.find_haproxy(_consul.cache_directory(), _consul.fetch_own_release)
    except _consul.NoConsul as reason:
        pytest.skip(str(reason))
    agent = _consul.ConsulAgent(program, directory / "consul")
    agent.start()
    (port,) = _consul.free_ports(1)
    edge = _haproxy.LabHaproxy(haproxy, directory / "haproxy", agent.dns_port, {"web": "/"}, port)
    edge.start()
    place = Address("127.0.0.1", port)
    known = HaproxyEdge(edge.socket, {"http": place}, old_process_s=0)
    yield agent, Front(known, place, ("--haproxy", str(edge.socket)))
    edge.stop()
    agent.stop()


@pytest.fixture
def front(request: pytest.FixtureRequest, parts: tuple[Any, Front], tmp_path: Path) -> Iterator[Front]:
    """HAProxy, unless the test asks for Traefik."""
    agent, haproxy = parts
    if getattr(request, "param", "haproxy") == "haproxy":
        yield haproxy
        return
    program = _traefik.find_traefik()
    if program is None:
        pytest.skip("there is no traefik on PATH: install the extra `edge`")
    port, api_port = _consul.free_ports(2)
    edge = _traefik.LabTraefik(program, tmp_path / "traefik", agent.http_port, port, api_port)
    edge.start()
    place, api = Address("127.0.0.1", port), Address("127.0.0.1", api_port)
    yield Front(CatalogTraefikEdge(api, {"http": place}, weighs=True), place, ("--traefik", str(api)))
    edge.stop()


@pytest.fixture
def scene(
    swarm: Any, parts: tuple[Any, Front], front: Front, tmp_path: Path, wait_until: Callable[..., Any]
) -> Iterator[Scene]:
    made = Scene(swarm, parts[0], front, tmp_path, wait_until)
    yield made
    for mirror in made.mirrors:
        if mirror.poll() is None:
            mirror.send_signal(signal.SIGCONT)
            mirror.terminate()
            assert mirror.wait(60.0) == 0


@pytest.mark.timeout(400)
def test_tasks_that_die_are_replaced_without_a_person_whatever_happens_to_the_mirrors(scene: Scene) -> None:
    scene.deploy("1")
    first, second = scene.start_mirror(), scene.start_mirror()
    assert scene.active() == first.pid
    load = Load(scene.front.entrance, mixed(6, 6))
    died = []
    with load.running():
        before = scene.instances()
        died.append(scene.crash())
        scene.await_whole(before)
        healed_s = time.monotonic() - died[0]

        first.kill()
        first.wait(60.0)
        before = scene.instances()
        died.append(scene.crash())
        scene.await_whole(before)
        assert scene.active() == second.pid
        taken_over_s = time.monotonic() - died[1]

        third = scene.start_mirror()
        suspend(second.pid)
        before = scene.instances()
        died.append(scene.crash())
        scene.await_whole(before)
        assert scene.active() == third.pid
        indexes = {name: item["Service"]["ModifyIndex"] for name, item in scene.agent.listed("web").items()}
        let_go_on(second.pid)
        scene.wait_until(lambda: scene.told_by_each()[1].count(ELSEWHERE) == 2, "the one that was paused looks")
        after = {name: item["Service"]["ModifyIndex"] for name, item in scene.agent.listed("web").items()}
        assert after == indexes
        assert scene.active() == third.pid
    # For a moment HAProxy goes on to use the connections that it had kept open to the one that is dead.
    own = [one for one in load.lost if any(end_s - 5 <= one.began_s <= end_s + 1 for end_s in died)]
    answered, others = load.answers.total(), len(load.lost) - len(own)
    print(f"{answered} answered; lost with 3 crashed tasks: {len(own)}, otherwise: {others}")
    print(f"healed after {healed_s:.1f} s; after the active mirror had died {taken_over_s:.1f} s")
    print(scene.told())
    assert [one for one in load.lost if one not in own] == []
    scene.deploy("2")
    assert len(scene.instances()) == 3


@pytest.mark.timeout(400)
@pytest.mark.parametrize("front", ["traefik"], indirect=True)
def test_a_task_that_dies_is_replaced_behind_traefik(scene: Scene) -> None:
    scene.deploy("3")
    scene.start_mirror()
    load = Load(scene.front.entrance, mixed(4, 0))
    with load.running():
        before = scene.instances()
        died_s = scene.crash()
        scene.await_whole(before)
        healed_s = time.monotonic() - died_s
        answered = load.answers.total()
        scene.wait_until(lambda: load.answers.total() > answered + 100, "a hundred more are answered")
    # Traefik, as the example sets it up, tries a request nowhere else: what it sends to the dead one is lost.
    others = [one for one in load.lost if not died_s - 5 <= one.began_s <= died_s + healed_s]
    print(f"{load.answers.total()} answered, {len(load.lost)} lost; healed after {healed_s:.1f} s\n{scene.told()}")
    assert others == []
