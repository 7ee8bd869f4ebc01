"""Every acknowledged event is there, in order, as it was written; or the journal says which one is not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.errors import ConfigurationError, JournalError, LeaseLost
from zdd.events import Event
from zdd.interfaces import Fence, Journal
from zdd.testing import check_journal

FENCE = Fence(1, "test")
Write = Callable[[Path, int], None]
Sql = Callable[..., list[Any]]


def test_it_keeps_the_rules_of_a_journal(tmp_path: Path, sql: Sql) -> None:
    numbers = [0]

    def path() -> Path:
        return tmp_path / f"{numbers[0]}.db"

    def make() -> SqliteJournal:
        numbers[0] += 1
        return SqliteJournal(path())

    def damage(_journal: Journal) -> None:
        sql(path(), "UPDATE event SET body = replace(body, 'stage', 'phase') WHERE number = 1")

    tried = check_journal(make, again=lambda _journal: SqliteJournal(path()), damage=damage)
    assert len(tried) == 11


# -- several at once -------------------------------------------------------------------------------------------------


def test_threads_share_a_journal(path: Path, passed: Any) -> None:
    journal = SqliteJournal(path)
    errors: list[BaseException] = []

    def append(start: int) -> None:
        try:
            for number in range(start, start + 50):
                journal.append("web", passed(number), FENCE)
                journal.read("web")
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=append, args=(start,)) for start in (0, 1000, 2000, 3000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    check_each_in_order([event.stage for event in journal.read("web")], 50, 4)  # type: ignore[attr-defined]


def check_each_in_order(numbers: list[int], count: int, writers: int) -> None:
    for writer in range(writers):
        start = writer * 1000
        assert [number for number in numbers if start <= number < start + 1000] == list(range(start, start + count))
    assert len(numbers) == count * writers


APPEND = """
import os, sys
from zdd.adapters.sqlite import SqliteJournal
from zdd.events import StagePassed
from zdd.interfaces import Fence
journal, start, count = SqliteJournal(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(start, start + count):
    event = StagePassed(at_s=1000.0 + number, service="web", deployment="d1", stage=number, title="t")
    journal.append("web", event, Fence(1, "test"))
    os.write(1, b"%d\\n" % number)
"""


def test_processes_share_a_journal(path: Path, spawn: Any) -> None:
    processes = [spawn(APPEND, path, start, 100) for start in (0, 1000, 2000)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    check_each_in_order([event.stage for event in SqliteJournal(path).read("web")], 100, 3)  # type: ignore[attr-defined]


def test_a_writer_that_is_killed_loses_nothing_that_it_was_told_is_written(path: Path, spawn: Any) -> None:
    """kill -9 in the middle of thousands of appends, again and again on the same file."""
    kept = 0
    for acknowledged_at_least in (1, 150, 700, 1500):
        process = spawn(APPEND, path, kept, 100_000)
        told = [process.stdout.readline() for _ in range(acknowledged_at_least)]
        process.kill()
        told += process.stdout.readlines()
        assert [int(line) for line in told] == list(range(kept, kept + len(told)))
        numbers = [event.stage for event in SqliteJournal(path).read("web")]  # type: ignore[attr-defined]
        assert numbers == list(range(len(numbers)))
        assert kept + len(told) <= len(numbers) <= kept + len(told) + 1
        kept = len(numbers)
    assert kept > 2300


# -- fences ----------------------------------------------------------------------------------------------------------


def test_an_append_with_a_lost_lease_is_refused_and_writes_nothing(path: Path, passed: Any) -> None:
    now = [1000.0]
    lease, journal = SqliteLease(path, now=lambda: now[0]), SqliteJournal(path)
    old = lease.acquire("web", "ann@host:1", 10.0)
    journal.append("web", passed(1), old)
    now[0] += 11
    new = lease.acquire("web", "bob@host:2", 10.0)
    with pytest.raises(LeaseLost, match=r"a newer deployer has taken over web \(token 2, ours is 1\)"):
        journal.append("web", passed(2), old)
    journal.append("web", passed(3), new)
    assert journal.read("web") == (passed(1), passed(3))


def test_what_is_no_event_is_refused(path: Path) -> None:
    journal = SqliteJournal(path)
    with pytest.raises(JournalError, match="is not an event that zdd knows"):
        journal.append("web", "deployed it", FENCE)  # type: ignore[arg-type]
    assert journal.services() == ()


# -- damage ----------------------------------------------------------------------------------------------------------

DAMAGE = {
    "a changed body": ("UPDATE event SET body = replace(body, '3', '4') WHERE number = 4", "event 4 of web is not as"),
    "a changed kind": ("UPDATE event SET kind = 'waited' WHERE number = 1", "event 1 of web is not as it was written"),
    "a changed deployment": ("UPDATE event SET deployment = 'd2' WHERE number = 2", "event 2 of web is not as"),
    "a changed format": ("UPDATE event SET format = 9 WHERE number = 2", "event 2 of web is not as it was written"),
    "a body that is no text": ("UPDATE event SET body = x'00ff' WHERE number = 2", "event 2 of web is not as"),
    "a changed checksum": ("UPDATE event SET checksum = 'x' WHERE number = 2", "event 2 of web is not as it was"),
    "a removed event": ("DELETE FROM event WHERE number = 3", "event 3 of web is missing"),
    "the first one removed": ("DELETE FROM event WHERE number = 1", "event 1 of web is missing"),
    "the last one removed": ("DELETE FROM event WHERE number = 6", "event 6 of web should be its last one, but 5 are"),
    "all removed": ("DELETE FROM event", "event 6 of web should be its last one, but 0 are there"),
    "the end forgotten": ("DELETE FROM service", "event 0 of web should be its last one, but 6 are there"),
    "the end changed": ("UPDATE service SET checksum = ''", "event 6 of web should be its last one"),
    "an impossible end": ("UPDATE service SET token = 'x'", "what it knows of web is not what was written"),
    "a removed one and the rest moved up": (
        "DELETE FROM event WHERE number = 3; UPDATE event SET number = number - 1 WHERE number > 3",
        "event 3 of web is not as it was written",
    ),
    "two swapped": (
        "UPDATE event SET number=-number WHERE number IN (2, 3); UPDATE event SET number=5+number WHERE 0 > number",
        "event 2 of web is not as it was written",
    ),
    "one of another service": (
        "UPDATE event SET service = 'web' WHERE service = 'app'; UPDATE service SET events = 7 WHERE name = 'web'",
        "event 7 of web is not as it was written",
    ),
    "a table is gone": ("DROP TABLE event", "no such table: event"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_noticed_and_named(path: Path, write: Write, sql: Sql, passed: Any, what: str) -> None:
    write(path, 6)
    SqliteJournal(path).append("app", passed(1), FENCE)
    sql(path, "UPDATE event SET number = 7 WHERE service = 'app'")
    statements, said = DAMAGE[what]
    for statement in statements.split("; "):
        sql(path, statement)
    with pytest.raises(JournalError) as caught:
        SqliteJournal(path).read("web")
    assert said in str(caught.value)
    assert f"{path} is damaged: " in str(caught.value)
    assert "put back a copy from before, or move the file away to begin a new history" in str(caught.value)


@pytest.mark.parametrize("what", ["the last one removed", "all removed", "the end forgotten", "the end changed"])
def test_nothing_is_added_behind_damage(path: Path, write: Write, sql: Sql, passed: Any, what: str) -> None:
    write(path, 6)
    sql(path, DAMAGE[what][0])
    with pytest.raises(JournalError, match="is damaged"):
        SqliteJournal(path).append("web", passed(7), FENCE)


@pytest.mark.parametrize("statement", ["DELETE FROM service", "DELETE FROM event", "UPDATE service SET name = x'ff'"])
def test_services_are_not_guessed(path: Path, write: Write, sql: Sql, statement: str) -> None:
    write(path, 1)
    sql(path, statement)
    with pytest.raises(JournalError, match="is damaged: it knows of events of"):
        SqliteJournal(path).services()


def test_a_flipped_bit_anywhere_in_an_event_is_noticed(path: Path, write: Write, sql: Sql) -> None:
    write(path, 3)
    good = path.read_bytes()
    ((body, checksum),) = sql(path, "SELECT body, checksum FROM event WHERE number = 2")
    start = good.index(body.encode() + checksum.encode())
    for offset in range(start, start + len(body) + len(checksum)):
        flip(path, good, offset, offset % 8)
        with pytest.raises(JournalError, match="event 2 of web is not as it was written"):
            SqliteJournal(path).read("web")


def test_a_flipped_bit_anywhere_in_the_file_never_changes_what_is_read(path: Path, write: Write) -> None:
    write(path, 3)
    good, events = path.read_bytes(), SqliteJournal(path).read("web")
    noticed = 0
    for number, offset in enumerate([*range(100), *range(100, len(good), 61)]):
        flip(path, good, offset, number % 8)
        try:
            assert SqliteJournal(path).read("web") == events, f"bit {number % 8} of byte {offset}"
        except (JournalError, ConfigurationError):
            noticed += 1
    assert noticed > 20


def flip(path: Path, good: bytes, offset: int, bit: int) -> None:
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).unlink(missing_ok=True)
    path.write_bytes(good[:offset] + bytes([good[offset] ^ 1 << bit]) + good[offset + 1 :])


# -- rows of another zdd, whole and in order, as only another zdd would write them -----------------------------------


def pretend(monkeypatch: pytest.MonkeyPatch, body: str, format_number: int) -> None:
    """Let rows be written with good checksums, but with this body."""
    monkeypatch.setattr("zdd.adapters.sqlite.journal.codec.FORMAT", format_number)
    monkeypatch.setattr("zdd.adapters.sqlite.journal.codec.event_text", lambda _event: body)


@pytest.mark.parametrize(
    ("body", "format_number", "said"),
    [
        (
            '{"$": "stage passed"}',
            2,
            "event 1 of web has format 2, and this zdd knows formats up to 1",
        ),
        (
            '{"$": "stage skipped"}',
            1,
            "event 1 of web: .* is a 'stage skipped', which this version",
        ),
        ('{"$": "address", "host": "h", "port": 1}', 1, "event 1 of web is no event but Address"),
        ("5", 1, "event 1 of web is no event but 5"),
    ],
)
def test_a_row_of_another_zdd_is_named(
    path: Path, sql: Sql, passed: Any, body: str, format_number: int, said: str
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        journal = SqliteJournal(path)
        pretend(monkeypatch, body, format_number)
        journal.append("web", passed(1), FENCE)
    with pytest.raises(JournalError, match=said):
        SqliteJournal(path).read("web")


def test_reading_does_not_write(path: Path, write: Write) -> None:
    write(path, 3)
    before = (path.read_bytes(), os.stat(path).st_mtime_ns)  # noqa: PTH116
    journal = SqliteJournal(path)
    events: tuple[Event, ...] = journal.read("web")
    assert len(events) == 3
    assert journal.services() == ("web",)
    assert journal.read("never-was") == ()
    del journal
    assert (path.read_bytes(), os.stat(path).st_mtime_ns) == before  # noqa: PTH116


WRITE_AND_DIE = """
import os, signal, sys
from zdd.adapters.sqlite import SqliteJournal
from zdd.events import StagePassed
from zdd.interfaces import Fence
journal = SqliteJournal(sys.argv[1])
for number in range(6):
    event = StagePassed(at_s=1000.0 + number, service="web", deployment="d1", stage=number, title="t")
    journal.append("web", event, Fence(1, "test"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_log_that_is_torn_anywhere_gives_the_whole_events_before_it(path: Path, spawn: Any, passed: Any) -> None:
    """What a killed writer leaves is in SQLite's log; a machine that loses power may keep any beginning of it."""
    spawn(WRITE_AND_DIE, path).wait()
    log = path.with_name(path.name + "-wal")
    file, whole = path.read_bytes(), log.read_bytes()
    assert SqliteJournal(path).read("web") == tuple(passed(number) for number in range(6))
    lengths = set()
    for length in [*range(0, len(whole), 997), len(whole) - 1]:
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        path.write_bytes(file)
        log.write_bytes(whole[:length])
        journal = SqliteJournal(path)
        events = journal.read("web")
        assert events == tuple(passed(number) for number in range(len(events))), f"the first {length} bytes of the log"
        journal.append("web", passed(9), FENCE)
        assert journal.read("web") == (*events, passed(9))
        lengths.add(len(events))
        del journal
    assert lengths == {0, 1, 2, 3, 4, 5}
