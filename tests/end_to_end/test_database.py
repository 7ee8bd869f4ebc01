"""A release that spoils a real database is taken back with the data, and a replica takes over, under load."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd.backup import CommandOutput

HERE = Path(__file__).parent
LAB = HERE.parent / "lab"


@pytest.fixture
def make_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """PostgreSQL servers that are not started yet, each with a name of its own."""
    monkeypatch.syspath_prepend(str(LAB))
    import packages
    import postgresql

    try:
        programs = postgresql.find_postgresql()
    except packages.NoLab as reason:
        pytest.skip(str(reason))
    with contextlib.ExitStack() as ending:

        def make(name: str) -> Any:
            (tmp_path / name).mkdir()
            server = postgresql.LabPostgresql(programs, tmp_path / name)
            ending.callback(server.stop)
            return server

        yield make


@pytest.fixture
def database(make_server: Callable[[str], Any]) -> Any:
    """A PostgreSQL server with a table of orders."""
    server = make_server("postgresql")
    server.start()
    server.ask("create table orders (body text primary key)")
    return server


def orders_service() -> zdd.Service:
    return zdd.Service(
        "orders", gates=[zdd.HttpGate("/health")], drain_deadline_s=5, start_deadline_s=40, stop_grace_s=2
    )


def orders_release(version: str, database: Any, *, spoils: bool = False) -> zdd.Release:
    environment = {**database.environment, "SPOILS": "yes" if spoils else "no"}
    return zdd.Release(
        version, zdd.Process([sys.executable, str(HERE / "orders.py")], environment), changes_data=spoils
    )


def orders_backup(database: Any, kept: Path) -> zdd.Backup:
    source = CommandOutput(
        "orders",
        dump=["pg_dump", "--clean", "--if-exists"],
        restore=["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-"],
        log_position=["psql", "-X", "-A", "-t", "-c", "select pg_current_wal_lsn()"],
        environment=database.environment,
    )
    return zdd.Backup([source], str(kept))


def log_position(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def test_a_release_that_spoils_a_database_is_taken_back_with_every_order_before_the_backup(
    machine: Any, database: Any, tmp_path: Path, eventually: Callable[[Callable[[], bool], str], None]
) -> None:
    service = orders_service()
    spoiled = ["sh", "-c", "test $(psql -X -A -t -c \"select count(*) from orders where body like 'spoiled%'\") = 0"]
    gate = zdd.CommandGate(spoiled, environment=database.environment, interval_s=0.2)
    machine.deployer().deploy(service, orders_release("1.0", database))
    writers = [machine.writer(first) for first in (0, 100_000, 200_000)]

    def acknowledged() -> set[str]:
        return {number for writer in writers for number in writer.acknowledged}

    with contextlib.ExitStack() as ending:
        for writer in writers:
            ending.enter_context(writer)
        eventually(lambda: len(acknowledged()) > 50, "orders before the backup")
        before = acknowledged()
        with pytest.raises(zdd.DeploymentFailed) as failed:
            machine.deployer().deploy(
                service,
                orders_release("2.0", database, spoils=True),
                orders_backup(database, tmp_path / "kept") + zdd.BlueGreen(gates=[gate], keep_s=3),
            )
        restored = acknowledged()
        eventually(lambda: len(acknowledged()) > len(restored) + 20, "orders after the restore")
    rows = set(database.ask("select body from orders"))
    report = failed.value.report
    assert report.outcome is zdd.Outcome.ROLLED_BACK
    assert before <= rows  # every order that was acknowledged before the backup was begun
    assert rows <= acknowledged()  # and nothing that was spoiled, nor anything that nobody ordered
    lost = acknowledged() - rows
    assert lost  # under load something is
    assert lost <= restored - before
    assert [writer.failures for writer in writers] == [[], [], []]
    window = re.search(r"in the (\d+) s since it was begun is lost \(orders: (\S+) to (\S+)\)", str(report))
    assert window is not None, str(report)
    assert 0 < log_position(window[2]) < log_position(window[3])
    for writer in writers:  # of each client, one run of orders: there is one window
        gone = [place for place, number in enumerate(writer.acknowledged) if number in lost]
        assert gone == list(range(gone[0], gone[-1] + 1) if gone else ())


def kill(machine: Any, database: Any) -> float:
    """Kill the database and all of the service beside it, as a power failure does, and return when."""
    states = [json.loads(path.read_text()) for path in machine.state.glob("services/orders/cells/orders/*/state.json")]
    victims = [state[name] for name in ("supervisor_pid", "pid") for state in states if state[name]]
    assert len(victims) == 2
    database.kill()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    return time.monotonic()


def test_a_replica_is_promoted_when_its_primary_was_killed_under_writes_and_has_every_acknowledged_one(
    machine: Any,
    database: Any,
    make_server: Callable[[str], Any],
    record_property: Callable[[str, object], None],
    eventually: Callable[[Callable[[], bool], str], None],
) -> None:
    replica = make_server("replica")
    replica.follow(database)
    words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "select pg_promote() where pg_is_in_recovery()"]
    promote = zdd.CommandAction(words, environment=replica.environment, title="promote")
    failover = zdd.Failover(
        orders_release("standby", replica), failures=3, interval_s=0.2, warm=True, actions=[promote]
    )
    machine.deployer().deploy(orders_service(), orders_release("primary", database))
    machine.deployer().stand_by("orders", failover)
    writers = [machine.writer(first) for first in (0, 100_000, 200_000, 300_000)]
    with contextlib.ExitStack() as ending:
        watch = ending.enter_context(ThreadPoolExecutor(1)).submit(machine.deployer().watch, "orders", failover)
        for writer in writers:
            ending.enter_context(writer)
        eventually(lambda: all(len(writer.acknowledged) > 5 for writer in writers), "writes at the primary")
        died_s = kill(machine, database)
        assert watch.result(60).to_version == "standby"
        later = [len(writer.acknowledged) for writer in writers]
        eventually(
            lambda: all(len(w.acknowledged) > before for w, before in zip(writers, later, strict=True)), "writes"
        )
    answered = sorted(at_s for writer in writers for at_s in writer.acknowledged_s if at_s > died_s + 0.1)
    figures = {
        "from death to the first acknowledged write, s": round(answered[0] - died_s, 2),
        "writes lost": sum(len(writer.failures) for writer in writers),
    }
    print(figures, watch.result().summary)
    record_property("figures", figures)
    assert watch.result().from_version == "primary"
    assert replica.ask("select pg_is_in_recovery()") == ["f"]
    rows = set(replica.ask("select body from orders"))
    assert {number for writer in writers for number in writer.acknowledged} <= rows
    assert answered[0] - died_s < 15
