"""What must hold at every moment of any deployment in any world: drawn lives of a service, watched entry by entry.

``ZDD_EXAMPLES=5000 pytest tests/deployments/test_invariants.py`` draws that many lives instead of a few, and other ones
each time. A life that breaks a rule is printed whole, and is the same again when it is played again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import define, field, frozen
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from zdd.adapters.memory import Behaviour, Blame, Entry, Fault, HealthyGate, MemoryInstance, MemoryWorld, What
from zdd.errors import AdapterError, DeploymentError
from zdd.events import CommandAnswered, CommandIntended, DeploymentStarted, Event, Outcome, StageEntered
from zdd.model.gate import Target
from zdd.model.plan import Plan
from zdd.model.release import Release
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.verdict import Result, Sample, Verdict
from zdd.report import Report
from zdd.status import Status, fold
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

EXAMPLES = int(os.environ.get("ZDD_EXAMPLES", "0"))

UNNOTICED_S = 36.0
"""For how long what the world broke may go unnoticed: a proof counts for 30 s, and three looks make a verdict."""

HEALTHY = Behaviour(startup_s=1.0)


# -- what is drawn ----------------------------------------------------------------------------------------------------


@frozen
class Happening:
    """Something the world does, so many seconds after a deployment began, for a while."""

    after_s: float
    what: str
    number: int = 0
    for_s: float = 0.0
    fault: Fault | None = None


@frozen
class Step:
    """One deployment of a life."""

    version: str
    behaviour: Behaviour
    strategy: Any
    happenings: tuple[Happening, ...]


@frozen
class Life:
    """A service, its world, and what is done to both."""

    service: Service
    edge_lags_s: tuple[float, ...]
    discovery_lag_s: float
    steps: tuple[Step, ...]


@frozen
class Says:
    """A stage's gate that says one thing."""

    result: Result
    deadline_s: float | None = 5.0
    interval_s: float = 1.0

    def __str__(self) -> str:
        return f"says {self.result.value}"

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Target) -> Sample:
        return Sample(self.result, "as it was told")

    def judge(self, samples: Any) -> Verdict:
        return Verdict(samples[-1].result if samples else Result.INCONCLUSIVE, "as it was told")


def seconds(*choices: float) -> st.SearchStrategy[float]:
    return st.sampled_from(choices)


BEHAVIOURS = st.one_of(
    st.builds(Behaviour, startup_s=seconds(0.5, 1, 4), stop_s=seconds(0.1, 3), request_s=seconds(0.2, 2, 20)),
    st.builds(Behaviour, startup_s=seconds(0.5, 8, 40), long_connections=st.integers(0, 1)),
    st.sampled_from(
        [
            Behaviour(never_ready=True),
            Behaviour(healthy=False),
            Behaviour(hangs=True),
            Behaviour(crashes_after_s=0.5),
            Behaviour(crashes_after_s=3),
            Behaviour(crashes_after_s=25),
            Behaviour(fails_after_s=4),
            Behaviour(errors_under_traffic=True),
        ]
    ),
)

GATES = st.sampled_from([(), (), (), *((Says(result),) for result in Result)])

STRATEGIES: st.SearchStrategy[Any] = st.one_of(
    st.builds(RollingUpdate, hold_s=seconds(0, 2), gates=GATES, on_failure=st.sampled_from(["retreat", "freeze"])),
    st.builds(BlueGreen, seconds(0, 4), gates=GATES),
    st.builds(Canary, st.sampled_from([(5, 25, 50, 100), (100,), (1, 100), (30, 60, 100)]), hold_s=seconds(0, 3)),
)

FAULTS = st.one_of(
    st.builds(
        Fault,
        st.sampled_from(
            ["", "launch", "change", "scale", "retire", "apply", "observe", "registrations", "view", "claim"]
        ),
        kind=st.sampled_from(["temporary", "permanent"]),
    ),
    st.builds(
        Fault,
        st.sampled_from(["launch", "change", "scale", "retire", "apply"]),
        kind=st.just("unknown"),
        applied_after_s=st.sampled_from([None, 0.0, 0.5, 4.0]),
        settles_within_s=st.just(5.0),
    ),
)

HAPPENINGS = st.one_of(
    st.builds(Happening, seconds(0, 0.5, 1.5, 3, 7), st.just("fault"), fault=FAULTS),
    st.builds(
        Happening,
        seconds(0, 0.5, 1.2, 2, 3, 5, 9, 14),
        st.sampled_from(["kill", "kill", "sick", "cut off", "stick", "reload", "freeze lists"]),
        st.integers(0, 7),
        seconds(0.3, 2, 9),
    ),
)


@st.composite
def services(draw: st.DrawFn) -> Service:
    replicas = draw(st.integers(1, 8))
    overlap = draw(st.sampled_from([Overlap.ALLOWED, Overlap.ALLOWED, Overlap.FORBIDDEN]))
    floor = None if overlap is Overlap.FORBIDDEN else draw(st.one_of(st.none(), st.integers(0, replicas)))
    return Service(
        "web",
        replicas=replicas,
        floor=floor,
        cells=draw(st.integers(1, replicas)),
        overlap=overlap,
        exposures=draw(st.sampled_from([(Exposure(),)] * 3 + [(), (Exposure(), Exposure("admin"))])),
        start_deadline_s=draw(seconds(5, 15)),
        drain_deadline_s=draw(seconds(2, 8)),
        stop_grace_s=draw(seconds(1, 5)),
        settle_s=draw(seconds(0, 0, 2)),
    )


@st.composite
def lives(draw: st.DrawFn) -> Life:
    service = draw(services())
    strategies = st.just(Recreate()) if service.overlap is Overlap.FORBIDDEN else STRATEGIES
    behaviours = {"1.0": HEALTHY, "2.0": draw(BEHAVIOURS), "3.0": draw(BEHAVIOURS)}
    versions = draw(
        st.sampled_from([["1.0", "2.0"], ["1.0", "2.0", "3.0"], ["2.0", "1.0"], ["1.0", "2.0", "1.0", "3.0"]])
    )
    steps = [
        Step(version, behaviours[version], draw(strategies), tuple(draw(st.lists(HAPPENINGS, max_size=3))))
        for version in versions
    ]
    lags_s = draw(st.lists(seconds(0, 0.1, 1.5), min_size=1, max_size=2))
    return Life(service, tuple(lags_s), draw(seconds(0, 0, 0.3, 2)), tuple(steps))


# -- what is watched --------------------------------------------------------------------------------------------------


@frozen
class Looking:
    """The gate of the world's health, which tells the watch what it said."""

    world: MemoryWorld
    passed: set[str] = field(repr=False)
    interval_s: float = 0.5
    deadline_s: float | None = None

    def __str__(self) -> str:
        return "is healthy"

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Target) -> Sample:
        sample = HealthyGate(self.world).sample(target)
        if sample.result is Result.PASSED:
            self.passed.add(target.instance)
        return sample

    def judge(self, samples: Any) -> Verdict:
        return HealthyGate(self.world).judge(samples)


@define
class Watch:
    """Looks at every entry of the world's log in the moment in which it happens, and says which rule was broken.

    Attributes:
        plan: The plan that is followed now.
        passed: The instances of which a gate ever said yes.
        sick_s: Instance → since when it does not answer as it should, by the world's doing.
        died: What served when the world ended it → when.
        disturbed_s: When the world did something last.
        broken: Which rules were broken, in words.
    """

    world: MemoryWorld
    service: Service
    plan: Plan | None = None
    passed: set[str] = field(factory=set)
    sick_s: dict[str, float] = field(factory=dict)
    died: dict[str, float] = field(factory=dict)
    serving: set[str] = field(factory=set)
    disturbed_s: float = 0.0
    deployment_began_s: float = 0.0
    old_died: bool = False
    stage: int = 0
    broken: list[str] = field(factory=list)

    def hear(self, event: Event) -> None:
        if isinstance(event, DeploymentStarted):
            self.plan = event.plan
        if isinstance(event, StageEntered):
            self.stage = event.stage

    def look(self, entry: Entry) -> None:
        now_s = self.world.clock.now()
        if entry.what in (What.CRASHED, What.HEALTH, What.FAILED, What.EDGE):
            self.disturbed_s = now_s
            self.old_died = self.old_died or (bool(entry.instance) and not self._rising(entry.instance))
        was_sick = entry.instance in self.sick_s
        serves = self._serves(now_s)
        for name in self.serving - serves:
            instance = self.world.cells.existing.get(name)
            if instance is None or entry.what is What.CRASHED or instance.state.value == "failed":
                self.died[name] = now_s
        known = len(serves) + sum(1 for at_s in self.died.values() if at_s > now_s - UNNOTICED_S)
        floor = self.plan.floor if self.plan is not None else 0
        by_command = entry.what is What.OUT or (entry.what is What.STOPPING and self._stopped_by_command(entry))
        if by_command and entry.instance in self.serving and not was_sick and known < floor:
            self._say(f"{entry.what.value} of {entry.instance} leaves {known}, floor {floor}")
        if entry.what is What.SENDING and entry.instance not in self.passed and self.service.exposures:
            self._say(f"{entry.edge} sends to {entry.instance}, which never passed its gate")
        if entry.what is What.REGISTERED:
            self._share()
        self.serving = serves

    def _serves(self, now_s: float) -> set[str]:
        found = set()
        for one in self.world.instances(self.service.name):
            if not one.ready or (self.service.exposures and not self._sent(one)):
                continue
            if not one.truly_healthy:
                since_s = self.sick_s.setdefault(one.id, now_s)
                if since_s == now_s:
                    self.disturbed_s = now_s
                if since_s <= now_s - UNNOTICED_S:
                    continue
            else:
                self.sick_s.pop(one.id, None)
            found.add(one.id)
        return found

    def _sent(self, one: MemoryInstance) -> bool:
        return len(one.edges) == len(self.world.edges)

    def _stopped_by_command(self, entry: Entry) -> bool:
        instance = self.world.cells.existing.get(entry.instance)
        return instance is not None and instance.stopped_by_command

    def _rising(self, name: str) -> bool:
        instance = self.world.cells.existing.get(name)
        return self.plan is not None and instance is not None and instance.revision == self.plan.target

    def _share(self) -> None:
        """Check a canary's share, as discovery is told: never above that of any stage up to the present one."""
        plan = self.plan
        if plan is None or not plan.strategy.startswith("Canary") or plan.direction.value == "back" or self.old_died:
            return
        weights: dict[bool, int] = {True: 0, False: 0}
        for one in self.world.registered(self.service.name)[0]:
            weights[one.revision == plan.target] += one.weight
        if not weights[False] or not weights[True]:
            return
        stage = self.stage
        allowed = max(_percent(plan, number) for number in range(-1, stage + 1))
        share = 100 * weights[True] / sum(weights.values())
        if share > allowed + 0.1:
            self._say(f"the canary has {share:.2f} % at stage {stage} of {allowed:.2f} %")

    def calls(self) -> None:
        """Look between two calls: a change starts the new instances and stops the old ones in one call."""
        if self.plan is None:
            return
        staying = sum(1 for one in self.world.instances(self.service.name) if one.state.value != "stopping")
        if staying > self.plan.ceiling:
            self._say(f"{staying} instances exist, the ceiling is {self.plan.ceiling}")

    def _say(self, text: str) -> None:
        self.broken.append(f"at {self.world.clock.now() - self.deployment_began_s:.2f} s: {text}")


def _percent(plan: Plan, stage: int) -> float:
    goals = plan.goals_at(stage).values()
    total = sum(goal.share for goal in goals)
    return 100 * sum(goal.share for goal in goals if goal.revision == plan.target) / total if total else 100.0


# -- how a life is played ---------------------------------------------------------------------------------------------


@define
class Play:
    """Plays a life: deploys what it says, lets happen what it says, and checks every end."""

    life: Life
    scene: Any
    watch: Watch = field(init=False)
    faults: list[Fault] = field(factory=list)
    loose: list[Callable[[], None]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.watch = Watch(self.scene.world, self.life.service)
        self.scene.world.observe_changes(self.watch.look)
        counted = self.scene.world.intercept

        def intercept(method: str, service: str) -> Fault | None:
            self.watch.calls()
            counted(method, service)
            fault = next((one for one in self.faults if one.matches(method, service)), None)
            if fault is not None:
                self.faults.remove(fault)
            return fault

        self.scene.world.intercept = intercept

    # -- the world's part

    def schedule(self, happening: Happening) -> None:
        self.scene.after_s(happening.after_s, partial(self._happens, happening))

    def _happens(self, happening: Happening) -> None:
        world, number = self.scene.world, happening.number
        self.watch.disturbed_s = world.clock.now()
        instances = world.instances()
        edge = world.edges[number % len(world.edges)]
        match happening.what:
            case "fault":
                self.faults.append(happening.fault)
            case "kill" if instances:
                world.kill(instances[number % len(instances)].id)
            case "sick" if instances:
                sick = instances[number % len(instances)].id
                world.mark(sick, healthy=False)
                self._later(happening, partial(self._well, sick))
            case "cut off":
                edge.cut_off()
                self._later(happening, edge.reconnect)
            case "stick":
                edge.stick()
                self._later(happening, edge.loosen)
            case "reload":
                edge.reload(happening.for_s)
            case "freeze lists":
                world.freeze_lists()
                self._later(happening, self._thaw)

    def _later(self, happening: Happening, undo: Callable[[], None]) -> None:
        def once() -> None:
            if undo in self.loose:
                self.loose.remove(undo)
                self.watch.disturbed_s = self.scene.world.clock.now()
                undo()

        self.loose.append(undo)
        self.scene.after_s(happening.for_s, once)

    def _well(self, name: str) -> None:
        if name in self.scene.world.cells.existing:
            self.scene.world.mark(name, healthy=True)

    def _thaw(self) -> None:
        self.scene.world.thaw_lists()

    # -- the deployer's part

    def deploy(self, step: Step) -> Report | None:
        """Deploy it; return the report, or None if the world could not be seen and nothing was touched."""
        scene, watch = self.scene, self.watch
        scene.events.clear()
        scene.calls, watch.stage = 0, 0
        watch.old_died = not all(one.truly_healthy and one.ready for one in scene.world.instances())
        watch.deployment_began_s = began_s = scene.world.clock.now()
        for happening in step.happenings:
            self.schedule(happening)
        deployer = scene.deployer(Looking(scene.world, watch.passed), watch.hear)
        lost_before = len(scene.world.log)
        try:
            report = deployer.deploy(self.life.service, Release(step.version, step.behaviour), step.strategy)
        except DeploymentError as error:
            report = error.report
            watch.broken += [] if error.next_steps else ["an error without next steps"]
        except AdapterError:
            sent = [event for event in scene.events if isinstance(event, CommandIntended)]
            assert not sent
            return None
        finally:
            broken, watch.broken = watch.broken, []
        assert not broken, broken
        self.check_events(report)
        self.check_time(report, began_s)
        self.check_losses(report, scene.world.log[lost_before:])
        assert scene.lease.holder("web") is None
        if report.outcome in (Outcome.SUCCEEDED, Outcome.ROLLED_BACK):
            self.check_end(report)
        return report

    def check_events(self, report: Report) -> None:
        events = self.scene.events
        status = Status()
        for event in events:
            status = status.after(event)
        assert status == fold(report.events)
        assert status.outcome is report.outcome
        intended = [event.number for event in events if isinstance(event, CommandIntended)]
        answered = [event.number for event in events if isinstance(event, CommandAnswered)]
        assert intended == sorted(set(intended))
        assert answered == intended

    def check_time(self, report: Report, began_s: float) -> None:
        """Check that it ended within the deadlines of its own plans."""
        service, allowed_s = self.life.service, 30.0
        for event in report.events:
            if isinstance(event, DeploymentStarted):
                allowed_s += sum(stage.deadline_s for stage in event.plan.stages) + 30.0
                allowed_s += service.drain_deadline_s + service.stop_grace_s + service.settle_s
        assert self.scene.world.clock.now() - began_s <= allowed_s

    def check_losses(self, report: Report, log: tuple[Entry, ...]) -> None:
        """Check that nothing was lost by a command but what was cut after its drain deadline, and is in the report."""
        service = self.life.service
        lag_s = max(self.life.edge_lags_s) + self.life.discovery_lag_s
        for entry in log:
            if entry.what is not What.LOST or entry.blame is Blame.WORLD:
                continue
            if entry.blame is Blame.GAP:
                assert self._gap_is_stated(report), entry
                continue
            assert entry.blame is Blame.STOPPED_BY_COMMAND, entry
            assert entry.instance in report.cut, entry
            assert entry.out_for_s is not None, entry
            if not any(one.what == "stick" for step in self.life.steps for one in step.happenings):
                assert entry.out_for_s >= service.drain_deadline_s - lag_s, entry

    def _gap_is_stated(self, report: Report) -> bool:
        taken_back = report.outcome is not Outcome.SUCCEEDED and not report.from_version
        return taken_back or self.life.service.overlap is Overlap.FORBIDDEN

    def check_end(self, report: Report) -> None:
        """Check that exactly what should run does, unless the world has broken something just now."""
        scene, plan = self.scene, self.watch.plan
        quiet_s = scene.world.clock.now() - self.watch.disturbed_s
        if self.loose or quiet_s < UNNOTICED_S:
            return
        wrong = self.wrong(plan)
        assert not wrong, f"{report.outcome.value}, but {wrong}"

    def wrong(self, plan: Plan) -> list[str]:
        world, service = self.scene.world, self.life.service
        goals = {g.cell: (g.revision, g.replicas) for g in plan.goals_at(len(plan.stages)).values() if g.replicas}
        cells = {cell.name: (cell.revision, cell.replicas) for cell in world.cells.observe("web")}
        found = [] if cells == goals else [f"cells are {cells}, not {goals}"]
        instances = world.instances("web")
        if len(instances) != sum(replicas for _, replicas in goals.values()):
            found.append(f"there are {[(one.id, one.version, one.state.value) for one in instances]}")
        if len({one.revision for one in instances}) > 1:
            found.append("there are two revisions")
        registrations, held = world.registered("web")
        if held:
            found.append("requests are held")
        if service.exposures:
            if {one.instance for one in registrations} != {one.id for one in instances}:
                found.append(f"registered are {[one.instance for one in registrations]}")
            if len(world.serving("web")) != len(instances):
                found.append(f"{len(world.serving('web'))} of {len(instances)} serve")
        return found

    def calm(self) -> None:
        self.scene.pass_s(2 * UNNOTICED_S)  # what is scheduled still happens, and is undone
        self.faults.clear()

    def play(self) -> None:
        for step in self.life.steps:
            report = self.deploy(step)
            note(
                f"{step.version}: {report.outcome if report else 'could not be seen'} {report.reason if report else ''}"
            )
        self.calm()
        service = self.life.service
        strategy = Recreate() if service.overlap is Overlap.FORBIDDEN else RollingUpdate()
        last = Step("9.0", HEALTHY, strategy, ())
        report = self.deploy(last)
        assert report is not None
        assert report.outcome is Outcome.SUCCEEDED, report.reason
        assert self.wrong(self.watch.plan) == []
        report = self.deploy(last)
        assert report is not None
        assert report.outcome is Outcome.UNCHANGED
        assert not [event for event in self.scene.events if isinstance(event, CommandIntended)]


@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(life=lives())
def test_no_rule_is_broken_in_any_life(make_scene, life):
    scene = make_scene(life.edge_lags_s, discovery_lag_s=life.discovery_lag_s)
    Play(life, scene).play()
