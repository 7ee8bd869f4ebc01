"""From a deployment that did not succeed to the error that says what runs now and what a person can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zdd.errors import (
    AdapterError,
    ConfigurationError,
    DeploymentError,
    DeploymentFailed,
    DeploymentInterrupted,
    PrimaryNotConfirmed,
    RollbackFailed,
)
from zdd.events import Outcome
from zdd.model.cell import InstanceState
from zdd.model.observation import Observation
from zdd.model.plan import Direction, Goal, Plan
from zdd.model.service import Service
from zdd.planner import REMOVAL
from zdd.report import Report
from zdd.strategies.switch_over import SwitchOver

TIMES = "\N{MULTIPLICATION SIGN}"

_KINDS: dict[Outcome, type[DeploymentError]] = {
    Outcome.STUCK: RollbackFailed,
    Outcome.INTERRUPTED: DeploymentInterrupted,
}


def failure_of(
    plan: Plan, report: Report, outcome: Outcome, observe: Callable[[Service], Observation]
) -> DeploymentError:
    """Return the error for a deployment that ended like this.

    Args:
        plan: What was wanted.
        report: The evidence.
        outcome: How it ended.
        observe: Looks at the service once more, to say what runs now.
    """
    name = plan.service.name
    wanted = plan.retreat if outcome is Outcome.ROLLED_BACK else plan.final()
    now, known_good = _now_runs(plan, wanted, observe)
    steps = {
        Outcome.ROLLED_BACK: f"{now} Nothing needs to be done." if known_good else now,
        Outcome.FROZEN: f"{now} Look at what failed; then deployer.resume({name!r}) goes on, "
        f"or deployer.rollback({name!r}) goes back.",
        Outcome.STUCK: f"{now} Mend what is in the way; then deployer.resume({name!r}) takes it back.",
        Outcome.INTERRUPTED: f"{now} {_goes_on(plan, report)}",
    }
    left = _not_confirmed(plan, observe) if outcome is Outcome.FROZEN else ()
    if left:
        return PrimaryNotConfirmed(
            f"{report.summary}\n{plan.revisions[plan.target].version} was not opened, because the primary may still "
            f"write: {'; '.join(left)}.",
            report=report,
            next_steps=f"Make sure that it can't write any more, then say so: cut_off_confirmed=True. Or "
            f"deployer.resume({name!r}) waits for it again.",
            unconfirmed=left,
        )
    kind = _KINDS.get(outcome, DeploymentFailed)
    return kind(report.summary, report=report, next_steps=steps.get(outcome, now))


def _not_confirmed(plan: Plan, observe: Callable[[Service], Observation]) -> tuple[str, ...]:
    """Return what kept a standby from being opened, one line each; none if it was not that."""
    if plan.strategy != str(SwitchOver()):
        return ()
    try:
        observation = observe(plan.service)
    except (AdapterError, ConfigurationError) as error:
        return (f"what runs now can't be seen: {error}",)
    others = [one for one in observation.instances() if one.revision != plan.target]
    weights = {one.instance: one.weight for one in observation.registrations}
    standby = [one for one in observation.instances() if one.revision == plan.target]
    opened = [one for one in standby if weights.get(one.id) or not plan.stages[0].warm]
    if opened or not others:
        return ()  # it was opened, or nothing was in its way
    lines = []
    for one in others:
        traffic = "still has traffic" if weights.get(one.id) else "has no traffic"
        lines.append(f"{one.id} is {one.state.value} and {traffic}" + (f" ({one.note})" if one.note else ""))
    return (*lines, *(f"{view.edge} can't be reached" for view in observation.edges if not view.reachable))


def _goes_on(plan: Plan, report: Report) -> str:
    name = plan.service.name
    if plan.strategy == REMOVAL:
        return f"deployer.remove({name!r}) goes on."
    if any(stage.direction is Direction.BACK for stage in report.stages):
        return f"deployer.resume({name!r}) goes on taking it back."
    return f"deployer.resume({name!r}) goes on, and so does the same deploy call."


def _now_runs(plan: Plan, wanted: Sequence[Goal], observe: Callable[[Service], Observation]) -> tuple[str, bool]:
    """Say what runs now and whether traffic is safe; and tell whether it is known to be."""
    try:
        observation = observe(plan.service)
    except (AdapterError, ConfigurationError) as error:
        return f"What runs now can't be seen: {error}.", False
    weights = {one.instance: one.weight for one in observation.registrations}
    running: dict[str, int] = {}
    serving: dict[str, int] = {}
    for instance in observation.instances():
        revision = plan.revisions.get(instance.revision)
        version = revision.version if revision else instance.revision
        running[version] = running.get(version, 0) + 1
        ready = instance.state is InstanceState.READY
        if ready and (weights.get(instance.id, 0) or not plan.service.exposures):
            serving[version] = serving.get(version, 0) + 1
    total = sum(serving.values())
    good = not observation.held and (bool(total) and total >= plan.floor)
    if observation.held:
        safe = "requests are held back at the edges"
    elif not total and not any(goal.share for goal in wanted):
        safe, good = "nothing is to serve", True
    else:
        safe = "traffic is safe" if good else "traffic is NOT safe"
    serves = f"serving: {_counted(serving) or 'none'}; {safe} (floor {plan.floor})."
    return f"Running now: {_counted(running) or 'nothing'}; {serves}", good


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {TIMES} {version}" for version, count in sorted(counts.items()))
