"""Looks at every event of every simulated deployer in the moment in which it is written, and says what was broken."""

from __future__ import annotations

from zdd.events import (
    CommandAnswered,
    CommandIntended,
    DeploymentStarted,
    Event,
    InstanceMoved,
    Moment,
    StageEntered,
    StagePassed,
)
from zdd.model.plan import Direction, Plan
from zdd.model.verdict import Result
from zdd.simulation.commands import check_command
from zdd.simulation.invariants import Invariant
from zdd.simulation.process import Process
from zdd.simulation.surroundings import StageGate
from zdd.simulation.trouble import SETTLES_S
from zdd.simulation.watch import Watch


def heard(watch: Watch, process: Process, event: Event) -> None:
    """Look at an event of a deployer."""
    process.events.append(event)
    match event:
        case DeploymentStarted(plan=plan):
            _started(watch, process, plan)
        case StageEntered(stage=stage):
            process.stage = stage
        case StagePassed(stage=stage):
            _passed(watch, process, stage)
        case CommandIntended(command=command):
            watch.commands += 1
            process.commands += 1
            watch.marks.add(f"command {type(command).__name__.lower()}")
            check_command(watch, process, command)
        case CommandAnswered(unknown=True, at_s=at_s):
            process.in_doubt_s = at_s + SETTLES_S
            watch.marks.add("a request without an answer")
        case CommandAnswered(error=error) if error:
            process.told.pop(process.last_key, None)  # nothing was changed: it may be sent again
        case CommandAnswered():
            if watch.process is not None and watch.process.number > process.number and watch.process.events:
                watch.say(Invariant.FENCED, "a command of a deployer was accepted after a later one took over")
        case InstanceMoved(moment=moment, instance=name):
            if moment is Moment.CUT:
                watch.cut.add(name)


def _passed(watch: Watch, process: Process, stage: int) -> None:
    process.passed = stage + 1
    for gate in process.plan.stages[stage].gates if process.plan else ():
        if isinstance(gate, StageGate) and gate.says is not Result.PASSED:
            watch.say(Invariant.CANARY, f"stage {stage + 1} passed, though its gate {gate}")


def _started(watch: Watch, process: Process, plan: Plan) -> None:
    before = process.plans[0] if process.plans else None
    if before is None:
        weights = {one.instance: one.weight for one in watch.world.registered(watch.service.name)[0]}
        process.idle_before = frozenset([name for name in watch.world.cells.existing if not weights.get(name)])
    process.plans.append(plan)
    process.plan, process.stage, process.passed = plan, 0, 0
    watch.note_interference(process)
    process.told.clear()
    instances = watch.world.cells.existing.values()
    process.old_died = not all(one.ready and one.truly_healthy for one in instances)
    watch.process = process
    if len(process.plans) > 2 or (len(process.plans) == 2 and plan.direction is Direction.FORWARD):
        watch.say(Invariant.ROLLBACK_MEANS, f"plan number {len(process.plans)} in one deployment")
    serving = sum(goal.replicas for goal in plan.origin if goal.share)
    stated = plan.service if plan.stated is not None else watch.service  # what stops everything keeps no floor
    agreed = min(stated.agreed_floor, serving, watch.service.replicas)
    if plan.direction is Direction.FORWARD and plan.floor < agreed:
        watch.say(Invariant.COMMAND_KEEPS_FLOOR, f"a plan has the floor {plan.floor}, {agreed} was agreed")
    if before is not None and plan.direction is Direction.BACK:
        known = {goal.revision for goal in before.retreat if goal.replicas}
        wanted = {goal.revision for goal in plan.goals_at(len(plan.stages)).values() if goal.replicas}
        if before.target in wanted and before.target not in known:
            watch.say(Invariant.ROLLBACK_MEANS, f"going back from {before.target} leads to it")
