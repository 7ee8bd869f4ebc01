"""Scripted deployments that every display is shown, and files with what each is expected to make of them.

Run the tests with ZDD_GOLDEN=write to write the expected files anew; then read the difference before keeping it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from attrs import define, field, frozen

from zdd.events import (
    ActionEnded,
    CapacityChanged,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
    Waited,
)
from zdd.model.command import Change, Command, Launch, Retire
from zdd.model.gate import Target
from zdd.model.plan import Direction, Goal, OnFailure, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Service
from zdd.model.verdict import Result, Sample, Verdict

START_S = 1_764_000_271.0
UP = (Moment.LAUNCHED, Moment.READY, Moment.PROVEN, Moment.ADMITTED, Moment.SEEN)
DOWN = (Moment.OUT, Moment.SEEN_GONE, Moment.IDLE, Moment.STOPPED)


@frozen
class Named:
    """A gate or an action of which only the name matters."""

    name: str
    deadline_s: float = 60.0
    interval_s: float = 1.0

    def __str__(self) -> str:
        return self.name

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Target) -> Sample:
        raise AssertionError("a display never asks a gate")

    def judge(self, samples: object) -> Verdict:
        raise AssertionError("a display never asks a gate")

    def run(self, context: object) -> str:
        raise AssertionError("a display never runs an action")


def revision(id_: str, version: str) -> Revision:
    workload = Release(version, Process(["server"], environment={"PASSWORD": "hunter2"})).workload
    return Revision(id_, version, workload, (Named("http /health answers 200, 2 times in a row"),))


def rolling_plan(old: str = "1.4.2", new: str = "1.5.0", *, strategy: str = "RollingUpdate(surge=1)") -> Plan:
    cells = ("web", "web-2", "web-3")
    stages = [Stage(f"add a spare cell with {new}", (Goal("web-4", "r2", 1, 1),), actions=(Named("backup"),))]
    stages += [Stage(f"change {cell} to {new}", (Goal(cell, "r2", 1, 1),)) for cell in cells]
    stages += [Stage("retire the spare cell", (Goal("web-4", "r2", 0, 0),), on_failure=OnFailure.FREEZE)]
    revisions = {"r1": revision("r1", old), "r2": revision("r2", new)}
    origin = tuple(Goal(cell, "r1", 1, 1) for cell in cells)
    return Plan(Service("web", replicas=3), "r2", revisions, origin, tuple(stages), 3, 4, strategy=strategy)


def canary_plan() -> Plan:
    errors = Named("errors below 1 %")
    stages = (
        Stage("start the canary", (Goal("web-2", "r3", 3, 0),)),
        Stage("5 % to 1.6.0", (Goal("web", "r2", 3, 95), Goal("web-2", "r3", 3, 5)), gates=(errors,), hold_s=30),
        Stage("50 % to 1.6.0", (Goal("web", "r2", 3, 50), Goal("web-2", "r3", 3, 50)), gates=(errors,), hold_s=30),
        Stage("all to 1.6.0", (Goal("web", "r2", 3, 0), Goal("web-2", "r3", 3, 100))),
        Stage("change web", (Goal("web", "r3", 3, 100), Goal("web-2", "r3", 3, 0)), deadline_s=90),
        Stage("retire web-2", (Goal("web-2", "r3", 0, 0),)),
    )
    revisions = {"r2": revision("r2", "1.5.0"), "r3": revision("r3", "1.6.0")}
    origin = (Goal("web", "r2", 3, 100),)
    strategy = "Canary(steps=(5, 50, 100))"
    return Plan(Service("web", replicas=3), "r3", revisions, origin, stages, 3, 6, strategy=strategy)


def back_plan(forward: Plan, goals: tuple[Goal, ...]) -> Plan:
    return Plan(
        forward.service,
        forward.origin[0].revision,
        forward.revisions,
        goals,
        (Stage("take the new release out", ()), Stage("retire it", ())),
        forward.floor,
        forward.ceiling,
        strategy="back",
        direction=Direction.BACK,
    )


@define
class Story:
    """Writes events down, one after another, with a clock that each call moves on."""

    deployment: str
    at_s: float = START_S
    service: str = "web"
    events: list[Event] = field(factory=list)
    _commands: int = 0

    @property
    def _says(self) -> dict[str, object]:
        return {"at_s": round(self.at_s, 3), "service": self.service, "deployment": self.deployment}

    def add(self, kind: Callable[..., Event], after_s: float = 0.0, **values: object) -> None:
        self.at_s += after_s
        self.events.append(kind(**self._says, **values))

    def start(self, plan: Plan, from_version: str, to_version: str) -> None:
        self.add(DeploymentStarted, plan=plan, from_version=from_version, to_version=to_version, actor="user@host:4711")

    def stage(self, plan: Plan, number: int) -> None:
        title = plan.stages[number].title
        direction = plan.direction
        self.add(StageEntered, stage=number, stages=len(plan.stages), title=title, direction=direction)

    def passed(self, plan: Plan, number: int) -> None:
        self.add(StagePassed, 0.1, stage=number, title=plan.stages[number].title)

    def command(self, command: Command, error: str = "", *, unknown: bool = False) -> None:
        self._commands += 1
        self.add(CommandIntended, number=self._commands, command=command)
        self.add(CommandAnswered, 0.05, number=self._commands, error=error, unknown=unknown)

    def moves(self, instance: str, version: str, *moments: Moment, each_s: float = 0.4, note: str = "") -> None:
        cell = instance.partition(".")[0]
        for moment in moments:
            self.add(InstanceMoved, each_s, instance=instance, cell=cell, version=version, moment=moment, note=note)

    def capacity(self, useful: int, existing: int, shares: Mapping[str, int], floor: int = 3) -> None:
        self.add(CapacityChanged, 0.05, useful=useful, existing=existing, floor=floor, shares=shares)

    def waits(self, *reasons: str, for_s: float) -> None:
        self.add(Waited, 0.1, reasons=reasons, until_s=self.at_s + for_s)

    def judged(self, gate: str, target: str, result: Result, reason: str = "", **figures: float) -> None:
        self.add(GateJudged, 0.1, gate=gate, target=target, result=result, reason=reason, figures=figures)


HEALTH = "http /health answers 200, 2 times in a row"


def success_story() -> tuple[Event, ...]:
    plan = rolling_plan()
    story = Story("d-7f3a")
    story.start(plan, "1.4.2", "1.5.0")
    story.capacity(3, 3, {"1.4.2": 1000})
    story.stage(plan, 0)
    story.add(ActionEnded, 0.8, stage=0, action="backup", succeeded=True, note="3 tables, 41 MB")
    story.command(Launch("web-4", "r2", 1))
    story.moves("web-4.k7f2", "1.5.0", Moment.LAUNCHED, Moment.READY, each_s=0.6)
    story.waits(f"web-4.k7f2: {HEALTH}", for_s=58)
    story.judged(HEALTH, "web-4.k7f2", Result.INCONCLUSIVE, "1 of 2 looks passed")
    story.judged(HEALTH, "web-4.k7f2", Result.PASSED, "2 of 2 looks passed", median_ms=3.25)
    story.moves("web-4.k7f2", "1.5.0", Moment.PROVEN, Moment.ADMITTED, Moment.SEEN)
    story.capacity(4, 4, {"1.4.2": 750, "1.5.0": 250})
    story.passed(plan, 0)
    for number, cell in enumerate(("web", "web-2", "web-3"), start=1):
        old, new = f"{cell}.a{number}", f"{cell}.m{number}"
        story.stage(plan, number)
        story.moves(old, "1.4.2", Moment.OUT, each_s=0.2)
        story.capacity(3, 4, {"1.4.2": 1000 - 250 * number, "1.5.0": 250 * number})
        story.moves(old, "1.4.2", Moment.SEEN_GONE, each_s=0.2)
        if cell == "web-3":
            story.waits(f"{old}: 2 in flight at traefik", for_s=30)
            story.moves(old, "1.4.2", Moment.CUT, each_s=30, note="2 in flight at traefik at the drain deadline")
        else:
            story.moves(old, "1.4.2", Moment.IDLE, each_s=1.1)
        story.command(
            Change(cell, "r2", 1), *(["connection reset"] if cell == "web-2" else []), unknown=cell == "web-2"
        )
        story.moves(old, "1.4.2", Moment.STOPPED)
        story.moves(new, "1.5.0", Moment.LAUNCHED, Moment.READY)
        story.judged(HEALTH, new, Result.PASSED, "2 of 2 looks passed", median_ms=3.0 + number / 4)
        story.moves(new, "1.5.0", Moment.PROVEN, Moment.ADMITTED, Moment.SEEN)
        story.capacity(4, 4, {"1.4.2": 750 - 250 * number, "1.5.0": 250 + 250 * number})
        story.passed(plan, number)
    story.stage(plan, 4)
    story.moves("web-4.k7f2", "1.5.0", Moment.OUT)
    story.capacity(3, 4, {"1.5.0": 1000})
    story.moves("web-4.k7f2", "1.5.0", Moment.SEEN_GONE, Moment.IDLE)
    story.command(Retire("web-4"))
    story.moves("web-4.k7f2", "1.5.0", Moment.STOPPED)
    story.capacity(3, 3, {"1.5.0": 1000})
    story.passed(plan, 4)
    unproven = ("web-3.a3: 2 requests were in flight at traefik when it was stopped",)
    story.add(DeploymentEnded, outcome=Outcome.SUCCEEDED, unproven=unproven)
    return tuple(story.events)


def rollback_story() -> tuple[Event, ...]:
    plan = canary_plan()
    story = Story("d-81c0", START_S + 120)
    story.start(plan, "1.5.0", "1.6.0")
    story.capacity(3, 3, {"1.5.0": 1000})
    story.stage(plan, 0)
    story.command(Launch("web-2", "r3", 3))
    names = ("web-2.p1", "web-2.p2", "web-2.p3")
    for name in names:
        story.moves(name, "1.6.0", Moment.LAUNCHED, each_s=0.1)
    for name in names:
        story.moves(name, "1.6.0", Moment.READY, each_s=0.5)
        story.judged(HEALTH, name, Result.PASSED, "2 of 2 looks passed")
        story.moves(name, "1.6.0", Moment.PROVEN, each_s=0.1)
    story.capacity(3, 6, {"1.5.0": 1000})
    story.passed(plan, 0)
    story.stage(plan, 1)
    for name in names:
        story.moves(name, "1.6.0", Moment.ADMITTED, Moment.SEEN, each_s=0.1)
    story.capacity(6, 6, {"1.5.0": 950, "1.6.0": 50})
    story.waits("hold of 30 s", "errors below 1 % at web", for_s=30)
    reason = "4.2 % of 118 requests failed, the limit is 1 %"
    story.at_s += 8
    story.judged("errors below 1 %", "web", Result.FAILED, reason, failed=5, requests=118, rate_percent=4.237)
    reason = f"gate failed: errors below 1 % at web: {reason}"
    story.add(StageFailed, stage=1, title=plan.stages[1].title, reason=reason)
    back = back_plan(plan, (Goal("web", "r2", 3, 95), Goal("web-2", "r3", 3, 5)))
    story.start(back, "1.6.0", "1.5.0")
    story.stage(back, 0)
    for name in names:
        story.moves(name, "1.6.0", Moment.OUT, each_s=0.1)
    story.capacity(3, 6, {"1.5.0": 1000})
    story.waits("web-2.p1: 1 in flight at traefik", for_s=30)
    story.passed(back, 0)
    story.stage(back, 1)
    for name in names:
        story.moves(name, "1.6.0", Moment.SEEN_GONE, Moment.IDLE, each_s=0.3)
    story.command(Retire("web-2"))
    for name in names:
        story.moves(name, "1.6.0", Moment.STOPPED, each_s=0.1)
    story.capacity(3, 3, {"1.5.0": 1000})
    story.passed(back, 1)
    story.add(DeploymentEnded, outcome=Outcome.ROLLED_BACK, reason=reason)
    return tuple(story.events)


def stuck_story() -> tuple[Event, ...]:
    plan = rolling_plan("1.5.0", "1.7.0")
    story = Story("d-90ff", START_S + 300)
    story.start(plan, "1.5.0", "1.7.0")
    story.capacity(3, 3, {"1.5.0": 1000})
    story.stage(plan, 0)
    story.command(Launch("web-4", "r2", 1))
    story.moves("web-4.z9", "1.7.0", Moment.LAUNCHED, Moment.READY)
    story.judged(HEALTH, "web-4.z9", Result.FAILED, "500 Internal Server Error", status=500)
    story.add(StageFailed, stage=0, title=plan.stages[0].title, reason="web-4.z9: 500 Internal Server Error")
    back = back_plan(plan, (*plan.origin, Goal("web-4", "r2", 1, 0)))
    story.start(back, "1.7.0", "1.5.0")
    story.stage(back, 0)
    story.moves("web-2.m2", "1.5.0", Moment.LOST, each_s=2, note="exit code 137")
    story.capacity(2, 3, {"1.5.0": 1000})
    story.command(Retire("web-4"), "connection refused: the orchestrator does not answer")
    story.waits("the orchestrator to answer", "web-4.z9 to stop", for_s=60)
    story.add(StageFailed, 60, stage=0, title="take the new release out", reason="no answer within 60 s")
    reason = "the orchestrator did not answer within 60 s"
    unproven = ("web-4.z9 was told to stop, but was not seen to have gone", "nothing was in flight at web-4.z9")
    story.add(DeploymentEnded, outcome=Outcome.STUCK, reason=reason, unproven=unproven)
    return tuple(story.events)


EVIL = "1\x1b[2J<img src=x onerror=alert(1)>\u202e\n[bold]"


def hostile_story() -> tuple[Event, ...]:
    """Every text that comes from outside tries to break out. A version of a release can't, but a found one may."""
    gate = f"gate {EVIL}"
    workload = Release("2", Process(["server"])).workload
    revisions = {name: Revision(name, EVIL, workload, (Named(gate),)) for name in ("r1", "r2")}
    stage = Stage(f"title {EVIL}", (Goal(f"cell {EVIL}", "r2", 1, 1),), gates=(Named(gate),), actions=(Named(EVIL),))
    plan = Plan(
        Service("web"), "r2", revisions, (Goal("web", "r1", 1, 1),), (stage,), 1, 2, strategy=f"strategy {EVIL}"
    )
    story = Story(f"d {EVIL}")
    story.start(plan, EVIL, EVIL)
    story.stage(plan, 0)
    story.add(ActionEnded, stage=0, action=EVIL, succeeded=False, note=EVIL)
    story.command(Launch(EVIL, "r2", 1), f"error {EVIL}")
    story.moves(f"instance {EVIL}", EVIL, *UP, note=f"note {EVIL}")
    story.judged(gate, f"target {EVIL}", Result.FAILED, f"reason {EVIL}", **{EVIL: float("nan")})
    story.capacity(1, 2, {EVIL: 1000}, floor=1)
    story.waits(f"waits {EVIL}", for_s=float("inf"))
    story.add(StageFailed, stage=0, title=f"title {EVIL}", reason=f"reason {EVIL}")
    story.add(DeploymentEnded, outcome=Outcome.STUCK, reason=f"reason {EVIL}", unproven=(f"unproven {EVIL}",))
    return tuple(story.events)


@pytest.fixture
def stories() -> dict[str, tuple[Event, ...]]:
    return {"success": success_story(), "rollback": rollback_story(), "stuck": stuck_story()}


@pytest.fixture
def hostile() -> tuple[Event, ...]:
    return hostile_story()


@pytest.fixture
def plans() -> dict[str, Plan]:
    first = success_story()[0]
    assert isinstance(first, DeploymentStarted)
    return {"rolling": rolling_plan(), "canary": canary_plan()}


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the file of that name under golden/."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("ZDD_GOLDEN") == "write":
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{name} is not there: run with ZDD_GOLDEN=write and read what it wrote"
        assert text == path.read_text(encoding="utf-8")

    return compare
