"""`SwitchOver`: what serves stops for certain, then another revision opens in its place."""

from __future__ import annotations

from attrs import evolve, field, frozen

from zdd.model.action import Action, action_tuple
from zdd.model.names import check_number
from zdd.model.plan import OnFailure, Stage
from zdd.strategies.blue_green import BlueGreen, green_cells
from zdd.strategies.recreate import Recreate
from zdd.strategies.situation import Situation


@frozen
class SwitchOver:
    """Hold requests back, see what serves gone, start the other revision, let requests go on.

    It never goes back by itself: where it fails it stops, and a person decides. What `Deployer.fail_over`,
    `Deployer.fail_back` and `Deployer.watch` deploy with.

    Attributes:
        deadline_s: Seconds that the switch may take. None: as long as everything that the service states may take.
        cut_off_confirmed: A person has made sure that what serves can't write any more, so it is not waited for. It
            is still taken out of traffic, and stopped if it can be.
        actions: What is done when what serves is gone, or cut off, and before the other revision opens.
    """

    deadline_s: float | None = None
    cut_off_confirmed: bool = field(default=False, kw_only=True)
    actions: tuple[Action, ...] = field(default=(), kw_only=True, converter=action_tuple)

    def __attrs_post_init__(self) -> None:
        if self.deadline_s is not None:
            check_number("deadline_s of SwitchOver", self.deadline_s, least=0)

    @property
    def stops_everything(self) -> bool:
        """Whether nothing of the service may run in the middle, whatever the service says of overlap."""
        return not self.cut_off_confirmed

    @property
    def overlaps(self) -> bool:
        """Whether both may be there at once, whatever the service says of overlap."""
        return self.cut_off_confirmed

    def __str__(self) -> str:
        return "SwitchOver(cut_off_confirmed=True)" if self.cut_off_confirmed else "SwitchOver()"

    def surge(self, situation: Situation) -> int:
        """Return none, or as many as the service has where the others are not waited for."""
        return BlueGreen().surge(situation) if self.cut_off_confirmed else Recreate().surge(situation)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage; or three, where the standby opens before the others are stopped."""
        if self.cut_off_confirmed:
            first, *rest = BlueGreen().stages(situation)
            stages = [evolve(first, actions=self.actions), *rest]
        else:
            stages = [self._switch(situation)]
        stages = [evolve(stage, on_failure=OnFailure.FREEZE) for stage in stages]
        if self.deadline_s is not None:
            stages = [evolve(stage, deadline_s=self.deadline_s) for stage in stages]
        return tuple(stages)

    def _switch(self, situation: Situation) -> Stage:
        title = f"switch to {situation.target.version}"
        (stage,) = Recreate().stages(situation)
        warm = bool(situation.outdated() and situation.current())
        if warm:  # what stands by goes on running where it is
            standing, leaving = green_cells(situation)
            goals = (*standing, *(situation.gone(cell) for cell in (*situation.outdated(), *leaving)))
            stage = evolve(stage, goals=goals)
        took_s = sum(action.deadline_s for action in self.actions)
        deadline_s = stage.deadline_s + took_s
        stopped = bool(self.actions)
        return evolve(stage, title=title, actions=self.actions, deadline_s=deadline_s, stopped=stopped, warm=warm)
