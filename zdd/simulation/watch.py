"""Looks at everything that happens in a simulated world in the moment in which it happens, and says what was broken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from zdd.adapters.memory import Blame, Entry, MemoryInstance, MemoryWorld, What
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
from zdd.model.cell import InstanceState
from zdd.model.evolve import evolve
from zdd.model.plan import Direction, Plan
from zdd.model.service import Overlap, Service
from zdd.model.verdict import Result
from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.surroundings import StageGate
from zdd.simulation.trouble import SETTLES_S

UNNOTICED_S = 36.0
"""For how long an instance may be sick unnoticed: a proof counts for 30 s, and three looks make a verdict."""


@frozen(slots=False)
class Look:
    """What was true when a deployer looked last.

    Attributes:
        at_s: When.
        surely: Instances that served, and had been well for long enough for everybody to know.
        maybe: Those that served as far as anybody could know.
        weights: Instance → weight, as discovery knew it.
        deaf: Edge → since when it could not be asked.
        held: Whether discovery held requests back.
        stale: The orchestrator showed an old list, or one that lacked an instance.
        sizes: Cell → how many instances it may come to have, with what was told to start since.
    """

    at_s: float
    surely: frozenset[str]
    maybe: frozenset[str]
    weights: Mapping[str, int]
    deaf: Mapping[str, float]
    held: bool
    stale: bool
    sizes: Mapping[str, int]


@define(eq=False)
class Process:
    """A deployer's process, as the watch knows it.

    Attributes:
        number: The later one has the greater.
        plan: What it follows now.
        stage: In which stage it is.
        passed: How many stages have passed.
        look: What it could see last.
        in_doubt_s: Until when a request of its may still take effect.
        told: Cell, or nothing for discovery → the last command and when it was sent.
        plans: Every plan that it began.
        events: Everything it said.
        stale: For its next looks, what the orchestrator shows instead.
        interfered: A person changed something since its plan began.
        looked: It has claimed its place, and looked.
        back: It takes a deployment back.
        ordered_pause: It was paused by an order, and not resumed yet.
        unwritten: It has heard that an event may not be written down.
    """

    number: int
    plan: Plan | None = None
    stage: int = 0
    passed: int = 0
    look: Look | None = None
    in_doubt_s: float = 0.0
    told: dict[str, tuple[object, float]] = field(factory=dict)
    plans: list[Plan] = field(factory=list)
    events: list[Event] = field(factory=list)
    last_key: str = ""
    commands: int = 0
    interfered: bool = False
    back: bool = False
    ordered_pause: bool = False
    unwritten: bool = False
    old_died: bool = False
    claimed: bool = False
    looked: bool = False
    killed: bool = False
    ended: bool = False
    paused_s: float = 0.0

    @property
    def forward(self) -> bool:
        """Whether its plan goes forward."""
        return self.plan is not None and self.plan.direction is Direction.FORWARD


@define(eq=False)
class Watch:
    """Looks at every entry of the world's log, and at every event of every deployer.

    Attributes:
        caller: Whose call changes something now, and when it was made.
        passed: The instances of which their gate ever said yes.
        stage_says: What the gates of the stages said last, by gate.
        cut: The instances that are on record as cut.
        by_hand: The instances that a person registered.
        by_hand_s: When a person changed something last.
        stale: The orchestrator shows what ran at `stale_s`.
        violations: What was broken.
        marks: What happened at least once.
        world_losses: How many requests the world or a person lost.
    """

    world: MemoryWorld
    service: Service
    began_s: float
    check_command: Callable[[Watch, Process, object], None]
    process: Process | None = None
    caller: tuple[Process, float] | None = None
    passed: set[str] = field(factory=set)
    cut: set[str] = field(factory=set)
    by_hand: set[str] = field(factory=set)
    sick_s: dict[str, float] = field(factory=dict)
    died: dict[str, float] = field(factory=dict)
    serving: set[str] = field(factory=set)
    disturbed_s: float = 0.0
    by_hand_s: float = -math.inf
    stuck: dict[str, float] = field(factory=dict)
    deaf: dict[str, float] = field(factory=dict)
    stale: bool = False
    stale_s: float = 0.0
    frozen: set[str] = field(factory=set)
    violations: list[Violation] = field(factory=list)
    marks: set[str] = field(factory=set)
    world_losses: int = 0
    commands: int = 0

    def say(self, invariant: Invariant, text: str) -> None:
        """Write down that a rule was broken."""
        self.violations.append(Violation(invariant, self.world.clock.now() - self.began_s, text))

    # -- the world --------------------------------------------------------------------------------------------------

    def happened(self, entry: Entry) -> None:
        """Look at an entry of the world's log."""
        what = entry.what
        if what is What.CELL or what is What.STOPPING:
            self._fenced(entry)
        if what is What.COMMAND or what is What.CELL or what is What.IDLE:
            return
        if what in (What.CRASHED, What.HEALTH, What.FAILED, What.EDGE):
            self._disturbed(entry)
        if what is What.LOST:
            self._lost(entry)
        elif what is What.SENDING:
            self._sending(entry)
        elif what is What.LAUNCHED:
            self._launched(entry)
        elif what is What.REGISTERED:
            self._share()
        self._measure(entry)

    def _fenced(self, entry: Entry) -> None:
        """Check that no cell changes by a call of a deployer after a later one has claimed its place and looked."""
        now_s, latest = self.world.clock.now(), self.process
        if self.caller is None or latest is None or not latest.looked or self.by_hand_s == now_s:
            return
        process, called_s = self.caller
        by_command = entry.what is What.CELL or self._by_command(entry.instance)
        if called_s == now_s and process.number < latest.number and by_command:
            self.say(Invariant.FENCED, f"{entry.cell} is changed by a deployer after a later one took over")

    def _disturbed(self, entry: Entry) -> None:
        now_s = self.world.clock.now()
        self.disturbed_s = now_s
        if entry.what is What.EDGE:
            for known, begins, ends in (
                (self.stuck, "stuck", "no longer stuck"),
                (self.deaf, "cut off", "reconnected"),
            ):
                if entry.note == begins:
                    known.setdefault(entry.edge, now_s)
                elif entry.note == ends:
                    known.pop(entry.edge, None)
        if entry.what is What.CRASHED and self.stale:
            self.frozen.add(entry.instance)
        process = self.process
        if entry.instance and process is not None and not self._rising(process, entry.instance):
            process.old_died = True

    def _measure(self, entry: Entry) -> None:
        """See who serves no longer after an entry, and whether a command took away what the floor needs."""
        now_s = self.world.clock.now()
        gone = {
            name for name in (entry.instance, *self.sick_s) if name in self.serving and not self._serves(name, now_s)
        }
        self.serving.difference_update(gone)
        if entry.instance and self._serves(entry.instance, now_s):
            self.serving.add(entry.instance)
        for name in gone:
            if self._died(name, entry, now_s):
                self.died[name] = now_s
        process, name = self.process, entry.instance
        command = entry.what is What.OUT or (entry.what is What.STOPPING and self._by_command(name))
        if command and name in gone and name not in self.died and process is not None:
            left = len(self.serving) + sum(1 for at_s in self.died.values() if at_s > now_s - UNNOTICED_S)
            if process.plan is not None and left < min(process.plan.floor, left + 1) and not process.interfered:
                text = f"leaves {left}, the floor is {process.plan.floor}"
                self.say(Invariant.CAPACITY, f"{name} is {entry.what.value}, which {text}")

    def _died(self, name: str, entry: Entry, now_s: float) -> bool:
        """Tell whether it was not a command that took an instance away, as far as its deployer can know."""
        instance = self.world.cells.existing.get(name)
        if instance is None or entry.what is What.CRASHED or instance.state is InstanceState.FAILED:
            return True
        if instance.state is InstanceState.STOPPING and not instance.stopped_by_command:
            return True
        # It did not serve, and its deployer may not know yet that it does again.
        return name in self.by_hand or not self._long_well(name, now_s)

    def serves(self, now_s: float) -> set[str]:
        """Return the instances that serve as far as anybody can know."""
        for name in self.sick_s:  # what happens to an instance is in the log; that it has been sick for long is not
            if name in self.serving and not self._serves(name, now_s):
                self.serving.discard(name)
            elif name not in self.serving and self._serves(name, now_s):
                self.serving.add(name)
        return self.serving

    def _serves(self, name: str, now_s: float) -> bool:
        one = self.world.cells.existing.get(name)
        if one is None or one.state is not InstanceState.READY:
            return False
        if not self.service.exposures:
            return True  # nobody asks a worker how it is
        return not self._long_sick(one, now_s) and len(one.edges) >= len(self.world.edges)

    def _long_sick(self, one: MemoryInstance, now_s: float) -> bool:
        """Tell whether it was sick for so long that everybody knows; note since when it is sick, or well again."""
        since_s = self.sick_s.get(one.id, 0.0)
        if one.truly_healthy:
            if since_s > 0:
                self.sick_s[one.id] = -now_s
            return False
        if since_s <= 0:
            since_s = self.sick_s[one.id] = self.disturbed_s = now_s
        return since_s <= now_s - UNNOTICED_S

    def _by_command(self, name: str) -> bool:
        instance = self.world.cells.existing.get(name)
        return instance is not None and instance.stopped_by_command

    def _rising(self, process: Process, name: str) -> bool:
        instance = self.world.cells.existing.get(name)
        return process.plan is not None and instance is not None and instance.revision == process.plan.target

    def _sending(self, entry: Entry) -> None:
        if entry.instance not in self.passed and entry.instance not in self.by_hand:
            self.say(Invariant.PROVEN, f"{entry.edge} sends to {entry.instance}, which never passed its gates")

    def _launched(self, entry: Entry) -> None:
        process = self.process
        plan = process.plan if process is not None else None
        overlap = (plan.service if plan is not None else self.service).overlap
        if overlap is Overlap.ALLOWED or (process is not None and process.interfered):
            return
        instances = self.world.cells.existing
        others = [one.id for one in instances.values() if one.revision != instances[entry.instance].revision]
        if others:
            self.say(Invariant.ONE_REVISION, f"{entry.instance} was launched beside {others[0]}")

    def _lost(self, entry: Entry) -> None:
        process = self.process
        interfered = process is not None and process.interfered
        if entry.blame is Blame.WORLD or entry.instance in self.by_hand:
            self.world_losses += entry.requests
        elif entry.blame is Blame.ROUTED_BY_COMMAND:
            self.say(Invariant.PROVEN, f"{entry.edge} was led to {entry.instance or entry.note}")
        elif entry.blame is Blame.GAP:
            taken_back = process is not None and process.plan is not None and not _shares(process.plan)
            if interfered:
                self.world_losses += entry.requests
            elif not taken_back:
                self.say(Invariant.HELD, f"{entry.edge} was left with nothing to send requests to")
        else:
            self._stopped(entry)

    def _stopped(self, entry: Entry) -> None:
        """Judge requests that were lost by a command to stop."""
        if (entry.edge in self.stuck and entry.edge in self.deaf) or self._changed_under_way():
            self.world_losses += entry.requests  # it neither follows nor can be asked; or it meant something else
        elif entry.instance not in self.cut:
            self.say(Invariant.DRAINED, f"{entry.instance} was stopped with {entry.requests} in flight, not on record")
        elif entry.out_for_s is None:
            self.say(Invariant.DRAINED, f"{entry.instance} was stopped while {entry.edge} still sent requests to it")
        elif entry.edge not in self.stuck and entry.out_for_s < self.service.drain_deadline_s - self._lags_s():
            self.say(Invariant.DRAINED, f"{entry.instance} was cut after {entry.out_for_s:.2f} s")

    def _changed_under_way(self) -> bool:
        """Tell whether a person changed something after a request was sent that may take effect only now."""
        process = self.process
        if process is None or self.world.clock.now() > process.in_doubt_s:
            return False
        return self.by_hand_s >= process.in_doubt_s - SETTLES_S

    def _lags_s(self) -> float:
        return max([edge.lag_s or 0.0 for edge in self.world.edges]) + self.world.discovery_lag_s

    def _share(self) -> None:
        """Check a canary's share, as discovery is told: never above that of any stage up to the present one."""
        process = self.process
        if process is None or process.plan is None or not process.plan.strategy.startswith("Canary"):
            return
        if not process.forward or process.old_died or process.interfered:
            return
        plan, rising, falling = process.plan, 0, 0
        for one in self.world.registered(self.service.name)[0]:
            if one.revision == plan.target:
                rising += one.weight if one.instance in self.world.cells.existing else 0
            else:
                falling += one.weight
        if not rising or not falling:
            return
        allowed = max(_percent(plan, number) for number in range(-1, process.stage + 1))
        whole = sum(goal.share for goal in plan.goals_at(min(process.stage, len(plan.stages) - 1)).values())
        share = 100 * rising / max(rising + falling, whole)  # what the others lack is not the canary's doing
        if share > allowed + 0.1 and not self._too_large(process, plan):
            self.say(Invariant.CANARY, f"it has {share:.2f} % in stage {process.stage + 1} of {allowed:.2f} %")

    def _too_large(self, process: Process, plan: Plan) -> bool:
        """Tell whether a person made a cell of the canary too large: another one serves before it can be drained."""
        sizes = {cell.name: cell.replicas for cell in self.world.cells.observe(self.service.name)}
        goals = plan.goals_at(min(process.stage, len(plan.stages) - 1)).values()
        return any(goal.revision == plan.target and sizes.get(goal.cell, 0) > goal.replicas > 0 for goal in goals)

    # -- the deployers ------------------------------------------------------------------------------------------------

    def looked(self, process: Process, *, wrong_list: bool = False) -> None:
        """A deployer is about to ask what runs: note what it can see."""
        now_s = self.world.clock.now()
        maybe = frozenset(self.serves(now_s))
        surely = frozenset(name for name in maybe if self._long_well(name, now_s))
        registrations, held = self.world.registered(self.service.name)
        weights = {one.instance: one.weight for one in registrations}
        if self.stale:
            maybe |= self.frozen
        sizes = {cell.name: cell.size for cell in self.world.cells.observe(self.service.name)}
        process.look = Look(now_s, surely, maybe, weights, dict(self.deaf), held, self.stale or wrong_list, sizes)
        plan = process.plan
        if plan is not None and process is self.process and not process.interfered:
            staying = sum(1 for one in self.world.cells.existing.values() if one.state is not InstanceState.STOPPING)
            if staying > plan.ceiling:
                self.say(Invariant.CEILING, f"{staying} instances exist, the ceiling is {plan.ceiling}")

    def looked_at_traffic(self, process: Process) -> None:
        """A deployer is about to ask discovery or an edge, perhaps long after it asked what runs."""
        if process.look is not None and process.look.at_s < self.world.clock.now():
            registrations, held = self.world.registered(self.service.name)
            weights = {one.instance: one.weight for one in registrations}
            maybe = process.look.maybe | self.serves(self.world.clock.now())
            process.look = evolve(process.look, maybe=maybe, weights=weights, deaf=dict(self.deaf), held=held)

    def _long_well(self, name: str, now_s: float) -> bool:
        since_s = self.sick_s.get(name)
        return since_s is None or (since_s < 0 and -since_s <= now_s - UNNOTICED_S)

    def heard(self, process: Process, event: Event) -> None:
        """Look at an event of a deployer."""
        process.events.append(event)
        match event:
            case DeploymentStarted(plan=plan):
                self._started(process, plan)
            case StageEntered(stage=stage):
                process.stage = stage
            case StagePassed(stage=stage):
                self._passed(process, stage)
            case CommandIntended(command=command):
                self.commands += 1
                process.commands += 1
                self.marks.add(f"command {type(command).__name__.lower()}")
                self.check_command(self, process, command)
            case CommandAnswered(unknown=True, at_s=at_s):
                process.in_doubt_s = at_s + SETTLES_S
                self.marks.add("a request without an answer")
            case CommandAnswered(error=error) if error:
                process.told.pop(process.last_key, None)  # nothing was changed: it may be sent again
            case CommandAnswered():
                if self.process is not None and self.process.number > process.number and self.process.events:
                    self.say(Invariant.FENCED, "a command of a deployer was accepted after a later one took over")
            case InstanceMoved(moment=moment, instance=name):
                if moment is Moment.CUT:
                    self.cut.add(name)

    def note_interference(self, process: Process) -> None:
        """Note that what a person changed while a process was at work, or just before it began, may show only now."""
        hidden = self.stale and self.by_hand_s >= self.stale_s
        if hidden or self.world.clock.now() <= self.by_hand_s + self._lags_s():
            process.interfered = True

    def _passed(self, process: Process, stage: int) -> None:
        process.passed = stage + 1
        for gate in process.plan.stages[stage].gates if process.plan else ():
            if isinstance(gate, StageGate) and gate.says is not Result.PASSED:
                self.say(Invariant.CANARY, f"stage {stage + 1} passed, though its gate {gate}")

    def _started(self, process: Process, plan: Plan) -> None:
        before = process.plans[0] if process.plans else None
        process.plans.append(plan)
        process.plan, process.stage, process.passed = plan, 0, 0
        self.note_interference(process)
        process.told.clear()
        instances = self.world.cells.existing.values()
        process.old_died = not all(one.ready and one.truly_healthy for one in instances)
        self.process = process
        if len(process.plans) > 2 or (len(process.plans) == 2 and plan.direction is Direction.FORWARD):
            self.say(Invariant.ROLLBACK_MEANS, f"plan number {len(process.plans)} in one deployment")
        serving = sum(goal.replicas for goal in plan.origin if goal.share)
        stated = plan.service if plan.stated is not None else self.service  # what stops everything keeps no floor
        agreed = min(stated.agreed_floor, serving, self.service.replicas)
        if plan.direction is Direction.FORWARD and plan.floor < agreed:
            self.say(Invariant.COMMAND_KEEPS_FLOOR, f"a plan has the floor {plan.floor}, {agreed} was agreed")
        if before is not None and plan.direction is Direction.BACK:
            known = {goal.revision for goal in before.retreat if goal.replicas}
            wanted = {goal.revision for goal in plan.goals_at(len(plan.stages)).values() if goal.replicas}
            if before.target in wanted and before.target not in known:
                self.say(Invariant.ROLLBACK_MEANS, f"going back from {before.target} leads to it")


def _shares(plan: Plan) -> bool:
    return any(goal.share for goal in plan.goals_at(len(plan.stages)).values())


def _percent(plan: Plan, stage: int) -> float:
    goals = plan.goals_at(stage).values()
    total = sum(goal.share for goal in goals)
    return 100 * sum(goal.share for goal in goals if goal.revision == plan.target) / total if total else 100.0


def staying(world: MemoryWorld, cell: str) -> list[MemoryInstance]:
    """Return the instances of a cell that were not told to stop."""
    return [
        one for one in world.cells.existing.values() if one.cell == cell and one.state is not InstanceState.STOPPING
    ]
