"""Making, verifying, restoring and expiring the backups of one service in one store."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from zdd.backup.files import Files
from zdd.backup.manifest import (
    ID,
    NAMED_AFTER,
    DamagedBackup,
    Manifest,
    Part,
    damaged_backup,
    manifest_file,
    read_manifest,
)
from zdd.backup.retention import Retention
from zdd.backup.sealing import Meter, check_cipher, compressed, decompressed, read_key, sealed, unsealed
from zdd.backup.source import Source
from zdd.backup.store import DirectoryStore, Store
from zdd.errors import BackupError, ConfigurationError
from zdd.model.names import check_text

TELL_EVERY_S = 1.0
"""How often a long backup says how far it is."""


CLOCKS_DIFFER_S = 60.0
"""So far ahead a clock may have been by which a backup was made."""


def _quietly(_: str) -> None:
    """Tell nobody."""


@frozen
class Archive:
    """The backups of one service in one store.

    Attributes:
        service: The service's name.
        sources: What is saved, in order; restored in the same order.
        store: Where it is kept.
        key_file: The path of a file with a key of 32 bytes; None: not encrypted.
    """

    service: str
    sources: tuple[Source, ...]
    store: Store
    key_file: str | None = field(default=None)

    def check(self) -> None:
        """Raise `ConfigurationError` if no backup could be made, or restoring it would destroy it; names the fix."""
        for source in self.sources:
            source.check()
        self.store.check()
        self._check_apart()
        if self.key_file is not None:
            check_cipher(read_key(self.key_file))

    # -- looking ------------------------------------------------------------------------------------------------------

    def manifests(self) -> tuple[Manifest, ...]:
        """Return the backups there are, oldest first; one whose manifest is damaged is left out, see `listed`.

        Raises:
            BackupError: The store can't be read.
        """
        return tuple(one for one in self.listed() if isinstance(one, Manifest))

    def listed(self) -> tuple[Manifest | DamagedBackup, ...]:
        """Return the backups there are, oldest first, those whose manifest is damaged among them.

        Raises:
            BackupError: The store can't be read.
        """
        found: list[Manifest | DamagedBackup] = []
        for name in self._names():
            try:
                found.append(self._manifest(name))
            except BackupError as error:
                path = str(Path(self.store.directory) / name) if isinstance(self.store, DirectoryStore) else name
                found.append(damaged_backup(name, path, str(error)))
        return tuple(sorted(found, key=lambda one: (one.made_s, one.id)))

    def newest(self) -> Manifest | None:
        """Return the newest backup; None: there is none.

        Raises:
            BackupError: One that is newer has a damaged manifest, or it was made at a time that has not come yet: a
                person has to say which one is meant.
        """
        whole = self.manifests()
        known = ", ".join(manifest.id for manifest in whole) or "there is none"
        if whole and whole[-1].made_s > time.time() + CLOCKS_DIFFER_S:
            raise BackupError(
                f"the newest backup can't be told: by the clock, {whole[-1].id} was made at a time that has not come "
                f"yet: name the one that is meant: {known}"
            )
        read = {manifest.file for manifest in whole}
        since = self._begun(whole[-1].file) if whole else ""
        newer = [name for name in self._names() if name not in read and self._begun(name) >= since]
        if newer:
            raise BackupError(
                f"the newest backup can't be used, {newer[-1]} is damaged: name one that is whole: {known}"
            )
        return whole[-1] if whole else None

    def find(self, backup: str) -> Manifest:
        """Return a backup by its id.

        Raises:
            ConfigurationError: There is none; the message lists those there are.
            BackupError: Its manifest is damaged.
        """
        name = manifest_file(self.service, backup)
        if not ID.fullmatch(backup) or name not in self.store.names():
            known = ", ".join(manifest.id for manifest in self.manifests()) or "none"
            raise ConfigurationError(f"{self.service} has no backup {backup!r} there; there are: {known}")
        return self._manifest(name)

    def made_for(self, deployment: str) -> Manifest | None:
        """Return the last backup of these sources made for a deployment, or that it went on with; None: there is none.

        A deployment may make several, of different sources, in one store.
        """
        made = [manifest for manifest in self.manifests() if deployment in manifest.deployments]
        own = [manifest for manifest in made if not self._strange(manifest)]
        return own[-1] if own else None

    def verify(self, manifest: Manifest, tell: Callable[[str], None] = _quietly) -> None:
        """Read everything back, compare it with its checksums, and let the sources say whether they would take it.

        Raises:
            BackupError: Something is missing, damaged, altered, of a source that is none here, or was encrypted with
                another key.
            ConfigurationError: The key can't be read.
        """
        sources = {source.name: source for source in self.sources}
        for name in self._strange(manifest):
            raise BackupError(
                f"backup {manifest.id} has {name!r}, which is no source here, only {', '.join(sources)} is: "
                "give using=zdd.Backup(…) with the sources that it was made with"
            )
        for part in manifest.parts:
            meter = Meter(_teller(tell, part.source, "verified"))
            data = meter.over(self._plain(manifest, part))
            examine = getattr(sources[part.source], "examine", None)
            if examine is not None:
                examine(data)
            for _ in data:  # what it left
                pass
            if (meter.count, meter.sha256) != (part.plain_bytes, part.plain_sha256):
                raise BackupError(f"{part.file} is damaged: its content has another checksum")

    # -- changing -----------------------------------------------------------------------------------------------------

    def make(
        self, deployment: str, version: str, *, continues: str = "", tell: Callable[[str], None] = _quietly
    ) -> Manifest:
        """Save everything, read it back, and only then say so in a manifest.

        Args:
            deployment: For which deployment.
            version: What serves now.
            continues: The deployment that this one goes on with: the backup made for that one is what there was
                before anything changed, so it is kept, verified again, and named for this one too.
            tell: Is told now and then how far it is.

        Raises:
            BackupError: It can't be saved or read back; nothing that counts was written.
        """
        earlier = self.made_for(continues) if continues else None
        if earlier is not None:
            self.verify(earlier, tell)
            both = evolve(earlier, deployments=(*earlier.deployments, deployment))
            self.store.write(both.file, [both.to_bytes()])
            return both
        self._clear_away()
        now = time.time()
        stamp = dt.datetime.fromtimestamp(now, dt.UTC).strftime(NAMED_AFTER)
        backup = f"{stamp}-{deployment}-{os.urandom(3).hex()}"
        parts = [self._save(backup, number, source, tell) for number, source in enumerate(self.sources)]
        manifest = Manifest(
            backup, self.service, version, (deployment,), now, self.key_file is not None, tuple(parts)
        )  # fmt: skip
        self.verify(manifest, tell)
        self.store.write(manifest.file, [manifest.to_bytes()])
        return manifest

    def restore(self, manifest: Manifest, tell: Callable[[str], None] = _quietly) -> tuple[tuple[str, str, str], ...]:
        """Verify the backup as a whole, then put every part back, and prove what can be proven.

        Nothing of the service may run meanwhile. It may be done again after it was interrupted.

        Returns:
            For each source its name, its position in the backup, and its position right before it was put back:
            what was written in between is gone. A position is empty where there is none.

        Raises:
            BackupError: The backup is not whole, and nothing was touched; or a part could not be put back.
        """
        self.verify(manifest, tell)
        sources = {source.name: source for source in self.sources}
        lost = []
        for part in manifest.parts:
            source = sources[part.source]
            before = _position_before(source)
            meter = Meter(_teller(tell, part.source, "restored"))
            source.load(meter.over(self._plain(manifest, part)))
            if source.repeats:
                _prove(source, part)
            lost.append((part.source, part.position, before))
        return tuple(lost)

    def expire(self, retention: Retention, now: float, keep: Manifest | None = None) -> tuple[Manifest, ...]:
        """Delete the backups that are kept no longer, and return them.

        Args:
            retention: How long they are kept.
            now: In seconds since the epoch.
            keep: One that stays in any case, with the others that were made for its deployment. By a clock that was
                put back, what was just made is not the newest one.

        Raises:
            BackupError: One can't be deleted.
        """
        stays = set(keep.deployments) if keep is not None else set()
        gone = tuple(one for one in retention.expired(self.manifests(), now) if stays.isdisjoint(one.deployments))
        for manifest in gone:
            self.store.delete(manifest.file)  # first: without a manifest it is none
            for part in manifest.parts:
                self.store.delete(part.file)
        return gone

    # -- how ----------------------------------------------------------------------------------------------------------

    def _strange(self, manifest: Manifest) -> list[str]:
        """Return what a backup has of sources that are none of these."""
        known = {source.name for source in self.sources}
        return [part.source for part in manifest.parts if part.source not in known]

    def _names(self) -> list[str]:
        return [name for name in self.store.names() if name.startswith(f"{self.service}/") and name.endswith(".json")]

    def _begun(self, name: str) -> str:
        """Return when the backup that a manifest is of was begun, to the second: its name begins with that."""
        return name.removeprefix(f"{self.service}/").partition("-")[0]

    def _check_apart(self) -> None:
        if not isinstance(self.store, DirectoryStore):
            return
        kept = Path(self.store.directory).resolve()
        for source in self.sources:
            if isinstance(source, Files) and kept.is_relative_to(Path(source.directory).resolve()):
                raise ConfigurationError(
                    f"backups can't be kept in {kept}: a restore replaces all of {source.directory}, and them with it: "
                    "use a directory outside"
                )

    def _manifest(self, name: str) -> Manifest:
        return read_manifest(b"".join(self.store.read(name)), name)

    def _save(self, backup: str, number: int, source: Source, tell: Callable[[str], None]) -> Part:
        position = source.position()  # first: what is written from here on may or may not be in it
        plain, stored = Meter(_teller(tell, source.name, "saved")), Meter()
        data: Iterable[bytes] = compressed(plain.over(source.save()))
        if self.key_file is not None:
            data = sealed(data, read_key(self.key_file), os.urandom(8))
        file = f"{self.service}/{backup}.{number}"
        self.store.write(file, stored.over(data))
        return Part(source.name, file, plain.count, plain.sha256, stored.count, stored.sha256, position)

    def _plain(self, manifest: Manifest, part: Part) -> Iterator[bytes]:
        """Yield what was saved; its end is reached only if everything as kept is what it was."""
        stored = Meter()
        data: Iterable[bytes] = stored.over(self.store.read(part.file))
        if manifest.encrypted:
            if self.key_file is None:
                raise ConfigurationError(f"backup {manifest.id} is encrypted: name its key_file")
            data = unsealed(data, read_key(self.key_file), part.file)
        yield from decompressed(data, part.file)
        if (stored.count, stored.sha256) != (part.stored_bytes, part.stored_sha256):
            raise BackupError(f"{part.file} is damaged: it has another checksum")

    def _clear_away(self) -> None:
        """Delete what a backup that was interrupted left: data without a manifest."""
        known = {part.file for manifest in self.manifests() for part in manifest.parts}
        prefix = f"{self.service}/"
        damaged = {name.removesuffix(".json") for name in self._names()}
        for name in self.store.names():
            stem = name.rpartition(".")[0]
            if name.startswith(prefix) and not name.endswith(".json") and name not in known and stem not in damaged:
                self.store.delete(name)


def _position_before(source: Source) -> str:
    try:
        return source.position()
    except BackupError:
        return ""  # what is broken is what a restore is for; the report says that it is not known


def _prove(source: Source, part: Part) -> None:
    meter = Meter()
    for _ in meter.over(source.save()):
        pass
    if meter.sha256 != part.plain_sha256:
        raise BackupError(f"{source.name} was put back, but what is there now is not what was saved: is it written to?")


def _teller(tell: Callable[[str], None], what: str, done: str) -> Callable[[int], None]:
    told_s = time.monotonic()

    def meter(count: int) -> None:
        nonlocal told_s
        if time.monotonic() >= told_s + TELL_EVERY_S:
            told_s = time.monotonic()
            tell(f"{what}: {count / 1e6:,.1f} MB {done}")

    return meter


def sources_of(value: Sequence[Source] | Source) -> tuple[Source, ...]:
    """Return the sources as a tuple: what attrs classes convert their ``sources`` with.

    Raises:
        ConfigurationError: It isn't a list of sources, is empty, or two have one name.
    """
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    for source in found:
        if isinstance(source, type) or not all(hasattr(source, name) for name in ("save", "load", "position")):
            raise ConfigurationError(f"source {source!r}: use an object such as zdd.backup.Files('data')")
        check_text(f"the name of a source of the class {type(source).__name__}", source.name)
    names = [source.name for source in found]
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(f"sources {names!r}: give at least one, each with a name of its own")
    return found
