"""What would happen, in words, before anything does."""

from __future__ import annotations

from collections.abc import Iterable

from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.plan import Direction, Goal, OnFailure, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Overlap
from zdd.wording import count, percent, printable, span

_TIMES = "\N{MULTIPLICATION SIGN}"


def plan_text(plan: Plan) -> str:
    """Return the plan for a person to read: what is promised, then what each stage changes, waits for and may do."""
    lines = [plan_title(plan), *_promises(plan), "", "Now", *_now(plan)]
    for number, stage in enumerate(plan.stages):
        lines += ["", f"{number + 1}. {printable(stage.title)}", *_stage(plan, number, stage)]
    if not plan.stages:
        lines += ["", "Nothing to do: what is wanted runs already."]
    return "\n".join(lines)


def plan_title(plan: Plan) -> str:
    """Return what becomes of which service, and by which strategy, on one line."""
    before = _names(plan, sorted({goal.revision for goal in plan.origin if goal.replicas}))
    after = _names(plan, [plan.target])
    strategy = f" by {printable(plan.strategy)}" if plan.strategy else ""
    change = f"{before} → {after}" if before else f"start of {after}"
    if plan.beside and plan.direction is Direction.FORWARD:
        change = f"standby {after} beside {before}"
    way = "back, " if plan.direction is Direction.BACK else ""
    return f"{printable(plan.service.name)}: {way}{change}{strategy}"


def _names(plan: Plan, revisions: Iterable[str]) -> str:
    return ", ".join(_version(plan, revision) for revision in revisions)


def _version(plan: Plan, revision: str) -> str:
    """Name a revision by its version, and by its id too where two revisions have the same version."""
    known = plan.revisions.get(revision)
    if known is None:
        return f"revision {printable(revision)}"
    same = [other for other in plan.revisions.values() if other.version == known.version]
    version = printable(known.version)
    return version if len(same) == 1 else f"{version} (revision {printable(revision)})"


def _promises(plan: Plan) -> list[str]:
    service = plan.service
    serving = count(service.replicas, "instance")
    if not any(goal.replicas and goal.share for goal in plan.origin):
        floor = f"nothing serves yet; {serving} at the end"
    elif service.overlap is Overlap.FORBIDDEN:
        floor = "old and new may not overlap: requests are held, and there is a gap until the new one is ready"
    elif not plan.floor and _in_place(plan):
        floor = f"0 of {serving} useful: all may be replaced at once, and requests are lost until a new one serves"
    else:
        floor = f"at least {plan.floor} of {serving} useful all the time, unless fewer are at the start"
    target = plan.revisions.get(plan.target)
    return [
        _line("floor", floor),
        _line("ceiling", f"at most {count(plan.ceiling, 'instance')} at once, besides those that are stopping"),
        *(_line("proof", text) for text in _proofs(target, span(service.start_deadline_s))),
        _line("drain", _drain(plan)),
        *(_line("in place", text) for text in _in_place(plan)),
        *(_line("warning", printable(text)) for text in plan.warnings),
    ]


def _line(name: str, text: str) -> str:
    return f"   {name:<11} {text}"


def _proofs(target: Revision | None, deadline: str) -> list[str]:
    if target is None or not target.gates:
        return [f"a new instance gets traffic when it is ready, within {deadline}"]
    first = f"a new instance gets traffic when it is ready and passes, within {deadline}:"
    return [first, *(f"  {printable(gate)}" for gate in target.gates)]


def _drain(plan: Plan) -> str:
    service = plan.service
    if not service.exposures:
        return f"nobody sends it requests; {span(service.stop_grace_s)} to stop"
    settle = f", then {span(service.settle_s)} to settle" if service.settle_s else ""
    return (
        f"up to {span(service.drain_deadline_s)} for what is in flight{settle}, "
        f"then {span(service.stop_grace_s)} to stop"
    )


def _in_place(plan: Plan) -> list[str]:
    """Return what is not promised where the orchestrator replaces instances that serve."""
    orders = {goal.in_place.order for stage in plan.stages for goal in stage.goals if goal.in_place is not None}
    words = {
        UpdateOrder.START_FIRST: "an old instance leaves traffic while the one in its place starts; when that is ready "
        "it is stopped, drained or not",
        UpdateOrder.STOP_FIRST: "an old instance is stopped before the one in its place starts, and nobody knows "
        "beforehand which: what is in flight there is up to the application",
    }
    return [words[order] for order in UpdateOrder if order in orders]


def _now(plan: Plan) -> list[str]:
    present = [goal for goal in plan.origin if goal.replicas]
    if not present:
        return [_line("nothing", "no cell of this service runs")]
    total = sum(goal.share for goal in present)
    return [_line(printable(goal.cell), _content(plan, goal, total)) for goal in present]


def _content(plan: Plan, goal: Goal, total: int) -> str:
    traffic = f"{percent(goal.share, total)} of the traffic" if goal.share else "no traffic"
    return f"{_copies(plan, goal)}, {traffic}"


def _copies(plan: Plan, goal: Goal) -> str:
    return f"{goal.replicas} {_TIMES} {_version(plan, goal.revision)}"


def _stage(plan: Plan, number: int, stage: Stage) -> list[str]:
    before, after = plan.goals_at(number - 1), plan.goals_at(number)
    total = sum(goal.share for goal in after.values() if goal.replicas)
    when = ", while nothing of the service runs" if stage.stopped else ""
    lines = [_line("action", f"{printable(a.name)}{when}, within {span(a.deadline_s)}") for a in stage.actions]
    lines += (
        [_line("hold back", "requests wait at the edges until the stage's instances are ready")] if stage.held else []
    )
    for goal in stage.goals:
        words = _change(plan, before.get(goal.cell, Goal(goal.cell, goal.revision, 0, 0)), goal, total)
        lines.append(_line(printable(goal.cell), words))
    lines.append(_line("traffic", _traffic(plan, number)))
    lines += [_line("gate", printable(gate)) for gate in stage.gates]
    lines += [_line("hold", f"{span(stage.hold_s)} with this traffic")] if stage.hold_s else []
    failure = "go back to where it came from" if stage.on_failure is OnFailure.RETREAT else "stop there, for a person"
    lines.append(_line("deadline", f"{span(stage.deadline_s)}; on failure {failure}"))
    return lines


def _change(plan: Plan, before: Goal, after: Goal, total: int) -> str:
    """Say what happens to one cell, in the order in which it happens."""
    steps: list[str] = []
    if after.in_place is not None:
        return _replaced(plan, before, after, after.in_place)
    drained = before.share and before.replicas and (not after.share or before.revision != after.revision)
    if drained:
        steps.append(f"take {_copies(plan, before)} out of traffic and drain")
    if not after.replicas:
        steps.append(f"retire {_copies(plan, before)}" if before.replicas else "nothing")
        return ", then ".join(steps)
    if not before.replicas:
        steps.append(f"start {_copies(plan, after)}")
    elif before.revision != after.revision:
        steps.append(
            f"replace by {_copies(plan, after)}"
            if drained
            else f"replace {before.replicas} {_TIMES} {_version(plan, before.revision)} by {_copies(plan, after)}"
        )
    elif before.replicas != after.replicas:
        steps.append(f"go from {before.replicas} to {_copies(plan, after)}")
        if after.share and before.share and after.replicas > before.replicas:
            steps.append("prove the new ones, admit them to traffic")
            return ", then ".join(steps)
    if after.share and (drained or not before.replicas or not before.share):
        steps.append("prove, admit to traffic")
    elif after.share != before.share and after.share:
        steps.append(f"{_copies(plan, after)} stay in traffic, now {percent(after.share, total)} of it")
    elif not before.replicas:
        steps.append("prove, without traffic")
    return ", then ".join(steps) or "stays as it is"


def _replaced(plan: Plan, before: Goal, after: Goal, in_place: InPlace) -> str:
    version, changed = _version(plan, after.revision), f"{in_place.changed} of {after.replicas}"
    done = before.in_place.changed if before.in_place is not None else 0
    if before.in_place is not None and before.revision != after.revision:  # how many is seen when it is so far
        return f"replace in place until {changed} run {version}, prove and admit to traffic"
    number = f"{in_place.changed - done} of {after.replicas}"
    return f"replace {number} in place, prove and admit to traffic, then {changed} run {version}"


def _traffic(plan: Plan, number: int) -> str:
    shares: dict[str, float] = {}
    for goal in plan.goals_at(number).values():
        if goal.replicas and goal.share:
            for revision, part in _revisions(plan, number, goal).items():
                shares[revision] = shares.get(revision, 0) + goal.share * part
    total = sum(shares.values())
    ordered = sorted(shares.items(), key=lambda item: (item[0] == plan.target, item[0]))
    parts = [f"{percent(share, total)} {_version(plan, revision)}" for revision, share in ordered]
    return ", ".join(parts) or "none"


def _revisions(plan: Plan, number: int, goal: Goal) -> dict[str, float]:
    """Return what a cell runs at the end of a stage: revision → its part of the instances."""
    part = goal.in_place.changed / goal.replicas if goal.in_place is not None else 1.0
    if part == 1.0:
        return {goal.revision: 1.0}
    earlier = [plan.goals_at(stage).get(goal.cell) for stage in range(number - 1, -2, -1)]
    others = [one.revision for one in earlier if one is not None and one.revision != goal.revision]
    return {goal.revision: part, (others[0] if others else "before"): 1.0 - part}
