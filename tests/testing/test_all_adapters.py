"""The kit on the adapters to real things: local processes, a real Traefik, SQLite."""

from __future__ import annotations

import http.client
import http.server
import itertools
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.local.orchestrator import LocalOrchestrator
from zdd.adapters.sqlite.control import SqliteControl
from zdd.adapters.sqlite.journal import SqliteJournal
from zdd.adapters.sqlite.lease import SqliteLease
from zdd.adapters.traefik.discovery import TraefikDiscovery
from zdd.adapters.traefik.edge import TraefikEdge
from zdd.adapters.traefik.proxy import TraefikProxy
from zdd.interfaces import Discovery, Orchestrator
from zdd.model.cell import Instance
from zdd.model.release import Process
from zdd.model.service import Exposure, Service
from zdd.testing import (
    CONTROL_RULES,
    DISCOVERY_RULES,
    EDGE_RULES,
    IN_PLACE_RULES,
    JOURNAL_RULES,
    LEASE_RULES,
    ORCHESTRATOR_RULES,
    Conditions,
    EdgeBench,
    Rule,
    accepts_connections,
    check_control,
    check_discovery,
    check_edge,
    check_journal,
    check_lease,
    check_orchestrator,
)

sys.path.append(str(Path(__file__).parents[1] / "lab"))
from backend import Backend, held_request
from suspended import suspended

TWO_PORTS = (Exposure("http"), Exposure("admin", path="/admin"))
SERVICE = Service("kit", exposures=TWO_PORTS, stop_grace_s=1.5)

SERVER = """
import http.server, os, signal, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        pass

if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for name, value in os.environ.items():
    if name.startswith("PORT_"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(value)), Handler)
        threading.Thread(target=server.serve_forever).start()
"""


def names(rules: Iterable[Rule[Any]]) -> set[str]:
    return {rule.name for rule in rules}


def python(code: str, *arguments: str) -> Process:
    return Process([sys.executable, "-c", code, *arguments])


def die(instance: Instance) -> None:
    """Let an instance end by itself."""
    address = instance.addresses["http"]
    client = http.client.HTTPConnection(address.host, address.port, timeout=5.0)
    client.request("GET", "/die")
    with pytest.raises((OSError, http.client.HTTPException)):
        client.getresponse()
    client.close()


# -- the local orchestrator --------------------------------------------------------------------------------------------


@pytest.fixture
def directories(tmp_path: Path) -> Callable[[], Path]:
    """Gives an empty state directory with every call."""
    numbers = itertools.count(1)

    def make() -> Path:
        directory = tmp_path / f"state-{next(numbers)}"
        directory.mkdir()
        return directory

    return make


@pytest.mark.timeout(300)
def test_the_local_orchestrator_keeps_every_rule(directories: Callable[[], Path]) -> None:
    opened: dict[int, Path] = {}
    made: list[Path] = []

    @contextmanager
    def make() -> Iterator[Orchestrator]:
        directory = directories()
        made.append(directory)
        orchestrator = LocalOrchestrator(directory)
        opened[id(orchestrator)] = directory
        try:
            yield orchestrator
        finally:
            orchestrator.stop_everything()

    def again(orchestrator: Orchestrator) -> Orchestrator:
        return LocalOrchestrator(opened[id(orchestrator)])

    conditions = Conditions(
        service=SERVICE,
        workload=python(SERVER).specification(),
        never_ready=python("import time; time.sleep(600)").specification(),
        slow_to_stop=python(SERVER, "stubborn").specification(),
        refused=Process(["/there/is/no/such/program"]).specification(),
        answers=accepts_connections,
        kill=die,
        written=lambda: {str(path): path.read_text() for path in sorted(made[-1].glob("services/*/cells/*/cell.json"))},
        steady_s=0.2,
    )
    rules = names(ORCHESTRATOR_RULES) - names(IN_PLACE_RULES)  # each process is a cell
    assert set(check_orchestrator(make, conditions, again=again)) == rules


# -- Traefik -----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def described_proxy(directories: Callable[[], Path]) -> Iterator[TraefikProxy]:
    proxy = TraefikProxy(directories(), port=free_port())
    proxy.make_directories()
    try:
        yield proxy
    finally:
        proxy.stop()


@pytest.mark.timeout(300)
def test_the_traefik_discovery_keeps_every_rule(directories: Callable[[], Path]) -> None:
    opened: dict[int, TraefikProxy] = {}

    @contextmanager
    def make() -> Iterator[Discovery]:
        with described_proxy(directories) as proxy:
            discovery = TraefikDiscovery(proxy)
            opened[id(discovery)] = proxy
            yield discovery

    def again(discovery: Discovery) -> Discovery:
        return TraefikDiscovery(opened[id(discovery)])

    conditions = Conditions(service=SERVICE, steady_s=0.1)
    assert set(check_discovery(make, conditions, again=again)) == names(DISCOVERY_RULES)


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    made = [Backend("kit.1", SERVICE), Backend("kit.2", SERVICE)]
    yield made
    for backend in made:
        backend.close()


@pytest.mark.timeout(300)
def test_the_traefik_edge_keeps_every_rule(directories: Callable[[], Path], backends: list[Backend]) -> None:
    @contextmanager
    def make() -> Iterator[EdgeBench]:
        with described_proxy(directories) as proxy:
            proxy.ensure_running()
            edge = TraefikEdge(proxy)
            yield EdgeBench(
                edge=edge,
                discovery=TraefikDiscovery(proxy),
                registrations=[backend.registration for backend in backends],
                open_request=partial(held_request, proxy.address, backends),
                cut_off=lambda: suspended(int(proxy.identity.split()[1].rstrip(","))),
            )

    able = {rule for rule in names(EDGE_RULES) if "an edge that can't" not in rule or rule.endswith("says so")}
    assert set(check_edge(make, Conditions(service=SERVICE, steady_s=0.2))) == able


# -- SQLite ------------------------------------------------------------------------------------------------------------


def test_the_sqlite_journal_keeps_every_rule(directories: Callable[[], Path]) -> None:
    files: dict[int, Path] = {}

    def make() -> SqliteJournal:
        path = directories() / "zdd.sqlite3"
        journal = SqliteJournal(path)
        files[id(journal)] = path
        return journal

    def damage(journal: object) -> None:
        with closing(sqlite3.connect(files[id(journal)])) as connection, connection:
            connection.execute("UPDATE event SET body = replace(body, '\"t\"', '\"x\"') WHERE number = 1")
            assert connection.total_changes == 1

    checked = check_journal(make, again=lambda journal: SqliteJournal(files[id(journal)]), damage=damage)
    assert set(checked) == names(JOURNAL_RULES)


def test_the_sqlite_lease_keeps_every_rule(directories: Callable[[], Path]) -> None:
    files: dict[int, Path] = {}

    def make() -> SqliteLease:
        path = directories() / "zdd.sqlite3"
        lease = SqliteLease(path)
        files[id(lease)] = path
        return lease

    assert set(check_lease(make, again=lambda lease: SqliteLease(files[id(lease)]))) == names(LEASE_RULES)


def test_the_sqlite_control_keeps_every_rule(directories: Callable[[], Path]) -> None:
    files: dict[int, Path] = {}

    def make() -> SqliteControl:
        path = directories() / "zdd.sqlite3"
        control = SqliteControl(path)
        files[id(control)] = path
        return control

    assert set(check_control(make, again=lambda control: SqliteControl(files[id(control)]))) == names(CONTROL_RULES)
