"""How long backups are kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from attrs import frozen

import zdd
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.backup import Backup, Files, Manifest, Retention, Store
from zdd.backup.retention import DAY_S
from zdd.errors import BackupError, ConfigurationError

NOW = 100 * DAY_S


def made(*ages_days: float) -> list[Manifest]:
    return [Manifest(f"b{age}", "web", "1", (), NOW - age * DAY_S, False, ()) for age in ages_days]


@pytest.mark.parametrize(
    ("retention", "ages", "gone"),
    [
        (Retention(2), [3, 2, 1], ["b3"]),
        (Retention(2), [1, 2], []),
        (Retention(5, age_days=2), [4, 3, 1], ["b4", "b3"]),
        (Retention(1, age_days=2), [4, 3, 1], ["b4", "b3"]),
        (Retention(5, age_days=2), [40, 30], ["b40"]),
        (Retention(5), [], []),
    ],
)
def test_too_many_and_too_old_ones_go_but_never_the_newest(
    retention: Retention, ages: list[float], gone: list[str]
) -> None:
    assert [manifest.id for manifest in retention.expired(made(*ages), NOW)] == gone


@pytest.mark.parametrize("values", [{"count": 0}, {"count": 2.5}, {"age_days": -1}, {"age_days": "old"}])
def test_what_is_no_number_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="use a"):
        Retention(**values)  # type: ignore[arg-type]


@frozen
class Bucket:
    """A store of a user's own, which keeps everything in one folder, as an object store does."""

    directory: str

    def check(self) -> None:
        Path(self.directory).mkdir(exist_ok=True)

    def write(self, name: str, data: Iterable[bytes]) -> None:
        self._path(name).write_bytes(b"".join(data))

    def read(self, name: str) -> Iterator[bytes]:
        try:
            yield self._path(name).read_bytes()
        except FileNotFoundError:
            raise BackupError(f"there is no {name}") from None

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(path.name.replace("=", "/") for path in Path(self.directory).iterdir()))

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return Path(self.directory) / name.replace("/", "=")


@pytest.mark.parametrize("own", [False, True], ids=["directory", "a store of one's own"])
def test_of_real_backups_those_that_are_too_many_or_too_old_leave_no_file_and_the_last_one_is_whole(
    tmp_path: Path, own: bool
) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    data.mkdir()
    store: Store | str = Bucket(str(kept)) if own else str(kept)
    deployer = zdd.Deployer.in_memory(MemoryWorld())

    def deploy(service: str, number: int) -> None:
        (data / "orders").write_text(f"{service} {number}")
        backup = Backup([Files(data)], store, retention=Retention(3, age_days=7))
        release = zdd.Release(f"{number}.0", Behaviour())
        deployer.deploy(zdd.Service(service), release, backup + zdd.RollingUpdate())

    def files(service: str) -> list[str]:
        return [path.suffix for path in sorted(kept.rglob("*")) if path.is_file() and service in str(path)]

    for number in range(6):
        deploy("web", number)
    deploy("other", 0)
    assert [one.version for one in deployer.backups("web")] == ["2.0", "3.0", "4.0"]  # what served when it was made
    assert files("web") == [".0", ".json"] * 3
    archive = Backup([Files(data)], store).archive("web")
    week_later_s = archive.manifests()[1].made_s + 7 * DAY_S + 0.001
    gone = archive.expire(Retention(3, age_days=7), week_later_s)
    assert [one.version for one in gone] == ["2.0", "3.0"]
    assert archive.expire(Retention(3, age_days=7), time.time() + 1000 * DAY_S) == ()
    assert files("web") == [".0", ".json"]
    assert files("other") == [".0", ".json"]
    deployer.restore("web")
    assert (data / "orders").read_text() == "web 5"
