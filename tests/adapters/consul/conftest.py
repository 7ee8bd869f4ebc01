"""A real Consul for each run of the tests, and connections to it. Where none can be had, the tests are skipped."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.events import ConsulEvents
from zdd.model.address import Address
from zdd.model.service import Exposure, Service
from zdd.model.traffic import Registration

MANAGEMENT_TOKEN = "7d0f6b3e-0000-4000-8000-5f6c1d1e2a3b"  # noqa: S105 - of an agent that lives for one test run
TWO_PORTS = (Exposure("http"), Exposure("admin", path="/admin"))


LAB = Path(__file__).parents[2] / "lab"
sys.path.append(str(LAB))  # its parts import each other


def load_lab(part: str) -> ModuleType:
    name = f"zdd_lab_{part}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, LAB / f"{part}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_lab = load_lab("consul")
_haproxy = load_lab("haproxy")
_traefik = load_lab("traefik")


@pytest.fixture(scope="session")
def lab() -> ModuleType:
    """The part of the lab that runs Consul."""
    return _lab


@pytest.fixture(scope="session")
def consul_program() -> Path:
    try:
        return _lab.find_consul()
    except _lab.NoConsul as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def agent(consul_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An agent for all tests that do not end it."""
    running = _lab.ConsulAgent(consul_program, tmp_path_factory.mktemp("consul"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_agent(consul_program: Path, tmp_path: Path) -> Iterator[Any]:
    """An agent that the test may pause, kill and start again."""
    running = _lab.ConsulAgent(consul_program, tmp_path / "consul")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def guarded_agent(consul_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An agent that permits nothing without a token."""
    tokens = {"master": MANAGEMENT_TOKEN, "agent": MANAGEMENT_TOKEN}
    settings = {"acl": {"enabled": True, "default_policy": "deny", "tokens": tokens}}
    directory = tmp_path_factory.mktemp("guarded")
    running = _lab.ConsulAgent(consul_program, directory, settings=settings, token=MANAGEMENT_TOKEN)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def start_haproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Starts an HAProxy that follows an agent, with the given paths for Consul's names."""
    started: list[Any] = []

    def start(agent: Any, paths: Mapping[str, str], settings: Mapping[str, str] = {}) -> Any:
        try:
            program = _haproxy.find_haproxy(_lab.cache_directory(), _lab.fetch_own_release)
        except _lab.NoConsul as reason:
            pytest.skip(str(reason))
        (port,) = _lab.free_ports(1)
        directory = tmp_path_factory.mktemp("haproxy")
        started.append(_haproxy.LabHaproxy(program, directory, agent.dns_port, paths, port, settings))
        started[-1].start()
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def start_traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[Address, Address, Any]]]:
    """Starts a Traefik that follows an agent; gives where its API and its entrance are, and its process."""
    program = _traefik.find_traefik()
    if program is None:
        pytest.skip("there is no traefik on PATH: install the extra `edge`")
    started: list[Any] = []

    def start(agent: Any, settings: Mapping[str, str] = {}) -> tuple[Address, Address, Any]:
        port, api_port = _lab.free_ports(2)
        directory = tmp_path_factory.mktemp("traefik")
        started.append(_traefik.LabTraefik(program, directory, agent.http_port, port, api_port, settings))
        started[-1].start()
        return Address("127.0.0.1", api_port), Address("127.0.0.1", port), started[-1].process

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def connection(agent: Any) -> ConsulConnection:
    return ConsulConnection(address=agent.address)


@pytest.fixture
def own_connection(own_agent: Any) -> ConsulConnection:
    return ConsulConnection(address=own_agent.address, connect_timeout_s=2.0, timeout_s=2.0)


_numbers = itertools.count(1)


@pytest.fixture
def prefixes() -> Callable[[], str]:
    """Gives a part of the keys that nobody uses, with every call."""
    return lambda: f"test-{next(_numbers)}"


@pytest.fixture
def prefix(prefixes: Callable[[], str]) -> str:
    return prefixes()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """A service of two ports, with a name of its own for every test."""
    return Service(f"web{next(_numbers)}", exposures=TWO_PORTS)


@pytest.fixture
def make_registration() -> Callable[..., Registration]:
    def make(number: int, weight: int, version: str = "1.0") -> Registration:
        addresses = {"http": Address("127.0.0.1", 40_000 + number), "admin": Address("127.0.0.1", 50_000 + number)}
        return Registration(f"web.{number}", f"web-{number}", f"r-{version}", version, addresses, weight)

    return make


@pytest.fixture
def connect(guarded_agent: Any, request: pytest.FixtureRequest) -> Iterator[Callable[[str], ConsulConnection]]:
    """Gives a connection whose token has these rules and no other."""
    made: list[tuple[str, str]] = []

    def make(rules: str) -> ConsulConnection:
        name = f"policy-{abs(hash(request.node.name))}-{len(made)}"
        policy = guarded_agent.ask("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})
        token = guarded_agent.ask("PUT", "/v1/acl/token", {"Policies": [{"Name": name}]})
        made.append((policy["ID"], token["AccessorID"]))
        return ConsulConnection(address=guarded_agent.address, token=token["SecretID"])

    yield make
    for policy, token in made:
        guarded_agent.ask("DELETE", f"/v1/acl/token/{token}")
        guarded_agent.ask("DELETE", f"/v1/acl/policy/{policy}")


@pytest.fixture
def fire(connection: ConsulConnection, prefix: str) -> Iterator[ConsulEvents]:
    """Fires events with a prefix of the test's own."""
    events = ConsulEvents(connection, prefix=prefix)
    yield events
    events.close()
