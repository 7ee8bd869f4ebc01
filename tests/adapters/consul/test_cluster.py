"""Three servers and two nodes with an agent each: what becomes of a deployment when one of them fails in the middle."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from zdd import Deployer, Process, Release, RollingUpdate, Service
from zdd.adapters.consul.checks import tcp_check
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.intent import ConsulIntents
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.events import CommandAnswered, Event, Outcome
from zdd.model.address import Address

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from strict_clients import Load, mixed

SERVICE = Service("app", replicas=2, drain_deadline_s=10.0, stop_grace_s=2.0, start_deadline_s=60.0)

# It ends at once when it is told to: whatever is in flight then is lost.
APPLICATION = """
import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/sleep/"):
            time.sleep(float(self.path.rpartition("/")[2]))
        body = sys.argv[1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass

signal.signal(signal.SIGTERM, lambda *arguments: os._exit(0))
http.server.ThreadingHTTPServer.request_queue_size = 128
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@define(eq=False)
class Scene:
    """A cluster, an HAProxy that follows one of its agents, and local processes registered with both."""

    cluster: Any
    haproxy: Any
    state: Path
    nodes: dict[Address, int] = field(factory=dict)

    def node_of(self, address: Address) -> ConsulConnection:
        """The user's rule: every second instance is on the other node."""
        number = self.nodes.setdefault(address, len(self.nodes) % len(self.cluster.clients))
        return self.connection(number)

    def connection(self, number: int = 0) -> ConsulConnection:
        return ConsulConnection(address=self.cluster.clients[number].address)

    def deploy(self, version: str, fails: Mapping[int, Callable[[], None]]) -> None:
        """Deploy, and let something fail when a command of that number has been answered."""
        connection, left = self.connection(), dict(fails)

        def listen(event: Event) -> None:
            if isinstance(event, CommandAnswered) and event.number in left:
                left.pop(event.number)()

        deployer = Deployer(
            LocalOrchestrator(self.state),
            ConsulDiscovery(
                connection,
                agent_for=self.node_of,
                checks_for=lambda _service, _exposure, address: [tcp_check(address, interval_s=0.5)],
            ),
            [HaproxyEdge(str(self.haproxy.socket), {"http": Address("127.0.0.1", self.haproxy.port)}, old_process_s=0)],
            journal=ConsulJournal(connection),
            lease=ConsulLease(connection),
            intents=ConsulIntents(connection),
            listeners=[listen],
        )
        command = [sys.executable, "-c", APPLICATION, version]
        # An agent that starts again with nothing has the catalog forget what it knew up to 3 s later. Each batch
        # serves for longer than that, so that the deployer is there to see it: after the end nobody would be.
        report = deployer.deploy(SERVICE, Release(version, Process(command)), RollingUpdate(hold_s=4.0))
        assert report.outcome is Outcome.SUCCEEDED, report
        assert not left

    def listed(self) -> Counter[tuple[str, str]]:
        """Return (version, node) → how many instances are in traffic there."""
        items = self.cluster.clients[0].listed("app").values()
        passing = [item for item in items if all(check["Status"] == "passing" for check in item["Checks"])]
        return Counter((item["Service"]["Meta"]["zdd-version"], item["Node"]["Node"]) for item in passing)


@pytest.fixture
def scene(lab: Any, consul_program: Path, tmp_path: Path, start_haproxy: Callable[..., Any]) -> Iterator[Scene]:
    cluster = lab.ConsulCluster.start(consul_program, tmp_path / "cluster")
    state = tmp_path / "state"
    state.mkdir()
    yield Scene(cluster, start_haproxy(cluster.clients[0], {"app": "/"}), state)
    LocalOrchestrator(state).stop_everything()
    cluster.stop()


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_the_leader_or_an_agent_fails_in_the_middle(scene: Scene) -> None:
    cluster = scene.cluster
    timers: list[threading.Timer] = []

    def later(action: Callable[[], None]) -> None:
        timers.append(threading.Timer(1.0, action))
        timers[-1].start()

    def kill_the_leader() -> None:
        leader = cluster.leader()
        leader.kill()
        later(leader.start)

    def crash_an_agent_that_loses_its_data() -> None:
        cluster.clients[1].kill()
        cluster.clients[1].forget_everything()
        later(cluster.clients[1].start)

    scene.deploy("1", {})
    assert scene.listed() == {("1", "node-0"): 1, ("1", "node-1"): 1}
    with Load(Address("127.0.0.1", scene.haproxy.port), mixed(5, 3)).running() as load:
        scene.deploy("2", {3: kill_the_leader, 6: crash_an_agent_that_loses_its_data})
    for timer in timers:
        timer.join()
    print(f"{load.answers.total()} answered, {len(load.lost)} lost: {load.lost[:3]}")
    assert not load.lost
    assert {name for name, _ in scene.listed()} == {"2"}
    assert scene.listed().total() == 2
