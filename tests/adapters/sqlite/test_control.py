"""Orders in a file: kept once, in order, for as long as somebody may look for them, and never guessed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.sqlite import SqliteJournal
from zdd.adapters.sqlite.control import KEPT, SqliteControl
from zdd.errors import JournalError
from zdd.events import StagePassed
from zdd.interfaces import Fence
from zdd.model.order import Order, OrderKind

PAUSE = Order(OrderKind.PAUSE, "web-1", "ann@host:1", 1.0)


def execute(path: Path, *statement: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(*statement).fetchall()


def test_they_come_in_the_order_in_which_they_were_given_to_the_deployment_they_name(path: Path) -> None:
    control = SqliteControl(path)
    later = [evolve(PAUSE, at_s=0.5), Order(OrderKind.PROMOTE, "web-1", "bob@host:2", 2.0, 3)]
    for order in (PAUSE, *later, evolve(PAUSE, deployment="web-2")):
        control.send("web", order)
    control.send("worker", evolve(PAUSE, by="cid@host:3"))
    assert SqliteControl(path).orders("web", "web-1") == (PAUSE, *later)
    assert control.orders("web", "web-1", after=2) == (later[1],)
    assert control.orders("web", "web-1", after=9) == ()
    assert control.orders("web", "web-3") == ()


def test_the_same_order_again_is_kept_once_and_the_same_word_later_is_another_one(path: Path) -> None:
    control = SqliteControl(path)
    for at_s in (1.0, 1.0, 2.0):
        control.send("web", evolve(PAUSE, at_s=at_s))
    assert [order.at_s for order in control.orders("web", "web-1")] == [1.0, 2.0]


def test_the_oldest_of_earlier_deployments_go_and_none_of_the_present_one(path: Path) -> None:
    control = SqliteControl(path)
    control.send("worker", PAUSE)
    for number in range(KEPT + 3):
        control.send("web", evolve(PAUSE, at_s=float(number)))
    assert len(control.orders("web", "web-1")) == KEPT + 3
    control.send("web", evolve(PAUSE, deployment="web-2"))
    kept = control.orders("web", "web-1")
    assert [order.at_s for order in kept] == [float(number) for number in range(3, KEPT + 3)]
    assert control.orders("worker", "web-1") == (PAUSE,)


def test_in_the_file_of_a_journal_that_never_had_any_there_are_none_and_it_is_left_as_it_is(path: Path) -> None:
    event = StagePassed(at_s=1.0, service="web", deployment="web-1", stage=0, title="t")
    SqliteJournal(path).append("web", event, Fence(1, "ann"))
    execute(path, "DROP TABLE IF EXISTS control")
    control = SqliteControl(path)
    assert control.orders("web", "web-1") == ()
    assert execute(path, "SELECT 1 FROM sqlite_master WHERE name = 'control'") == []
    control.send("web", PAUSE)
    assert control.orders("web", "web-1") == (PAUSE,)
    assert SqliteJournal(path).read("web") == (event,)


@pytest.mark.parametrize(
    ("column", "value"), [("kind", "explode"), ("kind", b"pause"), ("by", b"\xff"), ("at_s", "soon"), ("stage", "x")]
)
def test_what_zdd_did_not_write_is_refused(path: Path, column: str, value: object) -> None:
    control = SqliteControl(path)
    control.send("web", PAUSE)
    execute(path, f"UPDATE control SET {column} = ?", (value,))  # noqa: S608 - a name of this test
    with pytest.raises(JournalError, match="an order to web-1 is not what was written"):
        control.orders("web", "web-1")
