"""One process at a time has a file, and nobody waits for it for ever."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from zdd.adapters.locked_file import is_locked, locked
from zdd.errors import PermanentError, TemporaryError


def is_free(path: Path) -> bool:
    try:
        with locked(path, patience_s=0):
            return True
    except TemporaryError:
        return False


def test_it_is_made_for_its_owner_and_only_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path) as handle:
        assert path.stat().st_mode & 0o777 == 0o600
        assert os.fstat(handle).st_ino == path.stat().st_ino
        assert not is_free(path)
    assert is_free(path)


def test_somebody_who_looks_is_told_and_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not is_locked(path / "below a file")
    with locked(path):
        assert is_locked(path)
        assert not is_locked(path / "below a file")
    assert not is_locked(path)
    assert is_free(path)


def test_a_block_that_fails_lets_go_of_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="of the block"), locked(tmp_path / "lock"):
        raise FileNotFoundError("of the block")
    assert is_free(tmp_path / "lock")


def test_one_that_is_never_let_go_is_given_up(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as suspended:
        fcntl.flock(suspended, fcntl.LOCK_EX)
        with pytest.raises(TemporaryError, match="lock is locked by somebody else"), locked(tmp_path / "lock", 0.05):
            pass
    assert is_free(tmp_path / "lock")


def test_too_many_open_files_may_be_fewer_in_a_moment(
    tmp_path: Path, no_more_files: Callable[[], AbstractContextManager[None]]
) -> None:
    with (
        no_more_files(),
        pytest.raises(TemporaryError, match="lock: Too many open files"),
        locked(tmp_path / "lock"),
    ):
        pass


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(PermanentError, match="gone/lock: No such file or directory"),
        locked(tmp_path / "gone" / "lock"),
    ):
        pass
