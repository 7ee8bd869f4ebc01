"""The names under which zdd's own classes are written down, so that moving a class leaves old journals readable."""

from __future__ import annotations

from collections.abc import Mapping

from zdd import events
from zdd.errors import JournalError
from zdd.model import (
    action,
    address,
    cell,
    command,
    finding,
    gate,
    in_place,
    intent,
    observation,
    order,
    plan,
    release,
    service,
    traffic,
    verdict,
)

FORMAT = 1
"""The number of the format described above. A change that an older zdd would misread gives it the next number."""

CLASSES: Mapping[str, type] = {
    "action context": action.ActionContext,
    "address": address.Address,
    "cell": cell.Cell,
    "instance": cell.Instance,
    "instance state": cell.InstanceState,
    "change": command.Change,
    "launch": command.Launch,
    "retire": command.Retire,
    "route": command.Route,
    "scale": command.Scale,
    "demand": finding.Demand,
    "finding": finding.Finding,
    "severity": finding.Severity,
    "in place": in_place.InPlace,
    "update order": in_place.UpdateOrder,
    "target": gate.Target,
    "observation": observation.Observation,
    "order": order.Order,
    "order kind": order.OrderKind,
    "direction": plan.Direction,
    "goal": plan.Goal,
    "on failure": plan.OnFailure,
    "intent": intent.Intent,
    "plan": plan.Plan,
    "stage": plan.Stage,
    "process": release.Process,
    "release": release.Release,
    "revision": release.Revision,
    "exposure": service.Exposure,
    "overlap": service.Overlap,
    "service": service.Service,
    "edge abilities": traffic.EdgeAbilities,
    "cell share": traffic.CellShare,
    "edge view": traffic.EdgeView,
    "registration": traffic.Registration,
    "traffic intent": traffic.TrafficIntent,
    "result": verdict.Result,
    "sample": verdict.Sample,
    "verdict": verdict.Verdict,
    "event": events.Event,
    "action ended": events.ActionEnded,
    "capacity changed": events.CapacityChanged,
    "command answered": events.CommandAnswered,
    "command intended": events.CommandIntended,
    "deployment ended": events.DeploymentEnded,
    "deployment started": events.DeploymentStarted,
    "gate judged": events.GateJudged,
    "instance moved": events.InstanceMoved,
    "moment": events.Moment,
    "ordered": events.Ordered,
    "outcome": events.Outcome,
    "stage entered": events.StageEntered,
    "stage failed": events.StageFailed,
    "stage passed": events.StagePassed,
    "stack ended": events.StackEnded,
    "stack started": events.StackStarted,
    "stack step": events.StackStep,
    "waited": events.Waited,
}
"""The name of each of zdd's own classes in a journal. A name is never changed and never given to another class."""

PARTS: Mapping[str, str] = {
    "http gate": "zdd.gates.http_gate:HttpGate",
    "tcp gate": "zdd.gates.tcp_gate:TcpGate",
    "command gate": "zdd.gates.command_gate:CommandGate",
    "function gate": "zdd.gates.function_gate:FunctionGate",
    "all of": "zdd.gates.all_of:AllOf",
    "any of": "zdd.gates.any_of:AnyOf",
    "not": "zdd.gates.negation:Not",
    "in a row": "zdd.gates.in_a_row:InARow",
    "function action": "zdd.actions.function_action:FunctionAction",
    "command action": "zdd.actions.command_action:CommandAction",
    "make backup": "zdd.backup.backup:MakeBackup",
    "restore backup": "zdd.backup.backup:RestoreBackup",
    "restore": "zdd.backup.restore:Restore",
    "backup": "zdd.backup.backup:Backup",
    "joined": "zdd.strategies.joined:Joined",
    "perform": "zdd.strategies.perform:Perform",
    "soak": "zdd.strategies.soak:Soak",
    "blue green": "zdd.strategies.blue_green:BlueGreen",
    "canary": "zdd.strategies.canary:Canary",
    "in place update": "zdd.strategies.in_place_update:InPlaceUpdate",
    "recreate": "zdd.strategies.recreate:Recreate",
    "rolling update": "zdd.strategies.rolling_update:RollingUpdate",
    "switch over": "zdd.strategies.switch_over:SwitchOver",
}
"""The name of each of zdd's own gates, actions and strategies in a journal, and where it lives: in a layer above."""

NAMES: Mapping[type, str] = {kind: name for name, kind in CLASSES.items()}
PART_NAMES: Mapping[str, str] = {place: name for name, place in PARTS.items()}


def kind_of(event: events.Event) -> str:
    """Return the event's name in the table `CLASSES`.

    Raises:
        JournalError: It is not one of zdd's events.
    """
    if type(event) not in NAMES:
        raise JournalError(f"{event!r} is not an event that zdd knows: use the classes of zdd.events")
    return NAMES[type(event)]
