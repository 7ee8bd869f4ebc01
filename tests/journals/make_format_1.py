"""Makes `format-1.db`: a journal with everything that format 1 can hold. It was run once; the file stays as it is.

``python tests/journals/make_format_1.py``
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from zdd.adapters.sqlite import SqliteJournal
from zdd.codec import MissingAction, MissingGate, MissingStrategy
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
from zdd.gates import AllOf, AnyOf, CommandGate, FunctionGate, HttpGate, InARow, Not, TcpGate
from zdd.interfaces import Fence
from zdd.model.address import Address
from zdd.model.command import Change, Command, Launch, Retire, Route, Scale
from zdd.model.plan import Direction, Goal, OnFailure, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.traffic import Registration
from zdd.model.verdict import Result
from zdd.strategies.canary import Canary

LATENCY = {"$gate": "acme.checks:Latency", "text": "p95 below 200 ms", "fields": {"limit_ms": 200}}
BACKUP = {"$action": "", "text": "back up", "problem": "Backup lives in the script that was started: move it"}


ONE_BY_ONE = {"$strategy": "acme.plans:OneByOne", "text": "one by one", "fields": {"at_once": 3}}


def missing_strategy() -> MissingStrategy:
    """Return what a strategy looks like whose module is not here."""
    problem = (
        "one by one can't be used: acme.plans:OneByOne can't be imported: ModuleNotFoundError: No module named 'acme'. "
        "Make it available where this runs, or deploy without it"
    )
    return MissingStrategy("one by one", problem, json.dumps(ONE_BY_ONE, sort_keys=True))


def missing_gate() -> MissingGate:
    """Return what a gate looks like whose module is not here."""
    problem = (
        "p95 below 200 ms can't be used: acme.checks:Latency can't be imported: ModuleNotFoundError: No module named "
        "'acme'. Make it available where this runs, or deploy without it"
    )
    return MissingGate("p95 below 200 ms", problem, json.dumps(LATENCY, sort_keys=True))


def missing_action() -> MissingAction:
    """Return what an action looks like that could not be written down."""
    problem = f"back up was not written down: {BACKUP['problem']}, and deploy again"
    return MissingAction("back up", problem, json.dumps(BACKUP, sort_keys=True))


def plan() -> Plan:
    """Return a plan with every kind of thing in it."""
    gates = (
        HttpGate("/health", status=(200, 204), contains="✓", headers={"X-Probe": "zdd"}, deadline_s=30.0),
        TcpGate("admin", timeout_s=1.5),
        AllOf([InARow(HttpGate(), 3, failures=2), AnyOf([Not(TcpGate("db")), FunctionGate(math.isfinite, "finite")])]),
        CommandGate(["sh", "-c", "exit 0"], environment={"A": "b"}, port_names=["http"]),
    )
    release = Release("2.0", Process(["python3", "-m", "app"], {"MODE": "live"}), gates)
    return Plan(
        service=Service(
            "web",
            replicas=4,
            floor=3,
            exposures=(Exposure(), Exposure("admin", path="/admin", host="admin.example.org")),
            gates=gates[:1],
            overlap=Overlap.ALLOWED,
            cells=2,
            settle_s=0.5,
        ),
        target="r2",
        revisions={
            "r1": Revision("r1", "1.0", {"kind": "image", "ports": [80, 81], "limits": {"cpus": 1.5, "swap": None}}),
            "r2": Revision("r2", release.version, release.workload, gates),
        },
        origin=(Goal("web", "r1", 4, 1000000),),
        stages=(
            Stage("up", (Goal("web-2", "r2", 2, 0),), actions=(missing_action(),), deadline_s=math.inf, held=True),
            Stage("half", (Goal("web-2", "r2", 2, 500000),), gates=(missing_gate(),), hold_s=60.0),
            Stage("all", (Goal("web", "r2", 4, 1000000),), on_failure=OnFailure.FREEZE),
        ),
        floor=3,
        ceiling=6,
        entrances={"http": Address("127.0.0.1", 80)},
        retreat=(Goal("web", "r1", 4, 1000000),),
        strategy="canary 50 100",
        direction=Direction.FORWARD,
    )


def events() -> tuple[Event, ...]:
    """Return every kind of event."""
    head: Any = {"at_s": 1767225600.25, "service": "web", "deployment": "d-1"}
    registration = Registration("web-2.1", "web-2", "r2", "2.0", {"http": Address("127.0.0.1", 8080)}, 500000)
    figures = {"p95_ms": 0.1, "n": -math.inf}
    commands: tuple[Command, ...] = (
        Launch("web-2", "r2", 2),
        Change("web", "r2", 4),
        Scale("web", 5),
        Retire("web-2", ("web-2.1",)),
        Route((registration,), True),
    )
    start: Any = {**head, "plan": plan(), "from_version": "1.0", "to_version": "2.0", "actor": "ann@host:17"}
    return (
        DeploymentStarted(**start, strategy=Canary((10, 100), gates=[TcpGate()], hold_s=30.0)),
        DeploymentStarted(**start, strategy=missing_strategy()),
        StageEntered(**head, stage=0, stages=3, title="up", direction=Direction.BACK),
        *(CommandIntended(**head, number=n, command=command) for n, command in enumerate(commands)),
        CommandAnswered(**head, number=4, error="no answer\nyet", unknown=True),
        *(
            InstanceMoved(**head, instance="web-2.1", cell="web-2", version="2.0", moment=moment, note="ünïcødé")
            for moment in Moment
        ),
        *(GateJudged(**head, gate="g", target="t", result=result, reason="why", figures=figures) for result in Result),
        ActionEnded(**head, stage=0, action="back up", succeeded=False, note="no room"),
        CapacityChanged(**head, useful=3, existing=6, floor=3, shares={"1.0": 500, "2.0": 500}),
        Waited(**head, reasons=("an edge", "a gate"), until_s=1767225660.0),
        StagePassed(**head, stage=0, title="up"),
        StageFailed(**head, stage=1, title="half", reason="p95 was 300 ms"),
        *(DeploymentEnded(**head, outcome=outcome, reason="r", unproven=("edge",)) for outcome in Outcome),
    )


def main() -> None:
    """Write the file beside this one."""
    path = Path(__file__).with_name("format-1.db")
    if path.exists():
        sys.exit(f"{path} is there already. It is kept for ever: a new format gets a file and a script of its own")
    journal = SqliteJournal(path)
    for event in events():
        journal.append("web", event, Fence(7, "ann@host:17"))


if __name__ == "__main__":
    main()
