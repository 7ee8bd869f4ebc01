"""`Restore`: the strategy that puts a backup back; and where the history knows one from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import field, frozen
from attrs.validators import instance_of

from zdd.backup.backup import Backup, MakeBackup, RestoreBackup
from zdd.errors import ConfigurationError
from zdd.model.plan import OnFailure, Plan, Stage
from zdd.strategies.recreate import Recreate
from zdd.strategies.situation import Situation


@frozen
class Restore:
    """Hold requests back, stop everything, restore, start again, let requests go on.

    It stops where it fails: what half restored data are good for, a person has to say.

    Attributes:
        backup: What the backup was made with.
        id: Which one.
        also: What else is restored in the same gap, after it: a deployment may have made several backups.
    """

    backup: Backup = field(validator=instance_of(Backup))
    id: str
    also: tuple[Restore, ...] = ()

    @property
    def stops_everything(self) -> bool:
        """Nothing of the service runs in the middle, whatever the service says of overlap."""
        return True

    def __str__(self) -> str:
        return f"Restore({', '.join(action.id for action in self._actions())})"

    def surge(self, situation: Situation) -> int:
        """Return none: nothing runs beside what is replaced."""
        return Recreate().surge(situation)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage that restores in its middle."""
        replaced = Recreate().stages(situation)[0]
        actions = self._actions()
        return (
            Stage(
                ", ".join(action.name for action in actions),
                replaced.goals,
                actions=actions,
                deadline_s=replaced.deadline_s + sum(action.deadline_s for action in actions),
                on_failure=OnFailure.FREEZE,
                held=replaced.held,
                stopped=True,
            ),
        )

    def _actions(self) -> tuple[RestoreBackup, ...]:
        return (RestoreBackup(self.backup, self.id), *(action for one in self.also for action in one._actions()))


def backups_in(plan: Plan) -> Iterator[Backup]:
    """Yield what a plan makes backups with, in order."""
    for stage in plan.stages:
        for action in stage.actions:
            if isinstance(action, MakeBackup):
                yield action.backup


def backups_before(plan: Plan) -> Iterator[Backup]:
    """Yield what a plan makes backups with before anything of its release runs, in order."""
    for stage in plan.stages:
        for action in stage.actions:
            if isinstance(action, MakeBackup):
                yield action.backup
        if stage.goals:
            return


def last_backup(plans: Iterable[Plan], service: str) -> Backup:
    """Return what the last of these plans that made a backup made it with.

    Raises:
        ConfigurationError: None did.
    """
    found = [backup for plan in plans for backup in backups_in(plan)]
    if not found:
        raise ConfigurationError(
            f"no deployment of {service} made a backup: deploy with zdd.Backup(…) + a strategy, "
            "or give using=zdd.Backup(…)"
        )
    return found[-1]
