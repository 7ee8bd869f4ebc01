"""What going back, or restoring by hand, has to put back: found in the history of real deployments, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define, field, frozen

import zdd
from zdd.adapters.memory import Behaviour, MemoryWorld
from zdd.backup import Backup, DamagedBackup, Manifest, Restore, Retention
from zdd.errors import BackupError, ConfigurationError
from zdd.history import History
from zdd.model.release import Revision
from zdd.restoring import data_to_restore, kept_backups, restoration
from zdd.strategies.situation import Strategy

DATA: dict[str, bytes] = {}
WEB = zdd.Service("web", start_deadline_s=5)
NEVER = zdd.FunctionGate(lambda _: False)


@frozen
class Kept:
    """Data in memory."""

    name: str
    repeats: bool = True

    def check(self) -> None: ...

    def position(self) -> str:
        return ""

    def save(self) -> Iterator[bytes]:
        yield DATA[self.name]

    def load(self, data: Iterator[bytes]) -> None:
        DATA[self.name] = b"".join(data)


@define
class Shop:
    """A service in memory whose deployments save its data in real directories."""

    stores: Path
    deployer: zdd.Deployer = field(init=False)

    def __attrs_post_init__(self) -> None:
        DATA.update(orders=b"1", files=b"1")
        world = MemoryWorld()
        world.add_edge("edge")
        self.deployer = zdd.Deployer.in_memory(world)
        self.deploy("1.0")

    def backup(self, *names: str, store: str = "kept", keep: int = 5) -> Backup:
        return Backup([Kept(name) for name in names], str(self.stores / store), retention=Retention(keep))

    def deploy(self, version: str, strategy: Strategy | None = None, *, changes_data: bool = False) -> None:
        release = zdd.Release(version, Behaviour(), changes_data=changes_data)
        self.deployer.deploy(WEB, release, strategy)

    def change(self, version: str, *backups: Backup) -> None:
        """Deploy a release that changes the data, after these backups."""
        self.deploy(version, zdd.Joined((*backups, zdd.RollingUpdate())), changes_data=True)

    @property
    def history(self) -> History:
        return self.deployer._operations.history("web")

    @property
    def first(self) -> Revision:
        return self.history.find("1.0")

    def made(self) -> tuple[Manifest, ...]:
        """The backups that are kept, none of which is damaged."""
        kept = kept_backups(self.history, "web")
        assert not any(isinstance(one, DamagedBackup) for one in kept)
        return tuple(one for one in kept if isinstance(one, Manifest))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def parts(manifests: tuple[Manifest, ...]) -> list[list[str]]:
    return [[part.source for part in manifest.parts] for manifest in manifests]


def damage(manifest: Manifest, store: Path) -> None:
    (store / manifest.parts[0].file).write_bytes(b"x")


def test_the_backups_of_all_deployments_and_stores_are_listed_oldest_first_and_once(shop: Shop) -> None:
    assert shop.made() == ()
    shop.change("2.0", shop.backup("orders"), shop.backup("files", store="other"))
    shop.change("3.0", shop.backup("orders"))
    assert parts(shop.made()) == [["orders"], ["files"], ["orders"]]
    assert [manifest.version for manifest in shop.made()] == ["1.0", "1.0", "2.0"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no manifest of a backup"),
        (b"{\x00", "is no manifest of a backup"),
        (b'{"sha256": "0", "backup": "{}"}', "is damaged: its checksum is another one"),
    ],
)
def test_one_with_a_damaged_manifest_is_listed_in_its_place_and_hides_no_other(
    shop: Shop, content: bytes, why: str
) -> None:
    shop.change("2.0", shop.backup("orders"))
    shop.change("3.0", shop.backup("orders"), shop.backup("files", store="other"))
    first, second, third = shop.made()
    spoiled = shop.stores / "kept" / first.file
    whole = spoiled.read_bytes()
    spoiled.write_bytes(content)
    damaged, *others = shop.deployer.backups("web")
    assert others == [second, third]
    assert isinstance(damaged, DamagedBackup)
    assert (damaged.id, damaged.service, damaged.path) == (first.id, "web", str(spoiled))
    assert damaged.made_s == int(first.made_s)
    assert why in damaged.why
    assert str(damaged).startswith(f"{first.id}  DAMAGED, it can't be restored: {first.file} {why}")
    assert str(damaged).endswith(f"; {spoiled}: put the file back from a copy, or delete it")
    with pytest.raises(ConfigurationError, match=rf"no backup from before 2\.0 .*damaged: {first.id}  DAMAGED"):
        data_to_restore(shop.history, shop.first, restore=True)
    spoiled.write_bytes(whole)
    assert shop.made() == (first, second, third)


class TestByHand:
    def test_the_newest_is_taken_unless_one_is_named(self, shop: Shop) -> None:
        backup = shop.backup("orders")
        shop.change("2.0", backup)
        shop.change("3.0", backup)
        first, second = shop.made()
        assert restoration(shop.history, "web", None, None) == Restore(backup, second.id)
        assert restoration(shop.history, "web", first.id, None) == Restore(backup, first.id)

    def test_a_named_one_is_restored_with_what_it_was_made_with(self, shop: Shop) -> None:
        orders, files = shop.backup("orders"), shop.backup("files")
        shop.change("2.0", orders, files)
        shop.change("3.0", shop.backup("files", store="other"))
        for backup, manifest in zip((orders, files), shop.made(), strict=False):
            assert restoration(shop.history, "web", manifest.id, None) == Restore(backup, manifest.id)

    @pytest.mark.parametrize(
        ("id_", "words"),
        [
            (None, "no backup there, in DirectoryStore"),
            ("b9", "web has no backup 'b9' there; there are: none"),
        ],
    )
    def test_what_is_not_there_is_told(self, shop: Shop, id_: str | None, words: str) -> None:
        with pytest.raises(ConfigurationError, match="no deployment of web made a backup"):
            restoration(shop.history, "web", id_, None)
        with pytest.raises(ConfigurationError, match=words):
            restoration(shop.history, "web", id_, shop.backup("orders"))

    def test_what_is_damaged_or_of_something_else_is_refused_while_everything_runs(self, shop: Shop) -> None:
        shop.change("2.0", shop.backup("orders"))
        (manifest,) = shop.made()
        with pytest.raises(BackupError, match="has 'orders', which is no source here, only files is"):
            restoration(shop.history, "web", manifest.id, shop.backup("files"))
        damage(manifest, shop.stores / "kept")
        with pytest.raises(BackupError, match="damaged"):
            restoration(shop.history, "web", None, None)


class TestGoingBack:
    def test_data_that_no_release_has_changed_stay(self, shop: Shop) -> None:
        shop.deploy("2.0", shop.backup("orders") + zdd.RollingUpdate())
        for restore in (None, True, False):
            assert data_to_restore(shop.history, shop.first, restore=restore) is None

    def test_what_becomes_of_changed_ones_has_to_be_said(self, shop: Shop) -> None:
        backup = shop.backup("orders")
        shop.change("2.0", backup)
        shop.deploy("3.0")
        (manifest,) = shop.made()
        with pytest.raises(ConfigurationError, match=r"^2\.0 changed the data, .*say restore=True to restore") as told:
            data_to_restore(shop.history, shop.first, restore=None)
        assert str(manifest) in str(told.value)
        assert data_to_restore(shop.history, shop.first, restore=True) == Restore(backup, manifest.id)
        assert data_to_restore(shop.history, shop.first, restore=False) is None

    def test_they_come_back_as_they_were_before_the_first_release_that_changed_them(self, shop: Shop) -> None:
        backup = shop.backup("orders")
        shop.change("2.0", backup)
        shop.change("3.0", backup)
        before_2, before_3 = shop.made()
        second = shop.history.find("2.0")
        assert data_to_restore(shop.history, shop.first, restore=True) == Restore(backup, before_2.id)
        assert data_to_restore(shop.history, second, restore=True) == Restore(backup, before_3.id)
        assert data_to_restore(shop.history, shop.history.find("3.0"), restore=None) is None

    def test_a_release_that_was_taken_back_has_changed_nothing(self, shop: Shop) -> None:
        release = zdd.Release("2.0", Behaviour(), gates=[NEVER], changes_data=True)
        with pytest.raises(zdd.DeploymentFailed):
            shop.deployer.deploy(WEB, release, shop.backup("orders") + zdd.RollingUpdate())
        assert data_to_restore(shop.history, shop.first, restore=None) is None

    @pytest.mark.parametrize("stores", [("kept", "kept"), ("kept", "other")])
    def test_all_that_was_saved_is_put_back_in_one_gap_the_last_first(
        self, shop: Shop, stores: tuple[str, str]
    ) -> None:
        orders, files = shop.backup("orders", store=stores[0], keep=1), shop.backup("files", store=stores[1], keep=1)
        shop.change("2.0", orders, files)
        first, second = shop.made()
        expected = Restore(files, second.id, (Restore(orders, first.id),))
        assert data_to_restore(shop.history, shop.first, restore=True) == expected

    def test_what_was_saved_twice_is_put_back_once(self, shop: Shop) -> None:
        here, there = shop.backup("orders"), shop.backup("orders", store="other")
        shop.change("2.0", here, there)
        assert data_to_restore(shop.history, shop.first, restore=True) == Restore(there, shop.made()[1].id)

    @pytest.mark.parametrize(
        ("strategy", "what"),
        [
            (lambda _: zdd.RollingUpdate(), ""),
            (lambda shop: zdd.RollingUpdate() + shop.backup("orders"), ""),
            (
                lambda shop: shop.backup("orders") + shop.backup("files", store="gone") + zdd.RollingUpdate(),
                " of files",
            ),
        ],
    )
    def test_what_is_not_kept_from_before_is_never_half_restored(
        self, shop: Shop, strategy: Callable[[Shop], Strategy], what: str
    ) -> None:
        shop.deploy("2.0", strategy(shop), changes_data=True)
        for path in (shop.stores / "gone").glob("web/*"):
            path.unlink()
        words = (
            rf"2\.0 changed the data, and no backup{what} from before it is kept: say restore=False to go back to 1\.0"
        )
        with pytest.raises(ConfigurationError, match=words):
            data_to_restore(shop.history, shop.first, restore=None)
        with pytest.raises(ConfigurationError, match=rf"no backup{what} from before 2\.0 is kept"):
            data_to_restore(shop.history, shop.first, restore=True)

    def test_a_damaged_one_is_refused_while_everything_runs(self, shop: Shop) -> None:
        shop.change("2.0", shop.backup("orders"))
        damage(shop.made()[0], shop.stores / "kept")
        with pytest.raises(BackupError, match="damaged"):
            data_to_restore(shop.history, shop.first, restore=True)
