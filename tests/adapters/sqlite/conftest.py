"""Other processes that use the same file, and files that are spoiled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.sqlite import SqliteJournal
from zdd.events import Event, StagePassed
from zdd.interfaces import Fence

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def passed() -> Callable[..., Event]:
    """Make an event that says its number."""

    def make(number: int, title: str = "t") -> Event:
        return StagePassed(at_s=1000.0 + number, service="web", deployment="d1", stage=number, title=title)

    return make


@pytest.fixture
def write(passed: Callable[..., Event]) -> Callable[[Path, int], None]:
    """Write a journal with so many events, and close it, so that all is in the one file."""

    def make(path: Path, count: int) -> None:
        journal = SqliteJournal(path)
        for number in range(count):
            journal.append("web", passed(number), Fence(1, "test"))
        del journal
        assert not path.with_name(path.name + "-wal").exists()

    return make


@pytest.fixture
def sql() -> Callable[..., list[Any]]:
    """Do something to the file behind the journal's back."""

    def execute(path: Path, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    return execute


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python process with a program and arguments; it is killed at the end of the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(program: str, *arguments: object) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def unprivileged() -> Callable[[], Any]:
    """Be a user whom the permissions of files concern, for the length of a block."""

    @contextmanager
    def become() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can enter, but not write."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)
