"""What going back, or restoring by hand, has to put back: found in the history. Pure, but for asking the stores."""

from __future__ import annotations

from attrs import evolve

from zdd.backup.backup import Backup
from zdd.backup.manifest import DamagedBackup, Manifest
from zdd.backup.restore import Restore, backups_before, backups_in, last_backup
from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.history import Deployment, History
from zdd.model.names import check_kind
from zdd.model.release import Revision


def kept_backups(history: History, service: str) -> tuple[Manifest | DamagedBackup, ...]:
    """Return the backups that the deployments of a service made and that are still kept, oldest first, damaged or not.

    Raises:
        BackupError: A store can't be read.
    """
    found: dict[str, Manifest | DamagedBackup] = {}
    asked: list[Backup] = []
    for backup in (backup for one in history.deployments for backup in backups_in(one.plan)):
        if backup in asked:  # a source need not be hashable, and a user's own often is not
            continue
        asked.append(backup)
        found.update({one.id: one for one in backup.archive(service).listed()})
    return tuple(sorted(found.values(), key=lambda one: (one.made_s, one.id)))


def restoration(history: History, service: str, id: str | None, using: Backup | None) -> Restore:  # noqa: A002
    """Return the strategy that restores a backup, after everything that can be known beforehand was looked at.

    Args:
        history: What is known of the service.
        service: Its name.
        id: Which backup; None: the newest.
        using: What it was made with; None: what the last deployment that made one used.

    Raises:
        ConfigurationError: There is no such backup, or it can't be restored here.
        BackupError: It is not whole.
    """
    if using is not None:
        check_kind("using", using, Backup, "a zdd.Backup(…) with the sources and the store of the one to restore")
    backup = using if using is not None else _made_with(history, service, id)
    archive = backup.archive(service)
    archive.check()
    manifest = archive.find(id) if id is not None else archive.newest()
    if manifest is None:
        raise ConfigurationError(f"{service} has no backup there, in {backup.store}: name another place with using=…")
    archive.verify(manifest)
    return Restore(backup, manifest.id)


def _made_with(history: History, service: str, id: str | None) -> Backup:  # noqa: A002
    """Return what a backup was made with; of several in one deployment the last, unless an id says which."""
    plans = [one.plan for one in history.deployments]
    if id is not None:
        for backup in reversed([backup for plan in plans for backup in backups_in(plan)]):
            sources = {source.name for source in backup.sources}
            kept = backup.archive(service).manifests()
            if any(one.id == id and {part.source for part in one.parts} <= sources for one in kept):
                return backup
    return last_backup(plans, service)


def data_to_restore(history: History, revision: Revision, *, restore: bool | None) -> Restore | None:
    """Return how to restore the data as this revision left them; None: they have not changed, or nobody wants it.

    Args:
        history: What is known of the service.
        revision: What is to run again.
        restore: Whether it is wanted; None: not said.

    Raises:
        ConfigurationError: A release since then changes data and it was not said whether to restore them; or there is
            no backup from before it.
        BackupError: The backup is not whole.
    """
    changed = _first_that_changed(history, revision)
    if changed is None or restore is False:
        return None
    name, version = changed.plan.service.name, changed.to_version
    before = _backups_before(changed)
    missing = [backup for backup, manifest in before if manifest is None]
    whole = [(backup, manifest) for backup, manifest in before if manifest is not None]
    if not before or missing:
        what = " of " + ", ".join(source.name for backup in missing for source in backup.sources) if whole else ""
        left = _damaged(missing, name)
        if restore is None:
            raise ConfigurationError(
                f"{version} changed the data, and no backup{what} from before it is kept: say restore=False to go back "
                f"to {revision.version} with the data as they are{left}"
            )
        raise ConfigurationError(f"no backup{what} from before {version} is kept, so the data can't be restored{left}")
    if restore is None:
        raise ConfigurationError(
            f"{version} changed the data, so going back to {revision.version} may need them as they were: say "
            f"restore=True to restore {', '.join(str(manifest) for _, manifest in whole)}, and lose what was written "
            "since; or restore=False to keep them"
        )
    for backup, manifest in whole:
        backup.archive(name).verify(manifest)
    first, *also = (Restore(backup, manifest.id) for backup, manifest in whole)
    return evolve(first, also=tuple(also))


def _damaged(backups: list[Backup], service: str) -> str:
    """Return a sentence on the damaged ones where a backup is missed: it may be one of them."""
    listed = (one for backup in backups for one in backup.archive(service).listed())
    lines = list(dict.fromkeys(str(one) for one in listed if isinstance(one, DamagedBackup)))
    return f". It may be one that is damaged: {'; '.join(lines)}" if lines else ""


def _backups_before(deployment: Deployment) -> list[tuple[Backup, Manifest | None]]:
    """Return what a deployment saved and the backup it made of that, if it is kept; what was made last comes first.

    What was saved twice is restored once.
    """
    found: list[tuple[Backup, Manifest | None]] = []
    known: set[str] = set()
    service = deployment.plan.service.name
    for backup in reversed(list(backups_before(deployment.plan))):
        sources = {source.name for source in backup.sources}
        if not sources <= known:
            manifest = backup.archive(service).made_for(deployment.id)
            found.append((backup, manifest))
            known |= sources
    return found


def _may_have_run(one: Deployment) -> bool:
    """Tell whether it got so far that its release may have run: in its first stage, after what is done before."""
    return bool(one.stages_passed) or bool(one.acted and one.plan.stages[0].goals)


def _first_that_changed(history: History, revision: Revision) -> Deployment | None:
    """Return the first deployment, since this revision was deployed last, whose release changes data and ran."""
    since: list[Deployment] = []
    for one in history.deployments:
        target = one.plan.revisions.get(one.plan.target)
        if target is not None and one.to_version and target.digest == revision.digest:
            since = []
        elif _may_have_run(one) and one.outcome is not Outcome.ROLLED_BACK:
            since.append(one)
    changed = [one for one in since if one.to_version and one.plan.revisions[one.plan.target].changes_data]
    return changed[0] if changed else None
