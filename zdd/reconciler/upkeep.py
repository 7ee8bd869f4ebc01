"""What a mirror may do between deployments: the safe order, narrowed to registrations of what died and came back. Pure.

Some rules of a deployment do not hold here, each for a reason. A cell need not be complete before one of its instances
is let in, because the cell has its share already, and something is better than nothing. An edge that can't be reached
keeps no replacement out: often it died with the same machine, and nothing is taken out on the strength of what is let
in. Shares are divided anew while a cell is not complete, because none moves to another cell. And what is left need not
be seen at every edge, as long as something that is ready is registered: the list of an orchestrator that shows nothing
takes nothing out.
"""

from __future__ import annotations

from attrs import evolve

from zdd.model.cell import InstanceState
from zdd.model.command import Change, Launch, Retire, Scale
from zdd.model.intent import Intent
from zdd.model.observation import Observation
from zdd.model.plan import Goal, Plan
from zdd.reconciler.guard import Guard
from zdd.reconciler.guards import GUARDS
from zdd.reconciler.picture import Picture
from zdd.reconciler.proposals import Hold, Proposal, Release, Shift, Tally, Traffic


def plan_of_upkeep(intent: Intent, observation: Observation) -> Plan:
    """Return what keeps the service as it was meant, in as many instances as somebody has given a cell since."""
    return evolve(intent.plan, origin=tuple(_as_it_is(goal, observation) for goal in intent.plan.origin))


def _as_it_is(goal: Goal, observation: Observation) -> Goal:
    cell = observation.cell(goal.cell)
    if cell is None or cell.revision != goal.revision or not cell.replicas:
        return goal
    return evolve(goal, replicas=cell.replicas)


def strangers(intent: Intent, observation: Observation) -> tuple[str, ...]:
    """Return the cells that run something that the last deployment did not put there, in words."""
    goals = {goal.cell: goal for goal in intent.plan.origin}
    return tuple(
        f"{cell.name} runs {cell.revision or 'something'} that was not deployed there: deploy again"
        for cell in observation.cells
        if cell.instances and (cell.name not in goals or goals[cell.name].revision != cell.revision)
    )


def out_of_reach(observation: Observation) -> tuple[str, ...]:
    """Return the instances that run and can never have traffic, because nobody will learn where they are, in words."""
    lost = [one for one in observation.instances() if one.address_lost]
    return tuple(f"{one.id} can't be reached, {one.note}: deploy again with restart" for one in lost)


def _only_traffic(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    if isinstance(proposal, Launch | Change | Scale | Retire | Hold | Release):
        return "a deployer: a mirror starts and stops nothing, and holds nothing back"
    return None


def _ready_ones_stay(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    if not isinstance(proposal, Traffic) or proposal.shift is not Shift.OUT:
        return None
    instance = picture.instances.get(proposal.instance)
    if instance is None or instance.state is not InstanceState.READY:
        return None
    return f"a deployer: a mirror takes nothing out that is ready, as {proposal.instance} is"


def _someone_left(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    if not isinstance(proposal, Traffic) or proposal.shift not in (Shift.OUT, Shift.FORGET):
        return None
    gone = {*tally.removed, proposal.instance}
    ready = (name for name, instance in picture.instances.items() if instance.state is InstanceState.READY)
    if any(name not in gone and picture.weight(name) > 0 for name in ready):
        return None
    return f"another one to be in traffic before {proposal.instance} is forgotten"


def _only_the_dead(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    if isinstance(proposal, Traffic) and proposal.shift is Shift.FORGET:
        return None
    return "the deployment to be finished"


QUIET = ("only-traffic", "ready-ones-stay", "only-the-dead")
"""The rules whose refusals need not be told: they are what a mirror is."""

_LEFT_OUT = ("complete", "edges-heard", "rise-before-fall", "someone-serves")

UPKEEP: tuple[Guard, ...] = (
    Guard("only-traffic", "A mirror changes registrations and nothing else.", _only_traffic),
    Guard(
        "ready-ones-stay", "A mirror takes nothing out of traffic that the orchestrator calls ready.", _ready_ones_stay
    ),
    Guard("someone-left", "The last ones go when another one that is ready is registered.", _someone_left),
    *(guard for guard in GUARDS if guard.name not in _LEFT_OUT),
)
"""What holds between deployments."""

ABANDONED: tuple[Guard, ...] = (
    Guard("only-the-dead", "Of a deployment that was left half done only the dead are forgotten.", _only_the_dead),
    *UPKEEP,
)
"""What holds while the last deployment has not come to its end, and nobody works on it."""
