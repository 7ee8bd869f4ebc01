"""What a command prints is saved, and another one reads it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from zdd.backup import CommandOutput
from zdd.errors import BackupError, ConfigurationError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def source(**parts: object) -> CommandOutput:
    fine = python("print('data')")
    return CommandOutput(**{"name": "database", "dump": fine, "restore": fine, **parts})  # type: ignore[arg-type]


def test_what_was_printed_is_read(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    one = source(
        dump=python("import os, sys; sys.stdout.buffer.write(os.environ['SIZE'].encode() + bytes(1_000_000))"),
        restore=python(f"import sys; open({str(copy)!r}, 'wb').write(sys.stdin.buffer.read())"),
        environment={"SIZE": "big"},
    )
    one.load(one.save())
    assert copy.read_bytes() == b"big" + bytes(1_000_000)


def test_a_dump_that_fails_after_printing_is_no_backup() -> None:
    failing = source(dump=python("import sys; print('half'); sys.exit('disk broke')"))
    with pytest.raises(BackupError, match="ended with status 1: disk broke"):
        list(failing.save())


def test_a_restore_that_refuses_is_told_in_its_own_words() -> None:
    failing = source(restore=python("import sys; sys.exit('not my format')"))
    with pytest.raises(BackupError, match="not my format"):
        failing.load([bytes(1_000_000)] * 4)


def test_nothing_goes_on_when_the_reader_stops(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    endless = python(
        f"import os, sys; open({str(mark)!r}, 'w').write(str(os.getpid()))\nwhile True: print('x' * 99999)"
    )
    chunks = source(dump=endless).save()
    next(chunks)
    chunks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_the_log_position_is_the_last_line() -> None:
    assert source().position() == ""
    assert source(log_position=python("print('a note'); print('0/16B3748'); print()")).position() == "0/16B3748"


def test_a_program_that_is_not_there_is_refused_beforehand() -> None:
    source().check()
    with pytest.raises(ConfigurationError, match="there is no program 'pg_dumpp' on PATH"):
        source(dump=["pg_dumpp"]).check()
    with pytest.raises(ConfigurationError, match="use a list of words"):
        source(restore="psql -f -")
