"""`Backup`: the data as they were before anything was touched; and the actions that make and restore it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from attrs import field, frozen
from attrs.validators import instance_of

from zdd.backup.archive import Archive, sources_of
from zdd.backup.manifest import Manifest
from zdd.backup.retention import Retention
from zdd.backup.source import Source
from zdd.backup.store import DirectoryStore, Store
from zdd.errors import BackupError
from zdd.model.action import ActionContext
from zdd.model.names import check_flag, check_kind, check_methods, check_number, path_text
from zdd.model.plan import Stage
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation

_STORE = ("check", "write", "read", "names", "delete")
"""The methods of a `Store`."""


def _store(value: Any) -> Any:
    return DirectoryStore(value) if isinstance(value, str | Path) else value


def _key_file(value: Any) -> str | None:
    return None if value is None else path_text("key_file of Backup", value)


@frozen
class Backup:
    """Save data before anything is touched: ``Backup([zdd.backup.Files("data")], "backups") + RollingUpdate()``.

    The deployment goes on only when the backup was read back and found whole. If the release says that it
    ``changes_data`` and is taken back, the data are restored while nothing of the service runs. A deployment that goes
    on after an interruption keeps the backup that was made before.

    Attributes:
        sources: What is saved.
        store: Where it is kept: a directory, or an object with the methods of `zdd.backup.Store`.
        retention: How long backups of this service are kept there.
        key_file: The path of a file with a key of 32 bytes; None: not encrypted.
        deadline_s: Seconds within which it must be made and verified, or restored.
        while_stopped: Make it while nothing of the service runs, in the gap of the `Recreate()` that it is joined to:
            for a volume that is always written to. If it fails, what served is started again.
    """

    sources: tuple[Source, ...] = field(converter=sources_of)
    store: Store = field(converter=_store)
    retention: Retention = field(factory=Retention, kw_only=True)
    key_file: str | None = field(default=None, kw_only=True, converter=_key_file)
    deadline_s: float = field(default=3600.0, kw_only=True)
    while_stopped: bool = field(default=False, kw_only=True)

    __add__, __radd__ = join, join_after

    def __attrs_post_init__(self) -> None:
        check_methods("store of Backup", self.store, _STORE, "a directory, or an object such as DirectoryStore(…)")
        check_kind("retention of Backup", self.retention, Retention, "zdd.backup.Retention(5)")
        check_number("deadline_s of Backup", self.deadline_s, least=0)
        check_flag("while_stopped of Backup", self.while_stopped)

    def __str__(self) -> str:
        return f"Backup({', '.join(source.name for source in self.sources)})"

    @property
    def stops_everything(self) -> bool:
        """Whether nothing of the service runs in the middle, whatever the service says of overlap."""
        return self.while_stopped

    def archive(self, service: str) -> Archive:
        """Return the backups of a service that are kept there."""
        return Archive(service, self.sources, self.store, self.key_file)

    def surge(self, situation: Situation) -> int:  # noqa: ARG002 - the protocol's signature
        """Return none: nothing is started."""
        return 0

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage that changes nothing, or becomes part of the next one if it is made while all is stopped.

        Raises:
            ConfigurationError: No backup could be made.
        """
        self.archive(situation.service.name).check()
        action = MakeBackup(self)
        stopped = self.while_stopped
        return (Stage(action.name, actions=(action,), deadline_s=self.deadline_s + 30.0, stopped=stopped),)


@frozen
class MakeBackup:
    """Makes the backup of a stage."""

    backup: Backup = field(validator=instance_of(Backup))

    @property
    def name(self) -> str:
        """What a person sees."""
        return "back up " + ", ".join(source.name for source in self.backup.sources)

    @property
    def deadline_s(self) -> float:
        """Seconds within which it must be made and verified."""
        return self.backup.deadline_s

    @property
    def undo(self) -> RestoreBackup:
        """What brings the data back when the deployment is taken back."""
        return RestoreBackup(self.backup)

    def run(self, context: ActionContext) -> str:
        """Make it, verify it, and let go of old ones.

        Raises:
            BackupError: It can't be made or read back.
        """
        archive = self.backup.archive(context.service)
        made = archive.make(
            context.deployment, context.from_version, continues=context.continues, tell=context.tell
        )  # fmt: skip
        gone = archive.expire(self.backup.retention, time.time(), keep=made)
        return str(made) + (f"; {len(gone)} old ones deleted" if gone else "")


@frozen
class RestoreBackup:
    """Restores a backup while nothing of the service runs.

    Attributes:
        backup: What it was made with.
        id: Which one; empty: the one that was made for the deployment that is taken back.
    """

    backup: Backup = field(validator=instance_of(Backup))
    id: str = ""

    @property
    def name(self) -> str:
        """What a person sees."""
        return "restore " + ", ".join(source.name for source in self.backup.sources)

    @property
    def deadline_s(self) -> float:
        """Seconds within which it must be restored."""
        return self.backup.deadline_s

    def run(self, context: ActionContext) -> str:
        """Verify and restore it; say what was written since and is lost.

        Raises:
            BackupError: There is none for this deployment, it is not whole, or it can't be put back.
            ConfigurationError: There is no backup of this id.
        """
        archive = self.backup.archive(context.service)
        manifest = archive.find(self.id) if self.id else archive.made_for(context.deployment)
        if manifest is None:
            raise BackupError(f"there is no backup that was made for deployment {context.deployment}")
        lost = archive.restore(manifest, context.tell)
        saved = {part.source for part in manifest.parts}
        others = [source.name for source in self.backup.sources if source.name not in saved]
        left = f"; it has nothing of {', '.join(others)}, which is as it was" if others else ""
        return f"{manifest} restored; {_loss(manifest, lost)}{left}"


def _loss(manifest: Manifest, lost: tuple[tuple[str, str, str], ...]) -> str:
    """Say honestly what is lost."""
    since_s = max(0.0, time.time() - manifest.made_s)
    known = [f"{name}: {saved} to {before}" for name, saved, before in lost if saved and before]
    window = f"what was written in the {since_s:.0f} s since it was begun is lost"
    return window + (f" ({'; '.join(known)})" if known else "")
