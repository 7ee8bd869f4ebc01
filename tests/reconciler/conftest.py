"""Reads the cases in `cases/`: an observation, a stage, and what the reconciler must answer, as an operator writes it.

::

    case: a sentence                     what this case shows
    guard: floor                         the rule that the case is about; without it the answer is the one of `without`
    service: replicas=2 floor=2          how the service wants to be treated
    plan: back ceiling=3 held            forward unless it says back; held: the stage holds requests back
    goal: web r2 2 500                   what a cell should be: revision, replicas, share; changed=1 batch=1 stop-first:
                                         only so many, in place
    cell: web r1 2                       what a cell is: revision, replicas; then a line for each of its instances:
      web.a r1 ready proven in=250 seen  in=WEIGHT: registered, seen: every edge sends to it; out=SECONDS: taken out so
                                         long ago, gone: every edge let go, flight=N, idle, cut; failing=SECONDS;
                                         sent=SECONDS: not registered, but an edge sent requests there;
                                         admitted=SECONDS: registered so long ago only
                                         replaced=ID: the one that is to take its place; doubted: it was something
                                         else in the look before, which may have been the newer one;
                                         back=SECONDS: so long ago
    lost: web.z web in=250 missing=1     registered, but not listed for so many looks; since=SECONDS: since so long
    told: web retire 2                   the last command to a cell, so many seconds ago; told-before: by an earlier
                                         deployer
    edge: deaf=4 | held went-on=3        the edge can't be reached since so long, or holds requests back; held requests
                                         were told to go on so long ago, and it was not seen to know
    routed: web.a=500 2                  what discovery was told last, so many seconds ago
    settles: 3                           a request without an answer may take effect for so long
    reached: 20                          its traffic was reached so many seconds ago; plan: hold=60 is its hold time
    ordered: paused promoted untouched   what it was told; untouched: it was paused already when it began
    passed                               the stage has passed; what it gave up may go
    expect: change web r2 2              the commands, or nothing
    mark: passed                         what has become true of the stage: passed, reached, or nothing
    waits: floor                         the names of the rules that are awaited
    without: route web.a=0               the commands if the guard is taken away
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from zdd.gates import TcpGate
from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.gate import Target
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.observation import Observation
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Goal, Plan, Stage
from zdd.model.release import Revision
from zdd.model.service import Service
from zdd.model.traffic import EdgeView, Registration
from zdd.model.verdict import Result, Sample, Verdict
from zdd.reconciler.progress import GateRecord, InstanceRecord, Progress, Told, admission_key

NOW = 1_000_000.0
GATE = TcpGate("http")
REVISIONS = {name: Revision(name, f"{name[1:]}.0", {"kind": "process"}, (GATE,)) for name in ("r1", "r2")}


@frozen
class Case:
    """One case, ready to be asked."""

    title: str
    guard: str
    observation: Observation
    plan: Plan
    progress: Progress
    expect: str
    waits: tuple[str, ...]
    without: str
    mark: str

    def __str__(self) -> str:
        return f"{self.guard or 'order'}: {self.title}"


class Reader:
    """Builds a case from its lines."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {
            "title": "",
            "guard": "",
            "expect": "nothing",
            "waits": "",
            "without": "",
            "mark": "",
        }
        self.service: dict[str, Any] = {}
        self.goals: list[Goal] = []
        self.cells: list[Cell] = []
        self.registrations: list[Registration] = []
        self.records: dict[str, InstanceRecord] = {}
        self.gates: dict[tuple[str, str], GateRecord] = {}
        self.weights: dict[Address, int] = {}
        self.in_flight: dict[Address, int] = {}
        self.told: dict[str, Told] = {}
        self.told_before: dict[str, Told] = {}
        self.doubted: dict[str, float] = {}
        self.flags: dict[str, str] = {}
        self.deaf_s: float | None = None
        self.held = False
        self.went_on_s = 0.0
        self.settles_s = 0.0
        self.stage_passed = False
        self.reached_s: float | None = None
        self.ordered: list[str] = []
        self.routed: tuple[dict[str, int], float] | None = None

    def line(self, text: str) -> None:
        """Take in one line."""
        if text.startswith(" "):
            self._instance(text.split())
            return
        key, _, rest = text.partition(":")
        words = rest.split()
        match key.strip():
            case "case":
                self.words["title"] = rest.strip()
            case "guard" | "expect" | "waits" | "without" | "mark" as name:
                self.words[name] = rest.strip()
            case "service":
                self.service.update(_pairs(words))
            case "plan":
                self.flags.update({word.partition("=")[0]: word.partition("=")[2] for word in words})
            case "goal":
                in_place = _in_place(_pairs(words[4:]))
                self.goals.append(Goal(words[0], words[1], int(words[2]), int(words[3]), in_place))
            case "cell":
                self.cells.append(Cell(words[0], words[1], int(words[2])))
            case "lost":
                self._lost(words)
            case "told" | "told-before" as name:
                told = self.told if name == "told" else self.told_before
                told[words[0]] = Told(_command(" ".join(words[:-1]), self), NOW - float(words[-1]))
            case "edge":
                self._edge(_pairs(words))
            case "settles":
                self.settles_s = NOW + float(words[0])
            case "routed":
                told = {pair.partition("=")[0]: int(pair.partition("=")[2]) for pair in words[:-1]}
                self.routed = (told, NOW - float(words[-1]))
            case "reached":
                self.reached_s = NOW - float(words[0])
            case "ordered":
                self.ordered = words
            case "passed":
                self.stage_passed = True
            case other:
                raise ValueError(f"unknown line {other!r}")

    def _edge(self, pairs: dict[str, Any]) -> None:
        self.held = "held" in pairs
        self.went_on_s = NOW - float(pairs["went-on"]) if "went-on" in pairs else 0.0
        self.deaf_s = pairs.get("deaf")

    def _instance(self, words: list[str]) -> None:
        name, revision, state, *rest = words
        flags = _pairs(rest)
        cell = self.cells[-1]
        address = Address("10.0.0.1", 1000 + len(self.records))
        taken = str(flags.get("replaced", ""))
        instance = Instance(name, revision, InstanceState(state), {"http": address}, NOW - 60, replaced_by=taken)
        self.cells[-1] = evolve(cell, instances=(*cell.instances, instance))
        record = InstanceRecord(cell.name, revision, InstanceState(state), launched_s=NOW - 60, ready_s=NOW - 59)
        if "in" in flags or "out" in flags:
            version = REVISIONS[revision].version
            weight = int(flags.get("in", 0))
            self.registrations.append(Registration(name, cell.name, revision, version, {"http": address}, weight))
            record = evolve(record, admitted_s=NOW - 50, sent_s=NOW - 50)
        if "admitted" in flags:
            record = evolve(record, admitted_s=NOW - float(flags["admitted"]))
        if "seen" in flags:
            self.weights[address] = int(flags["in"])
            record = evolve(record, seen_at=("edge",), seen_s=NOW - 49)
        if "unsure" in flags:
            record = evolve(record, unsure_at={"edge": False}, seen_at=(), seen_s=None)
        if "out" in flags:
            record = evolve(record, out_s=NOW - float(flags["out"]))
        if "doubted" in flags:
            self.doubted[name] = NOW
        if "back" in flags:
            record = evolve(record, back_s=NOW - float(flags["back"]))
        if "sent" in flags:
            record = evolve(record, sent_s=NOW - float(flags["sent"]), out_s=NOW - float(flags["sent"]))
        if "gone" in flags:
            record = evolve(record, gone_at={"edge": NOW - 1}, gone_s=NOW - 1)
        if "flight" in flags:
            self.in_flight[address] = int(flags["flight"])
        for mark in ("idle", "cut"):
            if mark in flags:
                record = evolve(record, **{f"{mark}_s": NOW - 1})
        self.records[name] = record
        target = Target("web", REVISIONS[revision].version, revision, name, {"http": address}).key
        if "proven" in flags or "failing" in flags:
            failing = "failing" in flags
            asked_s = NOW - float(flags["failing"]) if failing else NOW - 5
            result = Result.FAILED if failing else Result.PASSED
            self.gates[admission_key(revision, 0), target] = GateRecord(
                asked_s,
                NOW - 0.01,
                NOW - 0.01 if "proven" in flags else None,
                (Sample(result),),
                Verdict(result, "connection refused"),
            )

    def _lost(self, words: list[str]) -> None:
        name, cell, *rest = words
        flags = _pairs(rest)
        address = {"http": Address("10.0.0.9", 9)}
        self.registrations.append(Registration(name, cell, "r1", "1.0", address, int(flags["in"])))
        self.records[name] = InstanceRecord(
            cell, "r1", missing_looks=int(flags["missing"]), missing_s=NOW - float(flags.get("since", 0))
        )

    def _routed(self) -> Route | None:
        if self.routed is None:
            return None
        return Route(tuple(Registration(name, "", "", "", {}, weight) for name, weight in self.routed[0].items()))

    def case(self) -> Case:
        """Return the case."""
        if self.service.pop("worker", None) is not None:
            self.service["exposures"] = ()
        service = Service("web", **{"replicas": 2, "drain_deadline_s": 30.0, **self.service})
        served = {registration.cell for registration in self.registrations}
        origin = tuple(Goal(cell.name, cell.revision, cell.replicas, int(cell.name in served)) for cell in self.cells)
        hold_s = float(self.flags.get("hold", 0))
        plan = Plan(
            service,
            "r2",
            REVISIONS,
            origin,
            (Stage("the stage", tuple(self.goals), deadline_s=600.0, held="held" in self.flags, hold_s=hold_s),),
            floor=int(self.flags.get("floor", service.agreed_floor)),
            ceiling=int(self.flags.get("ceiling", 10)),
            direction=Direction.BACK if "back" in self.flags else Direction.FORWARD,
        )
        reachable = self.deaf_s is None
        pause = Order(OrderKind.PAUSE, "web-1", "ana@host:1", NOW - 5)
        view = EdgeView("edge", NOW, reachable, self.held, {} if self.held else self.weights, self.in_flight)
        edges = (view,) if service.exposures else ()
        registrations = tuple(sorted(self.registrations, key=lambda registration: registration.instance))
        held = self.held or "told-held" in self.flags
        return Case(
            self.words["title"],
            self.words["guard"],
            Observation(NOW, tuple(self.cells), registrations, held, edges),
            plan,
            Progress(
                stage=1 if self.stage_passed else 0,
                entered_s=NOW - 10,
                went_on_s=self.went_on_s,
                reached_s=self.reached_s,
                paused=pause if "paused" in self.ordered else None,
                paused_s=NOW - 5,
                promoted="promoted" in self.ordered,
                begun="untouched" not in self.ordered,
                instances=self.records,
                gates=self.gates,
                told=self.told,
                told_before=self.told_before,
                settles_s=self.settles_s,
                routed=self._routed(),
                routed_s=self.routed[1] if self.routed else 0.0,
                doubted=self.doubted,
                deaf={} if reachable else {"edge": NOW - float(self.deaf_s or 0)},
            ),
            self.words["expect"],
            tuple(self.words["waits"].split()),
            self.words["without"],
            self.words["mark"],
        )


def _pairs(words: list[str]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for word in words:
        key, _, value = word.partition("=")
        number = value.replace(".", "", 1).isdigit()
        pairs[key] = float(value) if number and "." in value else int(value) if number else value
    return pairs


def _in_place(pairs: dict[str, Any]) -> InPlace | None:
    if "changed" not in pairs:
        return None
    order = UpdateOrder.STOP_FIRST if "stop-first" in pairs else UpdateOrder.START_FIRST
    return InPlace(int(pairs["changed"]), int(pairs.get("batch", 1)), order)


def _command(text: str, reader: Reader) -> Any:
    name, verb, *rest = text.split()
    if verb == "retire":
        return Retire(name)
    if verb == "scale":
        return Scale(name, int(rest[0]))
    if verb == "change":
        return Change(name, rest[0], int(rest[1]), _in_place(_pairs(rest[2:])))
    return Launch(name, rest[0], int(rest[1]))


def describe(commands: tuple[Command, ...], before: Observation) -> str:
    """Say commands as the cases do: of a route only what it changes."""
    said = []
    for command in commands:
        match command:
            case Launch(cell, revision, replicas):
                said.append(f"launch {cell} {revision} {replicas}")
            case Change(cell, revision, replicas, in_place):
                so_far = f" changed={in_place.changed}" if in_place is not None else ""
                said.append(f"change {cell} {revision} {replicas}{so_far}")
            case Scale(cell, replicas):
                said.append(f"scale {cell} {replicas}")
            case Retire(cell, cut):
                said.append(" ".join([f"retire {cell}", *(f"cut={name}" for name in cut)]))
            case Route(registrations, held):
                said.append(_describe_route(registrations, held, before))
    return "; ".join(said) or "nothing"


def _describe_route(registrations: tuple[Registration, ...], held: bool, before: Observation) -> str:
    old = {one.instance: one.weight for one in before.registrations}
    new = {one.instance: one.weight for one in registrations}
    changes = [f"{name}={weight}" for name, weight in new.items() if old.get(name) != weight]
    changes += [f"{name}=forgotten" for name in old if name not in new]
    if held != before.held:
        changes.append("hold" if held else "release")
    return " ".join(["route", *changes])


def read_cases(path: Path) -> list[Case]:
    """Return the cases of a file."""
    cases: list[Case] = []
    reader: Reader | None = None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        if text.startswith("case:"):
            if reader is not None:
                cases.append(reader.case())
            reader = Reader()
        assert reader is not None, f"{path.name}:{number}: a case begins with case:"
        try:
            reader.line(text)
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error
    assert reader is not None
    return [*cases, reader.case()]


ALL_CASES = [case for path in sorted((Path(__file__).parent / "cases").glob("*.txt")) for case in read_cases(path)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a `case` every one; for a `guarded_case` those that are about a guard."""
    if "guarded_case" in metafunc.fixturenames:
        metafunc.parametrize("guarded_case", [case for case in ALL_CASES if case.guard], ids=str)
    elif "case" in metafunc.fixturenames:
        metafunc.parametrize("case", ALL_CASES, ids=str)


@pytest.fixture
def cases() -> list[Case]:
    """All cases."""
    return ALL_CASES


@pytest.fixture
def say() -> Any:
    """Say commands as the cases do."""
    return describe
