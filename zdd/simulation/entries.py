"""Looks at every entry of the simulated world's log in the moment in which it is made, and says what was broken."""

from __future__ import annotations

from zdd.adapters.memory import Blame, Entry, What
from zdd.model.cell import InstanceState
from zdd.model.plan import Plan
from zdd.model.service import Overlap
from zdd.reconciler.learn import EDGE_FOLLOWS_S
from zdd.simulation.invariants import Invariant
from zdd.simulation.process import Process
from zdd.simulation.trouble import SETTLES_S
from zdd.simulation.watch import UNNOTICED_S, Watch, weights_of


def happened(watch: Watch, entry: Entry) -> None:
    """Look at an entry of the world's log."""
    what = entry.what
    if what is What.CELL or what is What.STOPPING:
        _fenced(watch, entry)
    if what is What.COMMAND or what is What.CELL or what is What.IDLE:
        return
    if what in (What.CRASHED, What.HEALTH, What.FAILED, What.EDGE):
        _disturbed(watch, entry)
    if what is What.LOST:
        _lost(watch, entry)
    elif what is What.SENDING:
        _sending(watch, entry)
    elif what is What.LAUNCHED:
        _launched(watch, entry)
    elif what is What.REGISTERED:
        _share(watch)
    _measure(watch, entry)


def _fenced(watch: Watch, entry: Entry) -> None:
    """Check that no cell changes by a call of a deployer after a later one has claimed its place and looked."""
    now_s, latest = watch.world.clock.now(), watch.process
    if watch.caller is None or latest is None or not latest.looked or watch.by_hand_s == now_s:
        return
    process, called_s = watch.caller
    by_command = entry.what is What.CELL or _by_command(watch, entry.instance)
    if called_s == now_s and process.number < latest.number and by_command:
        watch.say(Invariant.FENCED, f"{entry.cell} is changed by a deployer after a later one took over")


def _disturbed(watch: Watch, entry: Entry) -> None:
    now_s = watch.world.clock.now()
    watch.disturbed_s = now_s
    if entry.what is What.EDGE:
        for known, begins, ends in (
            (watch.stuck, "stuck", "no longer stuck"),
            (watch.deaf, "cut off", "reconnected"),
        ):
            if entry.note == begins:
                known.setdefault(entry.edge, now_s)
            elif entry.note == ends:
                known.pop(entry.edge, None)
    if entry.what in (What.CRASHED, What.FAILED) and watch.stale:  # nobody can know that it will not serve
        watch.frozen.add(entry.instance)
        watch.died[entry.instance] = now_s
    process = watch.process
    if entry.instance and process is not None and not _rising(watch, process, entry.instance):
        process.old_died = True


def _measure(watch: Watch, entry: Entry) -> None:
    """See who serves no longer after an entry, and whether a command took away what the floor needs."""
    now_s = watch.world.clock.now()
    gone = {
        name for name in (entry.instance, *watch.sick_s) if name in watch.serving and not watch.serves_now(name, now_s)
    }
    watch.serving.difference_update(gone)
    if entry.instance and watch.serves_now(entry.instance, now_s):
        watch.serving.add(entry.instance)
    for name in gone:
        if _died(watch, name, entry, now_s):
            watch.died[name] = now_s
    process, name = watch.process, entry.instance
    command = entry.what is What.OUT or (entry.what is What.STOPPING and _by_command(watch, name))
    if command and name in gone and name not in watch.died and process is not None:
        left = len(watch.serving) + sum(1 for at_s in watch.died.values() if at_s > now_s - UNNOTICED_S)
        if process.plan is not None and left < min(process.plan.floor, left + 1) and not process.interfered:
            text = f"leaves {left}, the floor is {process.plan.floor}"
            watch.say(Invariant.CAPACITY, f"{name} is {entry.what.value}, which {text}")


def _died(watch: Watch, name: str, entry: Entry, now_s: float) -> bool:
    """Tell whether it was not a command that took an instance away, as far as its deployer can know."""
    instance = watch.world.cells.existing.get(name)
    if instance is None or entry.what is What.CRASHED or instance.state is InstanceState.FAILED:
        return True
    if instance.state is InstanceState.STOPPING and not instance.stopped_by_command:
        return True
    # It did not serve, and its deployer may not know yet that it does again.
    return name in watch.by_hand or not watch.long_well(name, now_s)


def _by_command(watch: Watch, name: str) -> bool:
    instance = watch.world.cells.existing.get(name)
    return instance is not None and instance.stopped_by_command


def _rising(watch: Watch, process: Process, name: str) -> bool:
    instance = watch.world.cells.existing.get(name)
    return process.plan is not None and instance is not None and instance.revision == process.plan.target


def _sending(watch: Watch, entry: Entry) -> None:
    if entry.instance not in watch.passed and entry.instance not in watch.by_hand:
        watch.say(Invariant.PROVEN, f"{entry.edge} sends to {entry.instance}, which never passed its gates")


def _launched(watch: Watch, entry: Entry) -> None:
    process = watch.process
    plan = process.plan if process is not None else None
    overlap = (plan.service if plan is not None else watch.service).overlap
    if overlap is Overlap.ALLOWED or (process is not None and process.interfered):
        return
    instances = watch.world.cells.existing
    others = [one.id for one in instances.values() if one.revision != instances[entry.instance].revision]
    if others:
        watch.say(Invariant.ONE_REVISION, f"{entry.instance} was launched beside {others[0]}")


def _lost(watch: Watch, entry: Entry) -> None:
    process = watch.process
    interfered = process is not None and process.interfered
    if entry.blame is Blame.WORLD or entry.instance in watch.by_hand:
        watch.world_losses += entry.requests
    elif entry.blame is Blame.ROUTED_BY_COMMAND:
        watch.say(Invariant.PROVEN, f"{entry.edge} was led to {entry.instance or entry.note}")
    elif entry.blame is Blame.GAP:
        taken_back = process is not None and process.plan is not None and not _shares(process.plan)
        if interfered:
            watch.world_losses += entry.requests
        elif not taken_back:
            watch.say(Invariant.HELD, f"{entry.edge} was left with nothing to send requests to")
    else:
        _stopped(watch, entry)


def _stopped(watch: Watch, entry: Entry) -> None:
    """Judge requests that were lost by a command to stop."""
    if _lost_edge(watch, entry.edge) or _changed_under_way(watch):
        watch.world_losses += entry.requests  # it neither follows nor can be asked; or it meant something else
    elif entry.instance not in watch.cut:
        watch.say(Invariant.DRAINED, f"{entry.instance} was stopped with {entry.requests} in flight, not on record")
    elif entry.out_for_s is None:
        watch.say(Invariant.DRAINED, f"{entry.instance} was stopped while {entry.edge} still sent requests to it")
    elif entry.edge not in watch.stuck and entry.out_for_s < watch.service.drain_deadline_s - watch.lags_s():
        watch.say(Invariant.DRAINED, f"{entry.instance} was cut after {entry.out_for_s:.2f} s")


def _lost_edge(watch: Watch, edge: str) -> bool:
    """Tell whether an edge can't be asked, and does not follow within the time in which an edge must."""
    now_s = watch.world.clock.now()
    since_s = watch.stuck.get(edge, now_s)
    return edge in watch.deaf and edge in watch.stuck and now_s - since_s + watch.lags_s() >= EDGE_FOLLOWS_S


def _changed_under_way(watch: Watch) -> bool:
    """Tell whether a person changed something after a request was sent that may take effect only now."""
    process = watch.process
    if process is None or watch.world.clock.now() > process.in_doubt_s:
        return False
    return watch.by_hand_s >= process.in_doubt_s - SETTLES_S


def _share(watch: Watch) -> None:
    """Check a canary's share, as discovery is told: never above that of any stage up to the present one.

    What an earlier deployer told a slow discovery is judged by that one's plan.
    """
    registrations, _ = watch.world.registered(watch.service.name)
    process = watch.routed.get(weights_of(registrations), watch.process)
    if process is None or process.plan is None or not process.plan.strategy.startswith("Canary"):
        return
    if not process.forward or process.old_died or process.interfered:
        return
    plan, rising, falling = process.plan, 0, 0
    for one in registrations:
        if one.revision == plan.target:
            rising += one.weight if one.instance in watch.world.cells.existing else 0
        else:
            falling += one.weight
    if not rising or not falling:
        return
    allowed = max(_percent(plan, number) for number in range(-1, process.stage + 1))
    whole = _whole(plan, min(process.stage, len(plan.stages) - 1))
    share = 100 * rising / max(rising + falling, whole)  # what the others lack is not the canary's doing
    if share > allowed + 0.1 and not _too_large(watch, process, plan):
        watch.say(Invariant.CANARY, f"it has {share:.2f} % in stage {process.stage + 1} of {allowed:.2f} %")


def _too_large(watch: Watch, process: Process, plan: Plan) -> bool:
    """Tell whether a person made a cell of the canary too large: another one serves before it can be drained."""
    sizes = {cell.name: cell.replicas for cell in watch.world.cells.observe(watch.service.name)}
    goals = plan.goals_at(min(process.stage, len(plan.stages) - 1)).values()
    return any(goal.revision == plan.target and sizes.get(goal.cell, 0) > goal.replicas > 0 for goal in goals)


def _whole(plan: Plan, stage: int) -> int:
    return sum(goal.share for goal in plan.goals_at(stage).values())


def _shares(plan: Plan) -> bool:
    return any(goal.share for goal in plan.goals_at(len(plan.stages)).values())


def _percent(plan: Plan, stage: int) -> float:
    goals = plan.goals_at(stage).values()
    total = sum(goal.share for goal in goals)
    return 100 * sum(goal.share for goal in goals if goal.revision == plan.target) / total if total else 100.0
