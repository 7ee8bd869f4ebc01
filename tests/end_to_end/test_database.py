"""A release that spoils a real database is taken back with the data, under load."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zdd
from zdd.backup import CommandOutput

HERE = Path(__file__).parent
LAB = HERE.parent / "lab"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A PostgreSQL server with a table of orders."""
    monkeypatch.syspath_prepend(str(LAB))
    import packages
    import postgresql

    try:
        (tmp_path / "postgresql").mkdir()
        server = postgresql.LabPostgresql(postgresql.find_postgresql(), tmp_path / "postgresql")
        with contextlib.ExitStack() as ending:
            ending.callback(server.stop)
            server.start()
            server.ask("create table orders (body text primary key)")
            yield server
    except packages.NoLab as reason:
        pytest.skip(str(reason))


def orders_service() -> zdd.Service:
    return zdd.Service(
        "orders", gates=[zdd.HttpGate("/health")], drain_deadline_s=5, start_deadline_s=10, stop_grace_s=2
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
