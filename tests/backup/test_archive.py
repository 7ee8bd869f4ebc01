"""Backups of one service in one store: whole and verified, or none."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen

from zdd.backup import Archive, Backup, DirectoryStore, Files, Manifest, Retention
from zdd.backup.backup import MakeBackup
from zdd.backup.retention import DAY_S
from zdd.errors import BackupError, ConfigurationError
from zdd.model.action import ActionContext


@pytest.fixture
def data(tmp_path: Path) -> Path:
    base = tmp_path / "data"
    base.mkdir()
    (base / "orders").write_bytes(os.urandom(400_000))
    return base


@pytest.fixture(params=["plain", "encrypted"])
def archive(tmp_path: Path, data: Path, request: pytest.FixtureRequest) -> Archive:
    (tmp_path / "key").write_bytes(os.urandom(32))
    key = str(tmp_path / "key") if request.param == "encrypted" else None
    return Archive("web", (Files(data, title="orders"),), DirectoryStore(tmp_path / "kept"), key)


def stored(archive: Archive, place: int) -> Path:
    manifest = archive.manifests()[place]
    assert isinstance(archive.store, DirectoryStore)
    return Path(archive.store.directory) / manifest.parts[0].file


def test_what_was_backed_up_is_found_and_restored(archive: Archive, data: Path) -> None:
    before = (data / "orders").read_bytes()
    made = archive.make("web-3", "1.0")
    assert archive.manifests() == (made,)
    assert archive.find(made.id) == archive.made_for("web-3") == made
    assert made.version == "1.0"
    assert made.parts[0].plain_bytes > 400_000
    (data / "orders").write_text("broken")
    archive.restore(made)
    assert (data / "orders").read_bytes() == before
    assert before[:64] not in stored(archive, 0).read_bytes()


@pytest.mark.parametrize("place", [0, 20, -1, -20])
def test_an_altered_backup_is_refused_and_nothing_is_touched(archive: Archive, data: Path, place: int) -> None:
    made = archive.make("web-3", "1.0")
    path = stored(archive, 0)
    kept = bytearray(path.read_bytes())
    kept[place] ^= 1
    path.write_bytes(kept)
    (data / "orders").write_text("now")
    with pytest.raises(BackupError):
        archive.restore(made)
    assert (data / "orders").read_text() == "now"


@pytest.mark.parametrize("left", [0, 1, 1000, -1])
def test_a_truncated_backup_is_refused_and_nothing_is_touched(archive: Archive, data: Path, left: int) -> None:
    made = archive.make("web-3", "1.0")
    path = stored(archive, 0)
    path.write_bytes(path.read_bytes()[:left])
    (data / "orders").write_text("now")
    with pytest.raises(BackupError):
        archive.restore(made)
    assert (data / "orders").read_text() == "now"


def test_an_altered_manifest_is_refused(archive: Archive) -> None:
    made = archive.make("web-3", "1.0")
    path = stored(archive, 0).with_name(f"{made.id}.json")
    path.write_text(path.read_text().replace("1.0", "1.1"))
    assert archive.manifests() == ()
    with pytest.raises(BackupError, match="its checksum is another one"):
        archive.find(made.id)


def test_going_on_keeps_the_backup_that_was_made_before_anything_changed(archive: Archive, data: Path) -> None:
    first = archive.make("web-3", "1.0")
    before = (data / "orders").read_bytes()
    (data / "orders").write_text("changed by what was deployed half")
    again = archive.make("web-4", "1.0", continues="web-3")
    assert again.id == first.id
    assert archive.made_for("web-4") == archive.made_for("web-3") == again
    archive.restore(again)
    assert (data / "orders").read_bytes() == before


def test_what_an_interrupted_backup_left_is_cleared_away_by_the_next(archive: Archive) -> None:
    made = archive.make("web-3", "1.0")
    torn = stored(archive, 0).with_name("20260101t000000-web-2-abcdef.0")
    torn.write_bytes(b"no manifest was written for this")
    archive.make("web-4", "1.0")
    assert not torn.exists()
    assert made in archive.manifests()


def test_one_more_than_is_kept_goes_with_its_data(archive: Archive) -> None:
    for number in range(3):
        archive.make(f"web-{number}", "1.0")
    newest = archive.manifests()[-1]
    assert len(archive.expire(Retention(1), newest.made_s)) == 2
    assert archive.manifests() == (newest,)
    assert len(archive.store.names()) == 2


def of_the_future(archive: Archive) -> Manifest:
    """A backup that was made while the clock was ahead by a year."""
    ahead = archive.make("web-1", "1.0")
    ahead = evolve(ahead, made_s=ahead.made_s + 365 * DAY_S)
    archive.store.write(ahead.file, [ahead.to_bytes()])
    return ahead


def test_what_was_just_made_is_kept_though_the_clock_was_put_back(archive: Archive, tmp_path: Path) -> None:
    ahead = of_the_future(archive)
    backup = Backup(archive.sources, archive.store, retention=Retention(1), key_file=archive.key_file)
    MakeBackup(backup).run(ActionContext("web", "web-2", "1.0", "2.0"))
    made = archive.made_for("web-2")
    assert made is not None
    assert archive.manifests() == (made, ahead)
    archive.restore(made)


def test_which_is_the_newest_is_not_guessed_where_the_clock_was_put_back(archive: Archive) -> None:
    ahead = of_the_future(archive)
    made = archive.make("web-2", "1.0")
    with pytest.raises(BackupError, match=f"the newest backup can't be told.*{ahead.id}.*{made.id}"):
        archive.newest()
    assert archive.find(made.id) == made


def test_an_unknown_backup_is_refused_with_those_there_are(archive: Archive) -> None:
    made = archive.make("web-3", "1.0")
    for name in ("nothing", "../../etc/passwd", ""):
        with pytest.raises(ConfigurationError, match=made.id):
            archive.find(name)


def test_a_store_without_room_says_so_and_leaves_nothing(archive: Archive, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    full = Archive("web", archive.sources, FullStore(str(tmp_path / "full")), archive.key_file)
    with pytest.raises(BackupError, match="No space left on device: make room"):
        full.make("web-3", "1.0")
    assert full.manifests() == ()


@frozen
class FullStore:
    """A directory on a disk that is full: the kernel's own answer."""

    directory: str

    def check(self) -> None: ...

    def write(self, name: str, data: Iterable[bytes]) -> None:
        def through() -> Iterator[bytes]:
            with Path("/dev/full").open("wb", buffering=0) as full:
                for chunk in data:
                    full.write(chunk)
                    yield chunk

        DirectoryStore(self.directory).write(name, through())

    def read(self, name: str) -> Iterator[bytes]:
        return DirectoryStore(self.directory).read(name)

    def names(self) -> tuple[str, ...]:
        return DirectoryStore(self.directory).names()

    def delete(self, name: str) -> None: ...


def test_encryption_needs_its_key(archive: Archive) -> None:
    made = archive.make("web-3", "1.0")
    without = Archive("web", archive.sources, archive.store)
    if archive.key_file is None:
        without.verify(made)
    else:
        with pytest.raises(ConfigurationError, match="is encrypted: name its key_file"):
            without.verify(made)


def test_progress_is_told_in_words(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zdd.backup.archive.TELL_EVERY_S", 0.0)
    told: list[str] = []
    archive.make("web-3", "1.0", tell=told.append)
    assert any(text.startswith("orders: ") and text.endswith("MB saved") for text in told)
    assert any(text.endswith("MB verified") for text in told)


def test_the_newest_backup_is_not_an_older_one_where_the_newest_is_damaged(archive: Archive) -> None:
    assert archive.newest() is None
    older, newest = archive.make("web-3", "1.0"), archive.make("web-4", "1.1")
    assert archive.newest() == newest
    kept = stored(archive, 0).parent
    (kept / f"{newest.id}.json").write_bytes(b"{")
    with pytest.raises(BackupError, match=rf"web/{newest.id}.json is damaged: name one that is whole: {older.id}"):
        archive.newest()
    assert archive.find(older.id) == older
    (kept / f"{older.id}.json").write_bytes(b"{")
    with pytest.raises(BackupError, match="there is none"):
        archive.newest()


def test_one_that_could_not_be_put_back_is_refused_when_it_is_verified(archive: Archive, data: Path) -> None:
    @frozen
    class Forged:
        name: str = "orders"
        repeats: bool = True

        def check(self) -> None: ...

        def position(self) -> str:
            return ""

        def save(self) -> Iterator[bytes]:
            yield tarfile.TarInfo("../evil").tobuf()

        def load(self, data: Iterable[bytes]) -> None: ...

    forged = evolve(archive, sources=(Forged(),)).make("web-3", "1.0")  # whole, by its checksums
    with pytest.raises(BackupError, match=r"names '\.\./evil', outside the directory: nothing was replaced"):
        archive.verify(forged)


def test_one_that_a_restore_would_replace_with_the_data_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    for kept in (data, data / "kept", tmp_path / "link" / "kept"):
        with pytest.raises(ConfigurationError, match="use a directory outside"):
            Archive("web", (Files(data),), DirectoryStore(kept)).check()
    Archive("web", (Files(data),), DirectoryStore(tmp_path / "data-kept")).check()
