"""The end of a service's chain and its greatest token, in one row."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.adapters.sqlite.database import Database
from zdd.adapters.sqlite.head import Head, check_fence, read_head, write_head
from zdd.errors import LeaseLost
from zdd.interfaces import Fence


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with Database(path).writing() as made:
        yield made


def test_of_a_service_that_was_never_heard_of_there_is_nothing(connection: sqlite3.Connection) -> None:
    assert read_head(connection, "web") == Head(0, 0, "")


def test_each_service_has_one_which_is_replaced_as_a_whole(connection: sqlite3.Connection) -> None:
    write_head(connection, "web", Head(3, 7, "abc"))
    write_head(connection, "worker", Head(1, 0, ""))
    write_head(connection, "web", Head(2, 8, "def"))
    assert read_head(connection, "web") == Head(2, 8, "def")
    assert read_head(connection, "worker") == Head(1, 0, "")


@pytest.mark.parametrize(("column", "value"), [("token", "x"), ("events", b"\x00"), ("checksum", b"\xff")])
def test_what_zdd_did_not_write_is_refused(connection: sqlite3.Connection, column: str, value: object) -> None:
    write_head(connection, "web", Head(3, 7, "abc"))
    connection.execute(f"UPDATE service SET {column} = ?", (value,))  # noqa: S608 - a name of this test
    with pytest.raises(sqlite3.DatabaseError, match="what it knows of web is not what was written"):
        read_head(connection, "web")


@pytest.mark.parametrize(("token", "refused"), [(2, True), (3, False), (4, False)])
def test_only_a_smaller_token_is_refused(token: int, refused: bool) -> None:
    words = rf"a newer deployer has taken over web \(token 3, ours is {token}\)"
    with pytest.raises(LeaseLost, match=words) if refused else contextlib.nullcontext():
        check_fence("web", Head(3), Fence(token, "ann"))
