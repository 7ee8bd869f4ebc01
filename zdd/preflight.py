"""What can be known before anything is touched: every part that can look at its own surroundings is asked to."""

from __future__ import annotations

from collections.abc import Container, Iterable

from zdd.errors import AdapterError, ConfigurationError
from zdd.interfaces import Inspected, mirror_role
from zdd.model.cell import InstanceState
from zdd.model.finding import Demand, Finding, Severity
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.model.release import Specification
from zdd.model.service import Service
from zdd.surroundings import Surroundings
from zdd.wording import count


def findings(around: Surroundings, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:
    """Return what the parts that this service needs found, in order: orchestrator, discovery, edges. Change nothing.

    A part that can't look now is a finding too.

    Args:
        around: The parts. Those that are not `Inspected` are not asked.
        service: How the service wants to be treated.
        workload: What is to run.
        demand: What is needed at once.
    """
    parts: list[object] = [around.orchestrator]
    if service.exposures:
        parts += [around.discovery, *around.edges]
    found: dict[Finding, None] = dict.fromkeys(_unmirrored(around, service))
    for part in parts:
        if isinstance(part, Inspected):
            found.update(dict.fromkeys(_look(part, service, workload, demand)))
    return tuple(found)


def reached_otherwise(service: Service, observation: Observation, known: Container[str]) -> tuple[Finding, ...]:
    """Return a warning of instances that somebody else started, if no edge sends requests to anything of the service.

    Args:
        service: How the service wants to be treated.
        observation: What runs now.
        known: The revisions that zdd deployed.
    """
    if not service.exposures or any(one.weight for one in observation.registrations):
        return ()
    running = [one for cell in observation.cells for one in cell.instances if one.state is InstanceState.READY]
    others = len([one for one in running if one.revision not in known])
    if not others:
        return ()
    problem = (
        f"nothing of it gets traffic through zdd's edges, and it has {count(others, 'instance')} that zdd did not "
        "start: requests that come there by another way are not waited for when it is stopped"
    )
    fix = "if there are any, deploy under another name beside it, and stop it by hand when its clients have moved"
    return (Finding(service.name, problem, fix),)


def _unmirrored(around: Surroundings, service: Service) -> tuple[Finding, ...]:
    if not service.exposures or not around.orchestrator.abilities.replaces:
        return ()
    try:
        if around.lease.holder(mirror_role(service.name)) is not None:
            return ()
        problem = "no mirror runs, so an instance that is replaced between deployments gets no requests"
    except AdapterError as error:
        problem = f"whether a mirror runs is not known: {error}"
    return (Finding(service.name, problem, f"run `python -m zdd mirror {service.name}` all the time"),)


def _look(part: Inspected, service: Service, workload: Specification, demand: Demand) -> tuple[Finding, ...]:
    try:
        return part.inspect(service, workload, demand)
    except AdapterError as error:
        name = str(getattr(part, "name", type(part).__name__))
        return (Finding(name, f"could not be inspected: {error}", "what it would have warned of is not known"),)


def demand_of(plan: Plan) -> Demand:
    """Return what a plan needs at once, at its peak."""
    before = {goal.cell for goal in plan.origin if goal.replicas}
    cells = len(before)
    for number in range(len(plan.stages)):
        after = {name for name, goal in plan.goals_at(number).items() if goal.replicas}
        cells = max(cells, len(before | after))
        before = after
    return Demand(plan.ceiling, cells)


def warnings_of(found: Iterable[Finding]) -> tuple[str, ...]:
    """Return the warnings, one line each.

    Raises:
        ConfigurationError: One is more than a warning; the message has all of those.
    """
    found = tuple(found)
    errors = [str(one) for one in found if one.severity is Severity.ERROR]
    if errors:
        raise ConfigurationError("\n".join(errors))
    return tuple(str(one) for one in found)
