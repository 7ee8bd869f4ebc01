"""What the cases run on: the lab's swarm and Consul, an edge of their own, and clients in another process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import define, field

from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.interfaces import Edge
from zdd.model.address import Address

sys.path.append(str(Path(__file__).parents[1] / "lab"))  # its parts import each other
from guard import passed_on

HERE = Path(__file__).parent
LAB = HERE.parent / "lab"
LAB_TIMEOUT_S = 300.0
CONTROL_GROUPS = Path("/sys/fs/cgroup")
CPU_SHARES, CPU_WEIGHT = 20 * 1024, 20 * 100
"""Twenty times the default, by the first and by the second version of control groups."""
END_TIMEOUT_S = 60.0
SLOW = {
    "haproxy": {"timeout resolve 100ms": "timeout resolve 1s", "hold valid 100ms": "hold valid 10s"},
    "traefik": {"providersThrottleDuration: 100ms": "providersThrottleDuration: 2s", "watch: true": "watch: false"},
}
"""How fast they follow where their configuration does not say: Traefik asks every 15 s then."""


def load_lab(part: str) -> ModuleType:
    """Load a part of the lab under a name that is no package's."""
    name = f"zdd_lab_{part}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, LAB / f"{part}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


consul_lab, haproxy_lab, traefik_lab = (load_lab(part) for part in ("consul", "haproxy", "traefik"))


def tell_lab(action: str) -> dict[str, Any]:
    """Bring the lab up or down.

    Raises:
        SystemExit: It can't run here; the message is the lab's.
    """
    environment, descriptors = passed_on()
    done = subprocess.run(
        [sys.executable, str(LAB), action],
        env={**os.environ, **environment}, pass_fds=descriptors,
        capture_output=True, text=True, timeout=LAB_TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        raise SystemExit(done.returncode)
    return dict(json.loads(done.stdout))


@contextmanager
def running_lab() -> Iterator[dict[str, Any]]:
    """Bring the lab up, and end it again if it was not up before."""
    facts = tell_lab("up")
    try:
        _give_time(facts["group"])
        yield facts
    finally:
        if facts["fresh"]:
            tell_lab("down")


def _give_time(group: str) -> None:
    """Let the lab's containers have as much of a busy machine's time as if each of them ran outside of it.

    A control group gets as much as one process else, and what is in it shares that.
    """
    for name, value in (("cpu/{}/cpu.shares", CPU_SHARES), ("{}/cpu.weight", CPU_WEIGHT)):
        path = CONTROL_GROUPS / name.format(group)
        if group and path.exists():
            path.write_text(str(value))


@contextmanager
def running_consul(directory: Path, beside: str = "") -> Iterator[Any]:
    """Start an agent on loopback, and at another address beside that."""
    settings = {"client_addr": f"127.0.0.1 {beside}"} if beside else {}
    agent = consul_lab.ConsulAgent(consul_lab.find_consul(), directory, settings)
    agent.start()
    try:
        yield agent
    finally:
        agent.stop()


@define(eq=False)
class RunningEdge:
    """An edge, what zdd knows of it, and where clients reach it.

    Attributes:
        edge: What zdd knows; None where it has no part in it.
        entrance: Where clients reach it.
        network: The overlay network on which it reaches the instances; empty: it does so at ports of their node.
        outside: The command that leads to where the clients are, if this process isn't there.
    """

    edge: Edge | None
    entrance: Address
    network: str = ""
    outside: tuple[str, ...] = ()


@contextmanager
def running_edge(kind: str, agent: Any, service: str, directory: Path, *, slow: bool) -> Iterator[RunningEdge]:
    """Start HAProxy or Traefik with the configuration of the example, for one service; slow: at its default pace."""
    settings = SLOW[kind] if slow else {}
    port, api_port = consul_lab.free_ports(2)
    entrance = Address("127.0.0.1", port)
    if kind == "haproxy":
        program = haproxy_lab.find_haproxy(consul_lab.cache_directory(), consul_lab.fetch_own_release)
        part = haproxy_lab.LabHaproxy(program, directory, agent.dns_port, {service: "/"}, port, settings)
        edge: Edge = HaproxyEdge(part.socket, {"http": entrance}, old_process_s=0)
    else:
        program = traefik_lab.find_traefik()
        if program is None:
            raise SystemExit("there is no traefik: install the extra `edge`")
        part = traefik_lab.LabTraefik(program, directory, agent.http_port, port, api_port, settings)
        edge = CatalogTraefikEdge(Address("127.0.0.1", api_port), {"http": entrance}, weighs=True)
    part.start()
    try:
        yield RunningEdge(edge, entrance)
    finally:
        part.stop()


@define(eq=False)
class Load:
    """The clients of `clients.py`."""

    edge: RunningEdge
    kind: str
    longest_s: float
    _process: subprocess.Popen[str] | None = None
    _last: dict[str, Any] = field(factory=dict)

    def start(self) -> None:
        where = (self.edge.entrance.host, str(self.edge.entrance.port))
        command = [*self.edge.outside, sys.executable, str(HERE / "clients.py"), *where, self.kind, str(self.longest_s)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self) -> dict[str, Any]:
        """Return what the clients have seen so far."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def end(self) -> dict[str, Any]:
        """Let the clients finish, and return all that they have seen."""
        if self._process is not None:
            answers, _ = self._process.communicate(timeout=END_TIMEOUT_S)
            self._last = dict(json.loads(answers.splitlines()[-1]))
            self._process = None
        return self._last

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def running_load(edge: RunningEdge, kind: str, longest_s: float) -> Iterator[Load]:
    load = Load(edge, kind, longest_s)
    with ExitStack() as last:
        last.callback(load.kill)
        load.start()
        yield load
