"""Releases that spoil a real PostgreSQL on a real swarm are taken back with the data, under writes."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

import zdd
from zdd.adapters.embedded import Embedded
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.container_command import ContainerCommand
from zdd.adapters.swarm.volume import Volume

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from writers import Writer, free_port

TESTS = Path(__file__).parents[2]
PASSWORD = "secret"  # noqa: S105 - of a database that lives for one test
PATH = "/usr/lib/postgresql/15/bin:/usr/bin:/bin"
CLIENT = {"PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGPASSWORD": PASSWORD, "PATH": PATH}
DATA = "/var/lib/postgresql/data"
SPOILED = "select count(*) from orders where body like 'spoiled%'"

# Writes numbers, each in a transaction of its own, and prints those that were acknowledged.
WRITER = """
import itertools, os, psycopg2, signal, threading

ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())

def write(first):
    connection, numbers = None, itertools.count(first)
    while not ended.wait(0.01):
        number = next(numbers)
        try:
            if connection is None:
                connection = psycopg2.connect(host="database", user="postgres", password="secret", connect_timeout=2)
                connection.autocommit = True
            connection.cursor().execute("insert into orders values (%s)", (f"{number:07}",))
        except psycopg2.Error:
            connection = None
        else:
            os.write(1, b"%07d\\n" % number)  # one line at once, whichever thread

threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1_000_000, 2_000_000)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

# A release that changes what is there as soon as it can, and then serves.
SPOIL = """
(until psql -q -c "update orders set body = 'spoiled ' || body"; do sleep 0.1; done) &
exec /usr/bin/python3 /database.py
"""


class Place:
    """A swarm with a network, a volume and an image of PostgreSQL, and short words for what the tests do there."""

    def __init__(self, swarm: Any, wait_until: Callable[..., Any], image: str, tools: str) -> None:
        self.swarm, self.wait_until, self.image, self.tools = swarm, wait_until, image, tools
        swarm.client("network", "create", "--driver", "overlay", "--attachable", "back")
        swarm.client("volume", "create", "orders-data")

    def container(self) -> str:
        """Return the container in which the database runs now, once it answers."""

        def answers() -> str:
            found = self.swarm.client("ps", "--quiet", "--filter", "label=com.docker.swarm.service.name=database")
            with contextlib.suppress(AssertionError):
                self.swarm.client("exec", *self.options(), found, "psql", "-X", "-q", "-c", "select 1")
                return str(found)
            return ""

        return str(self.wait_until(answers, "the database answers"))

    def options(self) -> list[str]:
        return [word for name, value in CLIENT.items() for word in ("--env", f"{name}={value}")]

    def ask(self, statement: str) -> list[str]:
        words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return str(self.swarm.client("exec", *self.options(), self.container(), *words)).split()

    def is_fine(self) -> zdd.FunctionGate:
        return zdd.FunctionGate(lambda _: self.ask(SPOILED) == ["0"], interval_s=0.2)

    def database(self, version: str, **parts: Any) -> zdd.Release:
        """Return a release of the database itself, which keeps its data in the volume."""
        mount = {"Type": "volume", "Source": "orders-data", "Target": DATA}
        container = {"Mounts": [mount], "StopSignal": "SIGINT"}  # it would wait for its clients otherwise
        task = {"ContainerSpec": container, "Networks": [{"Target": "back"}]}
        spec = {"TaskTemplate": task, "EndpointSpec": {"Mode": "dnsrr"}}
        environment = {"POSTGRES_PASSWORD": PASSWORD, **CLIENT}
        changes = bool(parts)
        workload = Container(self.image, environment=environment, ports={"sql": 5432}, service_spec=spec, **parts)
        return zdd.Release(version, workload.specification(), changes_data=changes)


@pytest.fixture
def place(swarm: Any, wait_until: Callable[..., Any], database_image: str) -> Iterator[Place]:
    lines = [f"FROM {swarm.image}", 'RUN ["/bin/busybox", "--install", "-s", "/bin"]']
    list(swarm.api.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag="zdd-lab/tools", rm=True, decode=True))
    yield Place(swarm, wait_until, database_image, "zdd-lab/tools")
    swarm.clear()
    for volume in ("orders-data", "orders-primary", "orders-standby"):
        with contextlib.suppress(docker.errors.NotFound):
            swarm.api.remove_volume(volume, force=True)


@contextlib.contextmanager
def writers(place: Place) -> Iterator[Callable[[], set[str]]]:
    """Let clients write into the database by its name on the network; gives what was acknowledged so far."""
    words = ["run", "--detach", "--network", "back", "--name", "writers", "--entrypoint", "/usr/bin/python3"]
    place.swarm.client(*words, place.image, "-c", WRITER)
    try:
        yield lambda: set(place.swarm.client("logs", "writers").split())
    finally:
        place.swarm.client("stop", "--time", "10", "writers")


DATABASE = zdd.Service(
    "database", exposures=[zdd.Exposure("sql")], drain_deadline_s=1, stop_grace_s=10, start_deadline_s=30
)
ORDERS = zdd.Service("orders", gates=[zdd.HttpGate("/health")], drain_deadline_s=5, stop_grace_s=3, start_deadline_s=60)


@pytest.mark.timeout(300)
def test_a_release_that_spoils_the_volume_of_a_database_is_taken_back_with_every_write_before_the_backup(
    place: Place, make_deployer: Callable[..., zdd.Deployer], tmp_path: Path
) -> None:
    deployer = make_deployer()
    deployer.deploy(DATABASE, place.database("1.0"))
    place.ask("create table orders (body text primary key)")
    volume = Volume("orders-data", place.tools, docker_host=place.swarm.engine)
    backup = zdd.Backup([volume], tmp_path / "kept", while_stopped=True)
    spoiled = place.database("2.0", entrypoint=["sh", "-c", SPOIL])
    with writers(place) as acknowledged:
        place.wait_until(lambda: len(acknowledged()) > 100, "writes before the backup")
        before = acknowledged()
        # It is found out when the release has rows of its own, which are not spoiled: something is lost then.
        written = f"{SPOILED} and exists (select from orders where body not like 'spoiled%')"
        gate = zdd.FunctionGate(lambda _: place.ask(written) == ["0"], interval_s=0.2)
        with pytest.raises(zdd.DeploymentFailed) as failed:
            deployer.deploy(DATABASE, spoiled, backup + zdd.Recreate() + zdd.Soak(30, gates=[gate]))
        restored = acknowledged()
        place.wait_until(lambda: len(acknowledged()) > len(restored) + 20, "writes after the restore")
    rows, written = set(place.ask("select body from orders")), acknowledged()
    report = failed.value.report
    assert report.outcome is zdd.Outcome.ROLLED_BACK, report
    assert before <= rows
    assert len(rows - written) <= 3  # of each client one may have been committed whose answer was lost
    lost = written - rows
    assert lost  # what was written into the release that was taken back
    assert lost <= restored - before
    assert re.search(r"what was written in the \d+ s since it was begun is lost", str(report)), str(report)
    print(f"{len(before)} before, {len(written)} in all, {len(lost)} lost; {report}")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    """An edge on this machine that can hold requests."""
    parts = Embedded(tmp_path / "state", port=free_port())
    yield parts
    parts.stop_everything()


def test_a_release_that_spoils_a_database_beside_it_is_taken_back_with_a_dump_and_requests_are_held(
    place: Place, make_deployer: Callable[..., zdd.Deployer], embedded: Embedded, tmp_path: Path
) -> None:
    place.swarm.client(
        *("service", "create", "--detach", "--name", "database", "--network", "back", "--endpoint-mode", "dnsrr"),
        *("--mount", f"type=volume,source=orders-data,target={DATA}", "--stop-signal", "SIGINT"),
        *("--env", f"POSTGRES_PASSWORD={PASSWORD}", "--env", f"PATH={PATH}", place.image),
    )
    place.ask("create table orders (body text primary key)")
    image, service = orders_image(place), {"TaskTemplate": {"Networks": [{"Target": "back"}]}}

    def orders(version: str, spoils: str) -> zdd.Release:
        environment = {**CLIENT, "PGHOST": "database", "HOST": "0.0.0.0", "SPOILS": spoils}
        workload = Container(image, environment=environment, ports={"http": 8080}, service_spec=service)
        return zdd.Release(version, workload.specification(), changes_data=spoils == "yes")

    source = ContainerCommand(
        "database",
        dump=["pg_dump", "--clean", "--if-exists"],
        restore=["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-"],
        log_position=["psql", "-X", "-A", "-t", "-c", "select pg_current_wal_lsn()"],
        environment=CLIENT,
        docker_host=place.swarm.engine,
    )
    deployer = make_deployer(discovery=embedded.discovery, edges=[embedded.edge])
    deployer.deploy(ORDERS, orders("1.0", "no"))
    port = embedded.edge.addresses(ORDERS)["http"].port
    clients = [Writer(port, first) for first in (0, 100_000, 200_000)]

    def acknowledged() -> set[str]:
        return {number for client in clients for number in client.acknowledged}

    strategy = zdd.Backup([source], tmp_path / "kept") + zdd.BlueGreen(gates=[place.is_fine()], keep_s=10)
    with contextlib.ExitStack() as ending:
        for client in clients:
            ending.enter_context(client)
        place.wait_until(lambda: len(acknowledged()) > 50, "orders before the backup")
        before = acknowledged()
        with pytest.raises(zdd.DeploymentFailed) as failed:
            deployer.deploy(ORDERS, orders("2.0", "yes"), strategy)
        restored = acknowledged()
        place.wait_until(lambda: len(acknowledged()) > len(restored) + 20, "orders after the restore")
    rows, report = set(place.ask("select body from orders")), failed.value.report
    assert report.outcome is zdd.Outcome.ROLLED_BACK, report
    assert before <= rows <= acknowledged()
    lost = acknowledged() - rows
    assert lost
    assert lost <= restored - before
    assert [client.failures for client in clients] == [[], [], []]
    window = re.search(r"in the \d+ s since it was begun is lost \(service database: (\S+) to (\S+)\)", str(report))
    assert window is not None, str(report)
    positions = place.ask(f"select pg_wal_lsn_diff('{window[2]}', '{window[1]}') > 0")
    assert positions == ["t"]
    print(f"{len(before)} before, {len(acknowledged())} in all, {len(lost)} lost; {report}")


def orders_image(place: Place) -> str:
    """Build the service that keeps orders on top of the database's image, which has the programs that it needs."""
    lines = [f"FROM {place.image}", "COPY orders.py serving.py /", 'ENTRYPOINT ["/usr/bin/python3", "/orders.py"]']
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in {"Dockerfile": "\n".join(lines).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        for name in ("orders.py", "serving.py"):
            tar.add(TESTS / "end_to_end" / name, name)
    content.seek(0)
    image = f"{place.swarm.facts.registry}/zdd-lab/orders:1"
    told = [*place.swarm.api.build(fileobj=content, custom_context=True, tag=image, rm=True, decode=True)]
    told += place.swarm.api.push(image, stream=True, decode=True)
    assert not [line for line in told if "error" in line], json.dumps(told[-1])
    return image


# PostgreSQL is the container's own process; the orders are taken beside it.
WITH_ORDERS = "/usr/bin/python3 /orders.py & exec /usr/bin/python3 /database.py"
REPLICATED = zdd.Service(
    "database", gates=[zdd.HttpGate("/ready")], drain_deadline_s=2, stop_grace_s=5, start_deadline_s=40
)


class Replicated:
    """A PostgreSQL of the swarm with orders taken beside it, and another one that follows it without traffic."""

    def __init__(self, place: Place) -> None:
        self.place, self._image = place, orders_image(place)
        self.primary = self._release("primary", {}, ["-c 'synchronous_standby_names=*'"])
        self.standby = self._release("standby", {"FOLLOWS": "primary"}, ["-c wal_retrieve_retry_interval=200ms"])
        self.promoted_s = 0.0

    def _release(self, version: str, environment: dict[str, str], settings: list[str]) -> zdd.Release:
        """Return a release with a volume and a name on the network of its own; Swarm starts it again at once."""
        container = {
            "Mounts": [{"Type": "volume", "Source": f"orders-{version}", "Target": DATA}],
            "StopSignal": "SIGINT",
            # A replica that looks for a name which is gone is promoted when it has given up: 10 s by itself.
            "DNSConfig": {"Options": ["timeout:1", "attempts:1"]},
        }
        task = {
            "ContainerSpec": container,
            "Networks": [{"Target": "back", "Aliases": [version]}],
            "RestartPolicy": {"Condition": "any", "Delay": 0},
        }
        known = {**CLIENT, "POSTGRES_PASSWORD": PASSWORD, "HOST": "0.0.0.0", **environment}
        workload = Container(
            self._image,
            entrypoint=["sh", "-c", " ".join([WITH_ORDERS, *settings])],
            environment=known,
            ports={"http": 8080},
            service_spec={"TaskTemplate": task, "EndpointSpec": {"Mode": "dnsrr"}},
        )
        return zdd.Release(version, workload.specification())

    def containers(self, cell: str) -> list[str]:
        found = self.place.swarm.client("ps", "--quiet", "--filter", f"label=com.docker.swarm.service.name={cell}")
        return str(found).split()

    def ask(self, cell: str, statement: str) -> list[str]:
        (container,) = self.containers(cell)
        words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return str(self.place.swarm.client("exec", *self.place.options(), container, *words)).split()

    def promote(self, _: zdd.ActionContext) -> None:
        """Open the standby for writes; while there is a primary, or Swarm could start one, nothing may call this."""
        mode = {one["Spec"]["Name"]: one["Spec"]["Mode"] for one in self.place.swarm.api.services()}
        assert mode.get("database", {"Replicated": {"Replicas": 0}}) == {"Replicated": {"Replicas": 0}}
        assert self.containers("database") == []
        self.promoted_s = time.time()
        self.ask("database-2", "select pg_promote() where pg_is_in_recovery()")

    def kill(self) -> float:
        """Kill the primary with SIGKILL, and with it all of its container; return when."""
        (container,) = self.containers("database")
        self.place.swarm.client("kill", "--signal", "KILL", container)
        return time.time()

    def lives(self, since_s: float) -> list[tuple[str, float]]:
        """Return what became of the primary's containers since then: what, and when."""
        told = self.place.swarm.api.events(
            since=since_s,
            until=time.time(),
            filters={"label": "com.docker.swarm.service.name=database", "event": ["start", "die"]},
            decode=True,
        )
        return [(event["Action"], event["timeNano"] / 1e9) for event in told]


@pytest.mark.timeout(300)
def test_a_replica_takes_over_when_its_primary_in_the_swarm_was_killed_under_writes(
    place: Place,
    make_deployer: Callable[..., zdd.Deployer],
    embedded: Embedded,
    record_property: Callable[[str, object], None],
) -> None:
    databases = Replicated(place)
    deployer = make_deployer(discovery=embedded.discovery, edges=[embedded.edge])
    promote = zdd.FunctionAction(databases.promote)
    failover = zdd.Failover(databases.standby, failures=3, interval_s=0.2, warm=True, actions=[promote])
    deployer.deploy(REPLICATED, databases.primary)
    databases.ask("database", "set synchronous_commit = local; create table orders (body text primary key)")
    deployer.stand_by("database", failover)
    following = "select sync_state from pg_stat_replication"
    place.wait_until(lambda: databases.ask("database", following) == ["sync"], "no write counts that it has not")
    port = embedded.edge.addresses(REPLICATED)["http"].port
    clients = [Writer(port, first) for first in (0, 100_000, 200_000, 300_000)]
    with contextlib.ExitStack() as ending:
        watch = ending.enter_context(ThreadPoolExecutor(1)).submit(deployer.watch, "database", failover, for_s=60)
        for client in clients:
            ending.enter_context(client)
        place.wait_until(lambda: all(len(client.acknowledged) > 5 for client in clients), "writes at the primary")
        died_s, died_at_s = databases.kill(), time.monotonic()
        report = watch.result(90)
        later = [len(client.acknowledged) for client in clients]
        place.wait_until(
            lambda: all(len(one.acknowledged) > n for one, n in zip(clients, later, strict=True)), "writes after it"
        )
    lives, rows = databases.lives(died_s - 5), set(databases.ask("database-2", "select body from orders"))
    acknowledged = {number for client in clients for number in client.acknowledged}
    answered_s = sorted(at_s for client in clients for at_s in client.acknowledged_s if at_s > died_at_s + 0.1)
    figures = {
        "from death to the first answer, an acknowledged write, s": round(answered_s[0] - died_at_s, 2),
        "from death to the promotion, s": round(databases.promoted_s - died_s, 2),
        "requests lost": sum(len(client.failures) for client in clients),
        "acknowledged": len(acknowledged),
        "acknowledged and lost": len(acknowledged - rows),
        "started again by Swarm": len([what for what, _ in lives if what == "start"]),
    }
    print(figures, report.summary)
    record_property("figures", figures)
    assert report.to_version == "standby"
    assert databases.ask("database-2", "select pg_is_in_recovery()") == ["f"]
    assert lives[-1][0] == "die"
    assert lives[-1][1] < databases.promoted_s
    assert acknowledged <= rows
    assert answered_s[0] - died_at_s < 20
