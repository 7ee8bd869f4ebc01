"""Which switches to a standby there were, and whether the last one can be gone back from. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from attrs import frozen

from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.history import Deployment, History
from zdd.strategies.switch_over import SwitchOver
from zdd.wording import printable


@frozen
class _Change:
    """What was to serve from some time on, however many deployments that took."""

    digest: str
    version: str
    switched: bool
    half_done: bool


def refuse_no_switch(service: str, history: History, to: str | None) -> None:
    """Refuse to go back where no switch has put anything in the place of what served before.

    Where it is said what is to serve, the switch need not be the last change.

    Raises:
        ConfigurationError: There is nothing to go back from.
    """
    if history.last is None:
        raise ConfigurationError(f"{service} was never deployed, so there is nothing to go back to")
    changes = list(_changes(history))
    if not any(change.switched for change in changes):
        raise ConfigurationError(
            f"{service} was never switched to a standby, so there is nothing to go back from; "
            f"deployer.rollback({service!r}) brings back what served before"
        )
    last, version = changes[-1], printable(changes[-1].version) or "nothing"
    if to is not None or (last.switched and (last.half_done or not _went_back(changes))):
        return
    name = "name the version that is to serve, if another one is"
    if last.switched:
        raise ConfigurationError(f"{service} went back from its standby already, and {version} serves; {name}")
    raise ConfigurationError(
        f"{version} of {service} was deployed after the last switch, so there is nothing to go back from; {name}"
    )


def _changes(history: History) -> Iterator[_Change]:
    """Return what was to serve in turn, oldest first, without what was taken back or only stood by."""
    lasting = [one for one in history.deployments if one.half_done or one.outcome is Outcome.SUCCEEDED]
    for digest, group in groupby([one for one in lasting if not one.plan.beside], key=_digest):
        same = list(group)
        yield _Change(digest, same[-1].to_version, isinstance(same[0].strategy, SwitchOver), same[-1].half_done)


def _digest(deployment: Deployment) -> str:
    return deployment.plan.revisions[deployment.plan.target].digest if deployment.to_version else ""


def _went_back(changes: list[_Change]) -> bool:
    """Tell whether the last change goes back from a switch to what that one had replaced."""
    back = False
    for replaced, switch, change in zip(changes, changes[1:], changes[2:], strict=False):
        back = switch.switched and not back and change.switched and change.digest == replaced.digest
    return back
