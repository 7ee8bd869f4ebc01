"""`StandBy`: another revision runs beside what serves, proven, and gets no traffic until it is told to take over."""

from __future__ import annotations

from attrs import frozen

from zdd.errors import ConfigurationError
from zdd.model.plan import Goal, Stage
from zdd.strategies.blue_green import beside, green_cells
from zdd.strategies.situation import Situation


@frozen
class StandBy:
    """Start another revision beside what serves, without traffic. What `Deployer.stand_by` deploys with.

    The next deployment of the service clears it away, like anything else that is not what was asked for.
    """

    @property
    def overlaps(self) -> bool:
        """Both are there at once, whatever the service says of overlap."""
        return True

    @property
    def beside(self) -> bool:
        """What serves goes on serving."""
        return True

    def __str__(self) -> str:
        return "StandBy()"

    def surge(self, situation: Situation) -> int:
        """Return as many as the service has."""
        return beside(situation)

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage, in which nothing is done to what serves.

        Raises:
            ConfigurationError: It serves itself, or nobody sends requests to the service, so that all of it works.
        """
        if not situation.service.exposures:
            raise ConfigurationError(
                f"{situation.service.name} has no ways in, so a warm standby would work at once: use a cold one"
            )
        if any(situation.shares.get(cell.name) for cell in situation.current()):
            raise ConfigurationError(
                f"{situation.target.version} of {situation.service.name} serves already, so it can't stand by: give "
                "another release, or call fail_back first"
            )
        standing, leaving = green_cells(situation)
        goals = [Goal(goal.cell, goal.revision, goal.replicas, 0) for goal in standing]
        goals += [situation.gone(cell) for cell in leaving]
        return (Stage("start the standby", tuple(goals), deadline_s=situation.deadline_s),)
