"""The file that journal and lease share: opened carefully, written in short transactions, never repaired by guessing.

Everything is on disk before a call returns (write-ahead log, ``synchronous=FULL``). The write-ahead log needs a local
file system: on a network share other machines would not see the locks.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from zdd.codec import FORMAT
from zdd.errors import ConfigurationError, JournalError, TemporaryError
from zdd.model.names import path_text

APPLICATION = 0x7A646464
"""Marks the file as zdd's, in the place that SQLite has for this: ``zddd``."""

BUSY_TIMEOUT_S = 10.0
_ROOM_TO_LOOK_BYTES = 65_536  # its shared memory, and some
_MAGIC = b"SQLite format 3\0"
_SCHEMA = (
    "CREATE TABLE format (number INTEGER NOT NULL, written_by TEXT NOT NULL)",
    """CREATE TABLE service (
        name TEXT PRIMARY KEY, token INTEGER NOT NULL, events INTEGER NOT NULL, checksum TEXT NOT NULL)""",
    """CREATE TABLE event (
        service TEXT NOT NULL, number INTEGER NOT NULL, format INTEGER NOT NULL, deployment TEXT NOT NULL,
        kind TEXT NOT NULL, body TEXT NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (service, number))""",
    """CREATE TABLE lease (
        service TEXT PRIMARY KEY, token INTEGER NOT NULL, holder TEXT NOT NULL, since_s REAL NOT NULL,
        expires_s REAL NOT NULL, machine TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL)""",
)


class Database:
    """One connection to the file, for all threads of this process.

    Raises:
        ConfigurationError: The file can't be one, or can't be written. Nothing was touched.
        JournalError: It is damaged, or was written by a newer zdd. Nothing was touched.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path_text("path of the database", path)))  # noqa: PTH100 - a later chdir must not change it, a link may stay one
        self._lock = threading.Lock()
        with _OPENING:
            if not _is_open_here(self.path):
                _check_place(self.path)
            self._open()
            _OPEN.add(self)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the file, whoever writes meanwhile."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that alone may write. What was written is on disk when the block has ended, or undone.

        Raises:
            JournalError: It can't be written. All of the block is undone.
            TemporaryError: Another process has been writing for too long. Nothing was done.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            self._reopen_after_fork()
        with self._lock:
            self._check_in_place()
            try:
                self._connection.execute(begin)
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, UnicodeError) as error:
                raise explain(error, self.path) from error

    def _open(self) -> None:
        try:
            self._connection = _connect(self.path)
            try:
                _prepare(self._connection, self.path)
                file = self.path.stat()
            except BaseException:
                self._connection.close()
                raise
        except (sqlite3.Error, UnicodeError) as error:
            raise explain(error, self.path, opening=True) from error
        self._pid = os.getpid()
        self._file = (file.st_dev, file.st_ino)
        weakref.finalize(self, _close, self._connection, self._pid)

    def _reopen_after_fork(self) -> None:
        # SQLite forbids to use or close a connection that came through a fork: it is kept, and never touched.
        _INHERITED.append(self._connection)
        self._lock = threading.Lock()  # the other may be held for ever, by a thread that the fork left behind
        self._open()

    def _check_in_place(self) -> None:
        """Find out if somebody took the file away: what is written to it then is lost, and a lease in it worthless."""
        try:
            file = self.path.stat()
        except OSError:
            file = None
        if file is None or (file.st_dev, file.st_ino) != self._file:
            raise JournalError(
                f"{self.path} was removed or replaced while it was in use: put it back, or start again to begin anew"
            )


_INHERITED: list[sqlite3.Connection] = []

_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()
"""The files that this process has open. When a process closes a file that it has opened another time, it loses every
lock that it has on it: so POSIX wants it. Another process that closes the database then believes to be the last, and
deletes the write-ahead log that is still written to here. So SQLite alone opens a file that is in here."""

_OPENING = threading.Lock()


def _is_open_here(path: Path) -> bool:
    try:
        file = path.stat()
    except OSError:
        return False
    return any((file.st_dev, file.st_ino) == one._file for one in _OPEN)


def explain(error: sqlite3.Error | UnicodeError, path: Path, *, opening: bool = False) -> Exception:
    """Return what an error of SQLite means, and what to do.

    A `UnicodeError` is one too: SQLite quotes damaged names in its messages as they are.
    """
    if isinstance(error, UnicodeEncodeError):
        return JournalError(f"{path}: {error.object!r} can't be written as UTF-8: use other text")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    unusable = ConfigurationError if opening else JournalError
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TemporaryError(
            f"{path}: another process has been writing for more than {BUSY_TIMEOUT_S:g} s: end it, or try again"
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return unusable(f"{path}: the disk is full, and nothing of this was kept: free some space and run again")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return unusable(f"{path} can't be written ({error}): make it and its directory writable, or choose another")
    if code == sqlite3.SQLITE_NOTADB and opening:
        return ConfigurationError(f"{path} is no journal of zdd ({error}): choose another state directory")
    if code == sqlite3.SQLITE_IOERR:
        return unusable(f"{path}: the disk failed ({error}): see to it, and run again")
    return damaged(path, str(error))


def _is_full(path: Path) -> bool:
    """Tell whether there is no room for what SQLite needs in order to look: it calls that an error of the disk."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM_TO_LOOK_BYTES
    except OSError:
        return False


def damaged(path: Path, what: str) -> JournalError:
    """Return the error of a file that can't be trusted any more."""
    return JournalError(
        f"{path} is damaged: {what}. zdd does not guess: put back a copy from before, or move the file away to begin a "
        "new history. What runs is not touched by that"
    )


def _version() -> str:
    try:
        return importlib.metadata.version("zdd-deploy")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _connect(path: Path, query: str = "mode=rw") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{query}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    # A damaged byte need not be UTF-8. It is kept as it is, so that its row's checksum tells which one it is in.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
    return connection


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if os.getpid() == pid:
        connection.close()


def _check_place(path: Path) -> None:
    """Look at the file before SQLite does, since it may write when it opens one. Make an empty one if there is none."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_dir():
            raise ConfigurationError(f"{path} is a directory: give the path of a file in it")
        if not path.exists():
            _check_writable(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            _sync_directory(path.parent)
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise ConfigurationError(
            f"state directory {path.parent} can't be used: {error.strerror}: {error.filename}. "
            "Choose another, or make it writable"
        ) from error
    if header:
        _check_header(path, header)
        _check_log(path)
    _check_writable(path)
    _check_writable(path.parent)


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(_MAGIC) or len(header) < 100:
        raise ConfigurationError(
            f"{path} is no journal of zdd, and no database at all: if it was one, it is damaged, so put it back from a "
            "copy; else choose another state directory"
        )
    version, application = (int.from_bytes(header[place : place + 4], "big") for place in (60, 68))
    if application == APPLICATION:
        _check_format(path, version, "mode=ro&immutable=1")
    elif application or version:
        raise ConfigurationError(f"{path} is the database of another program: choose another state directory")


def _check_log(path: Path) -> None:
    """Look at what is only in the write-ahead log yet, without writing: the header is older than it."""
    log = path.with_name(path.name + "-wal")
    try:
        if log.stat().st_size == 0:
            return
        with closing(_connect(path, "mode=ro")) as connection:
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    except FileNotFoundError:
        return  # whoever had it open has just closed it
    except (sqlite3.Error, UnicodeError) as error:
        raise explain(error, path, opening=True) from error
    _check_format(path, version, "mode=ro")


def _check_format(path: Path, version: int, query: str) -> None:
    if version <= FORMAT:
        return
    try:
        with closing(_connect(path, query)) as connection:
            ((writer,),) = connection.execute("SELECT written_by FROM format").fetchall()
    except (sqlite3.Error, ValueError):
        writer = "of unknown version"  # a newer format may keep it elsewhere
    raise JournalError(
        f"{path} has format {version}, written by zdd {writer}. This is zdd {_version()}, which knows formats up to "
        f"{FORMAT}: install a newer zdd, for example with pip install --upgrade zdd-deploy. Nothing was changed"
    )


def _check_writable(path: Path) -> None:
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise ConfigurationError(f"{path} can't be written: make it writable, or choose another state directory")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make a new file a journal, and check that an old one is one."""
    connection.execute("BEGIN")  # what it looks at is of one moment: another process may be making the same file
    try:
        new = _is_new(connection, path)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _use_write_ahead_log(connection, path)
    if new:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _is_new(connection, path):  # nobody else was faster
                _create(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    rows = connection.execute("SELECT number FROM format").fetchall()
    if rows != [(FORMAT,)]:
        raise damaged(path, f"its table of formats says {rows}, its header {FORMAT}")


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if application == APPLICATION:
        _check_format(path, version, "mode=ro")
        if version != FORMAT:
            raise damaged(path, f"its header says format {version}, which there never was")
        return False
    if application or version or tables:
        raise ConfigurationError(f"{path} is the database of another program: choose another state directory")
    return True


def _create(connection: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO format VALUES (?, ?)", (FORMAT, _version()))
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def _use_write_ahead_log(connection: sqlite3.Connection, path: Path) -> None:
    until_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            # The change of mode does not wait for others who make the same change at the same time.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise ConfigurationError(f"{path}: its file system can't share memory between processes: use a local disk")
        return
