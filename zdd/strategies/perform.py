"""`Perform`: something is done before anything is touched."""

from __future__ import annotations

from attrs import field, frozen

from zdd.model.action import Action, action_tuple
from zdd.model.plan import OnFailure, Stage, to_on_failure
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation


@frozen
class Perform:
    """Do something before anything is touched: a backup, a migration. ``Perform([backup]) + BlueGreen()``.

    Attributes:
        actions: What is done, in order. One that fails ends the deployment.
        on_failure: What a failure means.
    """

    actions: tuple[Action, ...] = field(converter=action_tuple)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"Perform({', '.join(action.name for action in self.actions)})"

    def surge(self, situation: Situation) -> int:  # noqa: ARG002 - the protocol's signature
        """Return none: nothing is started."""
        return 0

    def stages(self, situation: Situation) -> tuple[Stage, ...]:  # noqa: ARG002 - the protocol's signature
        """Return one stage that changes nothing."""
        names = ", ".join(action.name for action in self.actions)
        deadline_s = sum(action.deadline_s for action in self.actions) + 30.0
        return (Stage(names, actions=self.actions, deadline_s=deadline_s, on_failure=self.on_failure),)
