"""An action: something a stage does besides moving instances and traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.names import check_number, check_text


def _tell_nobody(_: str) -> None:
    """Tell nobody."""


@frozen
class ActionContext:
    """What an action is told.

    Attributes:
        service: The service's name.
        deployment: The id of the deployment.
        from_version: What ran before; empty if nothing did.
        to_version: What is being deployed.
        continues: The id of the interrupted deployment that this one goes on with; empty: it is a new one.
        tell: Call it with one line now and then, if it takes long: how far it is. May be called from any thread.
    """

    service: str
    deployment: str
    from_version: str
    to_version: str
    continues: str = ""
    tell: Callable[[str], None] = field(default=_tell_nobody, eq=False, repr=False)


def action_tuple(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return the actions as a tuple: what attrs classes convert their ``actions`` with.

    Raises:
        ConfigurationError: It isn't a list of actions.
    """
    if isinstance(actions, str) or not isinstance(actions, Iterable):
        raise ConfigurationError(
            f"actions={actions!r}: use a list of actions, for example [zdd.FunctionAction(backup)]"
        )
    found = tuple(actions)
    for action in found:
        if isinstance(action, type) or not all(hasattr(action, name) for name in ("name", "deadline_s", "run")):
            raise ConfigurationError(f"action {action!r}: use an object such as zdd.FunctionAction(backup)")
        check_text(f"the name of an action of the class {type(action).__name__}", action.name)
        check_number(f"deadline_s of action {action.name}", action.deadline_s, least=0)
    return found


def check_actions(actions: Iterable[Action]) -> None:
    """Let each action that can look whether it could be run do so. Nothing is run.

    Raises:
        ConfigurationError: One of them couldn't.
    """
    for action in actions:
        check = getattr(action, "check", None)
        if check is not None:
            check()


class Action(Protocol):
    """Something a stage does before it touches anything: a backup, a migration, a user's own step.

    It runs beside the driver. An action that was interrupted is run again by the next deployer, so it must be safe to
    run twice. An exception from `run` fails the stage.

    It may have a method ``check`` without arguments. That is called when a plan is made, before anything is touched,
    and raises `ConfigurationError` if the action can't be run.

    It may have an attribute ``undo``, an action too: that is run, while nothing of the service runs, when a release
    that ``changes_data`` is taken back.
    """

    @property
    def name(self) -> str:
        """What a person sees."""

    @property
    def deadline_s(self) -> float:
        """Seconds within which `run` must return; then the stage fails."""

    def run(self, context: ActionContext) -> str:
        """Do it; return one line for the report."""
