"""A directory tree is saved as it is, comes back as it was, and nothing is ever written outside of it."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from zdd.backup import Files
from zdd.errors import BackupError, ConfigurationError


def tree(base: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(base.rglob("*")):
        name = str(path.relative_to(base))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = (
                path.read_bytes() if path.is_file() else None,
                path.stat().st_mode,
                int(path.stat().st_mtime),
            )
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    base = tmp_path / "data"
    (base / "deep" / "empty").mkdir(parents=True)
    (base / "a.txt").write_text("first")
    (base / "deep" / "b.bin").write_bytes(os.urandom(700_000))
    (base / "deep" / "ünïcode with spaces").write_text("x" * 511)
    (base / "link").symlink_to("deep/b.bin")
    os.utime(base / "link", (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    (base / "secret").write_text("s")
    (base / "secret").chmod(0o600)
    os.utime(base / "a.txt", (1_700_000_000, 1_700_000_000))
    return base


def test_what_was_saved_comes_back_as_it_was(data: Path) -> None:
    source = Files(data)
    before, saved = tree(data), b"".join(source.save())
    (data / "a.txt").write_text("changed")
    (data / "new").write_text("later")
    (data / "deep" / "b.bin").unlink()
    source.load([saved[:1000], saved[1000:]])
    assert tree(data) == before
    assert b"".join(source.save()) == saved
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]


def test_it_comes_back_where_nothing_is_any_more(data: Path) -> None:
    before, saved = tree(data), b"".join(Files(data).save())
    data.rename(data.with_name("gone"))
    Files(data).load([saved])
    assert tree(data) == before


def test_a_file_that_changes_while_it_is_read_ends_the_backup(data: Path) -> None:
    chunks = Files(data).save()
    while len(next(chunks)) < 100_000:
        pass  # until it is in the middle of the large file
    with (data / "deep" / "b.bin").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BackupError, match=r"b\.bin changed while it was read: stop what writes it"):
        b"".join(chunks)


def test_data_that_end_too_early_replace_nothing(data: Path) -> None:
    saved = b"".join(Files(data).save())
    before = tree(data)
    with pytest.raises(BackupError):
        Files(data).load([saved[: len(saved) // 2]])
    assert tree(data) == before
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]


def archive(add: Callable[[tarfile.TarFile], None]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        root = tarfile.TarInfo(".")
        root.type = tarfile.DIRTYPE
        made.addfile(root)
        add(made)
    return file.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[tarfile.TarFile], None]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return lambda made: made.addfile(info, io.BytesIO(b""))


@pytest.mark.parametrize(
    "add",
    [
        member("../outside"),
        member("/tmp/outside"),  # noqa: S108 - a trick that must not work
        member("deep/../../outside"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.SYMTYPE, "../../etc"),
        member("deep/link", tarfile.SYMTYPE, "../.."),
        member("hard", tarfile.LNKTYPE, "/etc/passwd"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
)
def test_an_archive_with_path_tricks_writes_nothing_anywhere(
    data: Path, add: Callable[[tarfile.TarFile], None]
) -> None:
    before, around = tree(data), sorted(data.parent.iterdir())
    with pytest.raises(BackupError, match="nothing was replaced"):
        Files(data).load([archive(add)])
    assert tree(data) == before
    assert sorted(data.parent.iterdir()) == around


def test_nothing_is_written_through_a_link_of_the_archive_itself(data: Path) -> None:
    def add(made: tarfile.TarFile) -> None:
        member("deep", tarfile.SYMTYPE, ".")(made)
        member("deep/inside")(made)

    before = tree(data)
    with pytest.raises(BackupError):
        Files(data).load([archive(add)])
    assert tree(data) == before


def test_a_link_that_leads_out_and_a_pipe_are_refused_when_they_are_saved(data: Path) -> None:
    (data / "out").symlink_to("/etc/hostname")
    with pytest.raises(BackupError, match="leads out of"):
        b"".join(Files(data).save())
    (data / "out").unlink()
    os.mkfifo(data / "pipe")
    with pytest.raises(BackupError, match="neither a file, a directory nor a link"):
        b"".join(Files(data).save())


@pytest.mark.parametrize("killed_after", [1, 2])
def test_an_exchange_that_was_interrupted_is_put_right_by_the_next(data: Path, killed_after: int) -> None:
    """The moments in which a killed process leaves the tree beside its name."""
    saved, before = b"".join(Files(data).save()), tree(data)
    (data.parent / ".data.restoring-12345678").mkdir()
    if killed_after == 2:
        data.rename(data.parent / ".data.replaced-12345678")
    Files(data).load([saved])
    assert tree(data) == before
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]


def test_what_is_no_directory_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="it is no directory"):
        Files(tmp_path / "nowhere").check()
    with pytest.raises(ConfigurationError, match="it is a mount point"):
        Files("/proc").check()
