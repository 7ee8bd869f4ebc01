"""A directory keeps streams of bytes: whole, for their owner only, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.backup import DirectoryStore
from zdd.errors import BackupError, ConfigurationError


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "kept")


def test_what_was_written_is_read_listed_replaced_and_deleted(store: DirectoryStore) -> None:
    assert store.names() == ()
    for data in ([b"first"], [b"sec", b"", b"ond"]):
        store.write("web/b2.0", data)
        assert b"".join(store.read("web/b2.0")) == b"".join(data)
    store.write("web/b1.json", [b"{}"])
    assert store.names() == ("web/b1.json", "web/b2.0")
    for _ in range(2):  # a name that isn't there is already forgotten
        store.delete("web/b2.0")
    assert store.names() == ("web/b1.json",)


def test_only_the_owner_can_read_it(store: DirectoryStore) -> None:
    store.write("web/b1.0", [b"secret"])
    folder = Path(store.directory) / "web"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "b1.0").stat().st_mode & 0o777 == 0o600


def test_data_that_end_with_an_error_leave_what_was_there_and_nothing_else(store: DirectoryStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise BackupError("the disk broke")

    store.write("web/b1.0", [b"whole"])
    with pytest.raises(BackupError, match="the disk broke"):
        store.write("web/b1.0", broken())
    assert [path.name for path in (Path(store.directory) / "web").iterdir()] == ["b1.0"]
    assert b"".join(store.read("web/b1.0")) == b"whole"


def test_what_a_killed_process_left_half_written_is_no_backup_and_goes_with_the_next(store: DirectoryStore) -> None:
    script = (
        "import os, signal, sys; from zdd.backup import DirectoryStore\n"
        "def data():\n"
        "    yield b'half' * 100_000\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "DirectoryStore(sys.argv[1]).write('web/b1.0', data())\n"
    )
    run = subprocess.run([sys.executable, "-c", script, store.directory], check=False, timeout=30)
    assert run.returncode == -signal.SIGKILL
    folder = Path(store.directory) / "web"
    assert len(list(folder.iterdir())) == 1
    assert store.names() == ()
    store.write("web/b2.0", [b"whole"])
    assert [path.name for path in folder.iterdir()] == ["b2.0"]


@pytest.mark.parametrize("name", ["", "../b1", "web/../../b1", "/etc/passwd", "web/", "a/b/c", ".hidden", "web/b 1"])
def test_a_name_that_could_lead_elsewhere_is_refused(store: DirectoryStore, name: str) -> None:
    for ask in (lambda: store.write(name, [b""]), lambda: list(store.read(name)), lambda: store.delete(name)):
        with pytest.raises(BackupError, match="is no name of a backup"):
            ask()
    assert not Path(store.directory).exists()


def test_what_can_not_be_read_or_written_is_named(store: DirectoryStore) -> None:
    with pytest.raises(BackupError, match=r"web/b1\.0 can't be read: No such file"):
        list(store.read("web/b1.0"))
    Path(store.directory).write_text("a file is in the way")
    with pytest.raises(BackupError, match=r"web/b1\.0 can't be written"):
        store.write("web/b1.0", [b""])


def test_a_directory_that_can_not_be_made_is_refused_beforehand(tmp_path: Path) -> None:
    DirectoryStore(tmp_path / "deep" / "below").check()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"backups can't be kept in .*file/below: .*file is no directory"):
        DirectoryStore(tmp_path / "file" / "below").check()


def test_a_directory_that_no_disk_can_have_is_named(tmp_path: Path) -> None:
    impossible = DirectoryStore(tmp_path / ("a" * 300))
    with pytest.raises(ConfigurationError, match=r"backups can't be kept in .*aaa: File name too long"):
        impossible.check()
    with pytest.raises(BackupError, match="aaa can't be read: File name too long"):
        impossible.names()
