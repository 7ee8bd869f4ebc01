"""What is checked when a deployer has come to its end."""

from __future__ import annotations

from zdd.adapters.memory import MemoryInstance
from zdd.events import CommandAnswered, CommandIntended, Outcome
from zdd.model.cell import InstanceState
from zdd.report import Report
from zdd.simulation.invariants import Invariant
from zdd.simulation.play import Play
from zdd.simulation.process import Process
from zdd.simulation.watch import UNNOTICED_S
from zdd.status import Status, fold


def check_events(play: Play, process: Process, report: Report | None) -> None:
    """Check that the events tell what was told, and that every command has one intention and one answer."""
    intended = [event.number for event in process.events if isinstance(event, CommandIntended)]
    answers = [event.number for event in process.events if isinstance(event, CommandAnswered)]
    if intended != sorted(set(intended)):
        play.watch.say(Invariant.HONEST, f"commands are numbered {intended}")
    if report is None:
        intended = intended[: len(answers)]  # it may have been killed between the two
    elif report.outcome is Outcome.INTERRUPTED and len(intended) == len(answers) + 1:
        intended = intended[:-1]
    if intended != answers:
        play.watch.say(Invariant.HONEST, f"commands {intended} have the answers {answers}")
    if report is None:
        return
    status = Status()
    for event in process.events:
        status = status.after(event)
    if status != fold(report.events) or status.outcome is not report.outcome:
        play.watch.say(Invariant.HONEST, f"the events say {status.outcome}, the report {report.outcome}")


def check_ending(play: Play, process: Process, report: Report) -> None:
    """Check that exactly what should run does, unless the world has broken something just now."""
    holder = play.lease.holder(play.scenario.service.name)
    ended = [f"deployer {one.number}" for one in play.processes if one.ended and not one.killed]
    if holder is not None and holder.name in ended:
        play.watch.say(Invariant.TIDY, f"the lease is still held by {holder.name}")
    if report.outcome not in (Outcome.SUCCEEDED, Outcome.ROLLED_BACK):
        return
    quiet_s = play.world.clock.now() - play.watch.disturbed_s
    if play.loose or quiet_s < UNNOTICED_S or process.interfered:
        return
    left = play.world.cells.left(play.scenario.service.name)
    if left and not any("was not put right" in text for text in report.unproven):
        play.watch.say(Invariant.TIDY, f"{report.outcome.value}, but a record of {', '.join(left)} is left")
    for invariant, text in wrong(play, process):
        play.watch.say(invariant, f"{report.outcome.value}, but {text}")


def wrong(play: Play, process: Process) -> list[tuple[Invariant, str]]:
    """Return everything that is not as the plan says."""
    plan, world, service = process.plan, play.world, play.scenario.service
    if plan is None:
        return []
    goals = {g.cell: (g.revision, g.replicas) for g in plan.goals_at(len(plan.stages)).values() if g.replicas}
    cells = {cell.name: (cell.revision, cell.replicas) for cell in world.cells.observe(service.name)}
    # One that was told to stop may still be on its way out: it has no traffic, and nothing waits for it.
    instances = [one for one in world.instances(service.name) if one.state is not InstanceState.STOPPING]
    registrations, held = world.registered(service.name)
    found = [] if cells == goals else [(Invariant.WINNER, f"cells are {cells}, not {goals}")]
    if len(instances) != sum(replicas for _, replicas in goals.values()):
        found.append((Invariant.TIDY, f"there are {[(one.id, one.version, one.state.value) for one in instances]}"))
    if len({revision for revision, _ in goals.values()}) < len({one.revision for one in instances}):
        found.append((Invariant.WINNER, "there are two revisions"))
    if held:
        found.append((Invariant.HELD, "requests are still held"))
    if service.exposures and all(_well(one) for one in instances):
        weights = {one.instance: one.weight for one in registrations}
        shares = {goal.cell for goal in plan.goals_at(len(plan.stages)).values() if goal.share}
        as_before = _as_before(process)
        found += [(Invariant.TIDY, f"{name} is registered") for name in weights if name not in world.cells.existing]
        due = {one.id for one in instances if one.cell in shares} - as_before
        found += [(Invariant.WINNER, f"{name} has no traffic") for name in sorted(due) if not weights.get(name)]
        serving = {one.id for one in world.serving(service.name)} - as_before
        if serving != due:
            found.append((Invariant.WINNER, f"{len(serving)} of {len(due)} serve"))
    return found


def _as_before(process: Process) -> frozenset[str]:
    """Return what had no traffic when the deployment began, and need not have any when it is taken back.

    A cell that is as it was need not be better than it was, unless it was taken out of traffic meanwhile.
    """
    plan = process.plan
    if plan is None or not process.back:
        return frozenset()
    same = {goal.cell for goal in plan.goals_at(len(plan.stages)).values() if goal.share and goal in plan.origin}
    return frozenset([name for name in process.idle_before if name.rpartition(".")[0] in same])


def _well(instance: MemoryInstance) -> bool:
    """Tell whether nothing is wrong with an instance: a version that is broken can be what ran before."""
    return instance.ready and instance.truly_healthy and not instance.behaviour.errors_under_traffic
