"""A file is opened carefully: what can't be used is refused before anything is touched, and says what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.sqlite import database as database_module
from zdd.adapters.sqlite.database import Database
from zdd.errors import ConfigurationError, JournalError, TemporaryError
from zdd.interfaces import Fence

Write = Callable[[Path, int], None]
Sql = Callable[..., list[Any]]


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if file.is_file()}


@contextmanager
def unchanged(directory: Path) -> Iterator[None]:
    before = contents(directory)
    yield
    assert contents(directory) == before


# -- what a good file is like ----------------------------------------------------------------------------------------


def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "of zdd?" / "journal.db"
    Database(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_written_is_on_disk_before_the_call_returns(path: Path) -> None:
    database = Database(path)
    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert connection.execute("PRAGMA synchronous").fetchall() == [(2,)]  # FULL


def test_the_file_says_what_it_is(path: Path, write: Write, sql: Sql) -> None:
    write(path, 1)
    assert sql(path, "PRAGMA user_version") == [(1,)]
    assert sql(path, "PRAGMA application_id") == [(0x7A646464,)]
    assert sql(path, "SELECT number FROM format") == [(1,)]


def test_an_empty_file_becomes_one(path: Path, passed: Any) -> None:
    path.touch()
    SqliteJournal(path).append("web", passed(1), Fence(1, "test"))
    assert SqliteJournal(path).read("web") == (passed(1),)


def test_another_working_directory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: Any
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    journal = SqliteJournal("journal.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    journal.append("web", passed(1), Fence(1, "test"))
    assert SqliteJournal(tmp_path / "journal.db").read("web") == (passed(1),)


def test_a_block_that_fails_is_undone(path: Path, sql: Sql) -> None:
    database = Database(path)
    with pytest.raises(JournalError, match="no such table"):  # noqa: SIM117, PT012 - what fails is the end of the block
        with database.writing() as connection:
            connection.execute("INSERT INTO service VALUES ('web', 1, 0, '')")
            connection.execute("INSERT INTO bookmarks VALUES (1)")
    assert sql(path, "SELECT * FROM service") == []
    with database.writing():
        pass


OPEN = """
import sys
from zdd.adapters.sqlite.database import Database
sys.stdin.readline()
Database(sys.argv[1])
print("ok")
"""


def test_many_processes_can_make_the_same_new_file(path: Path, spawn: Any) -> None:
    processes = [spawn(OPEN, path) for _ in range(6)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["ok\n"] * 6


def test_another_process_can_make_the_file_while_this_one_looks_at_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, tried = database_module._connect, []

    def make_it(statement: str) -> None:
        if "sqlite_master" in statement and not tried:
            tried.append(statement)
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
                try:
                    other.execute("BEGIN IMMEDIATE")
                    database_module._create(other)
                    other.execute("COMMIT")
                except sqlite3.OperationalError as error:
                    assert error.sqlite_errorcode == sqlite3.SQLITE_BUSY  # noqa: PT017 - it waits, and finds it made

    def connect_beside_another(file: Path, query: str = "mode=rw") -> sqlite3.Connection:
        connection = connect(file, query)
        connection.set_trace_callback(make_it)
        return connection

    monkeypatch.setattr(database_module, "_connect", connect_beside_another)
    Database(path)
    assert tried
    with Database(path).reading() as connection:
        assert connection.execute("SELECT number FROM format").fetchall() == [(database_module.FORMAT,)]


# -- a newer format --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SqliteJournal, SqliteLease])
def test_a_newer_format_is_refused_with_both_versions_and_the_fix(
    path: Path, write: Write, sql: Sql, kind: Any
) -> None:
    write(path, 1)
    sql(path, "UPDATE format SET number = 7, written_by = '9.8.0'")
    sql(path, "PRAGMA user_version = 7")
    with unchanged(path.parent), pytest.raises(JournalError) as caught:
        kind(path)
    message = str(caught.value)
    assert f"{path} has format 7, written by zdd 9.8.0. This is zdd " in message
    assert "which knows formats up to 1: install a newer zdd, for example with pip install --upgrade" in message


def test_a_newer_format_that_keeps_its_version_elsewhere_is_refused(path: Path, write: Write, sql: Sql) -> None:
    write(path, 1)
    sql(path, "DROP TABLE format")
    sql(path, "PRAGMA user_version = 2")
    with unchanged(path.parent), pytest.raises(JournalError, match="has format 2, written by zdd of unknown version"):
        Database(path)


UPGRADE_AND_DIE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA user_version = 2")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_newer_format_is_seen_in_the_log_of_one_that_died(path: Path, write: Write, spawn: Any) -> None:
    write(path, 1)
    spawn(UPGRADE_AND_DIE, path).wait()
    before = contents(path.parent)
    assert before["journal.db-wal"]
    assert before["journal.db"][60:64] == b"\0\0\0\1"
    with pytest.raises(JournalError, match="has format 2"):
        Database(path)
    after = contents(path.parent)
    assert (after["journal.db"], after["journal.db-wal"]) == (before["journal.db"], before["journal.db-wal"])


# -- no journal ------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("dear diary" * 100)
    with (
        unchanged(path.parent),
        pytest.raises(ConfigurationError, match="no database at all: if it was one, it is damaged"),
    ):
        Database(path)


def test_half_a_header_is_refused(path: Path, write: Write) -> None:
    write(path, 1)
    path.write_bytes(path.read_bytes()[:50])
    with unchanged(path.parent), pytest.raises(ConfigurationError, match="is no journal of zdd"):
        Database(path)


@pytest.mark.parametrize("mark", ["PRAGMA application_id = 5", "PRAGMA user_version = 3", "SELECT 1"])
def test_the_database_of_another_program_is_refused(path: Path, sql: Sql, mark: str) -> None:
    sql(path, "CREATE TABLE bookmarks (url)")
    sql(path, mark)
    with unchanged(path.parent), pytest.raises(ConfigurationError, match="is the database of another program"):
        Database(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory: give the path of a file in it"):
        Database(tmp_path)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"state directory .*/file can't be used: "):
        Database(tmp_path / "file" / "journal.db")


def test_a_directory_that_can_not_be_written_is_refused(open_directory: Path, unprivileged: Any) -> None:
    open_directory.chmod(0o555)
    with unprivileged(), pytest.raises(ConfigurationError) as caught:
        Database(open_directory / "journal.db")
    assert str(open_directory) in str(caught.value)
    assert "make it writable, or choose another state directory" in str(caught.value)
    assert list(open_directory.iterdir()) == []


def test_a_file_that_can_not_be_written_is_refused(open_directory: Path, unprivileged: Any, write: Write) -> None:
    path = open_directory / "journal.db"
    write(path, 1)
    path.chmod(0o444)
    open_directory.chmod(0o777)
    with unchanged(open_directory), unprivileged(), pytest.raises(ConfigurationError, match="can't be written"):
        Database(path)


def test_a_file_that_can_not_be_read_is_refused(open_directory: Path, unprivileged: Any, write: Write) -> None:
    path = open_directory / "journal.db"
    write(path, 1)
    path.chmod(0o000)
    with unprivileged(), pytest.raises(ConfigurationError, match="can't be used: Permission denied"):
        Database(path)


# -- what happens to a file that is in use ---------------------------------------------------------------------------


@pytest.mark.parametrize("replacement", [None, b""])
def test_a_file_that_is_taken_away_is_noticed(path: Path, passed: Any, replacement: bytes | None) -> None:
    journal, lease = SqliteJournal(path), SqliteLease(path)
    journal.append("web", passed(1), Fence(1, "test"))
    path.rename(path.with_name("elsewhere"))
    if replacement is not None:
        path.write_bytes(replacement)
    for use in (
        lambda: journal.append("web", passed(2), Fence(1, "test")),
        lambda: journal.read("web"),
        lambda: lease.acquire("web", "ann@host:1", 10.0),
    ):
        with pytest.raises(JournalError, match="was removed or replaced while it was in use"):
            use()


def test_one_who_writes_for_too_long_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch, passed: Any) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.2)
    journal = SqliteJournal(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match=r"another process has been writing for more than 0\.2 s"):
        journal.append("web", passed(1), Fence(1, "test"))
    assert journal.read("web") == ()
    other.close()
    journal.append("web", passed(1), Fence(1, "test"))


FILL = """
import sys
from pathlib import Path
from zdd.adapters.sqlite import SqliteJournal
from zdd.errors import JournalError
from zdd.events import StagePassed
from zdd.interfaces import Fence
if sys.argv[2] != "0":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
journal, number = SqliteJournal(sys.argv[1]), 0
try:
    while number < 100_000:
        event = StagePassed(at_s=1.0, service="web", deployment="d", stage=number, title="x" * 5000)
        journal.append("web", event, Fence(1, "t"))
        number += 1
except JournalError as error:
    assert [event.stage for event in journal.read("web")] == list(range(number))
    print(number, error)
"""


def test_a_file_that_may_not_grow_any_more_keeps_what_it_has(path: Path, spawn: Any, passed: Any) -> None:
    output = spawn(FILL, path, 600_000).communicate()[0]
    number, _, message = output.partition(" ")
    assert int(number) > 10
    assert "the disk failed" in message or "the disk is full" in message
    journal = SqliteJournal(path)
    assert len(journal.read("web")) == int(number)
    journal.append("web", passed(1), Fence(1, "test"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill it up")
def test_a_full_disk_is_told_and_keeps_what_it_has(tmp_path: Path, spawn: Any, passed: Any) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False)  # noqa: S607
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 100_000)
        output = spawn(FILL, disk / "journal.db", 0).communicate()[0]
        number, _, message = output.partition(" ")
        assert int(number) > 10
        assert "the disk is full, and nothing of this was kept: free some space and run again" in message
        ballast.unlink()
        journal = SqliteJournal(disk / "journal.db")
        assert len(journal.read("web")) == int(number)
        journal.append("web", passed(1), Fence(1, "test"))
        del journal
    finally:
        subprocess.run(["umount", disk], check=True)  # noqa: S607


def test_a_disk_without_room_to_look_is_called_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert "the disk failed (disk I/O error)" in str(database_module.explain(error, path, opening=True))
    usage = shutil.disk_usage(path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4096))
    assert "the disk is full" in str(database_module.explain(error, path, opening=True))


def test_a_forked_process_gets_a_connection_of_its_own(path: Path, passed: Any) -> None:
    journal = SqliteJournal(path)
    journal.append("web", passed(0), Fence(1, "test"))
    child = os.fork()
    if child == 0:
        try:
            for number in range(1, 20):
                journal.append("web", passed(number), Fence(1, "test"))
            os._exit(0)
        finally:
            os._exit(1)
    for number in range(100, 120):
        journal.append("web", passed(number), Fence(1, "test"))
    assert os.waitpid(child, 0)[1] == 0
    assert len(journal.read("web")) == 40


def test_one_process_opening_it_twice_keeps_its_locks(path: Path, spawn: Any, passed: Any) -> None:
    """A plain look at a file takes away all locks that the process has on it (POSIX).

    Another process that closes it then believes to be the last, and deletes the write-ahead log under this one's feet:
    what is written afterwards is lost, or damages the file.
    """
    journal, lease = SqliteJournal(path), SqliteLease(path)
    fence = lease.acquire("web", "ana@host:1", 60.0)
    journal.append("web", passed(0), fence)
    reader = (
        "import sys; from zdd.adapters.sqlite import SqliteJournal; print(len(SqliteJournal(sys.argv[1]).read('web')))"
    )
    for number in range(1, 4):
        done = spawn(reader, str(path))
        assert done.communicate()[0].strip() == str(number)
        journal.append("web", passed(number), fence)
    assert len(SqliteJournal(path).read("web")) == 4
