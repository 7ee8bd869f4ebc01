"""Zero-downtime deployment: replace what runs in production without losing a request.

How the package is laid out, from the inside out; each layer knows only those before it::

    errors, model       the nouns, as frozen values
    events, codec       what happened, and how it is written down
    interfaces          what zdd asks of the outside world
    status, report      what an operator sees: pure functions of the events
    strategies, gates,  what should happen, the questions whether it may,
    actions             and what is done besides
    reconciler          the one place that knows the safe order
    planner, driver     from a strategy to a plan, and from a plan to what is done
    adapters, display   local processes, Traefik, SQLite, memory; terminal, HTML, JSON
    deployer            the public way in

`import zdd` loads no third party but attrs.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from zdd.actions import CommandAction, FunctionAction
from zdd.backup import Backup
from zdd.deployer import Deployer
from zdd.errors import (
    AdapterError,
    BackupError,
    ConfigurationError,
    DeploymentError,
    DeploymentFailed,
    DeploymentInProgress,
    DeploymentInterrupted,
    JournalError,
    LeaseLost,
    LeaseNotRenewed,
    OutcomeUnknown,
    PermanentError,
    PrimaryNotConfirmed,
    RollbackFailed,
    StackFailed,
    TemporaryError,
    ZddError,
)
from zdd.events import Event, Outcome
from zdd.failover import Failover
from zdd.gates import AllOf, AnyOf, CommandGate, FunctionGate, HttpGate, InARow, Not, TcpGate
from zdd.mirror import Mirror
from zdd.model.action import ActionContext
from zdd.model.gate import Target
from zdd.model.in_place import InPlace, UpdateOrder
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Goal, OnFailure, Plan, Stage
from zdd.model.release import Process, Release, Revision
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.verdict import Result, Sample, Verdict
from zdd.recovery import Recovered
from zdd.report import Report
from zdd.stacks.deployer import StackDeployer
from zdd.stacks.report import ServiceResult, StackReport
from zdd.stacks.stack import Pull, Stack, StackObject, StackService
from zdd.status import Status
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.in_place_update import InPlaceUpdate
from zdd.strategies.joined import Joined
from zdd.strategies.perform import Perform
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Situation, Strategy
from zdd.strategies.soak import Soak
from zdd.strategies.switch_over import SwitchOver

if _TYPE_CHECKING:
    from zdd.adapters.swarm.orchestrator import SwarmOrchestrator as Swarm

    __version__: str

__all__ = [
    "ActionContext",
    "AdapterError",
    "AllOf",
    "AnyOf",
    "Backup",
    "BackupError",
    "BlueGreen",
    "Canary",
    "CommandAction",
    "CommandGate",
    "ConfigurationError",
    "Deployer",
    "DeploymentError",
    "DeploymentFailed",
    "DeploymentInProgress",
    "DeploymentInterrupted",
    "Event",
    "Exposure",
    "Failover",
    "FunctionAction",
    "FunctionGate",
    "Goal",
    "HttpGate",
    "InARow",
    "InPlace",
    "InPlaceUpdate",
    "Joined",
    "JournalError",
    "LeaseLost",
    "LeaseNotRenewed",
    "Mirror",
    "Not",
    "OnFailure",
    "Order",
    "OrderKind",
    "Outcome",
    "OutcomeUnknown",
    "Overlap",
    "Perform",
    "PermanentError",
    "Plan",
    "PrimaryNotConfirmed",
    "Process",
    "Pull",
    "Recovered",
    "Recreate",
    "Release",
    "Report",
    "Result",
    "Revision",
    "RollbackFailed",
    "RollingUpdate",
    "Sample",
    "Service",
    "ServiceResult",
    "Situation",
    "Soak",
    "Stack",
    "StackDeployer",
    "StackFailed",
    "StackObject",
    "StackReport",
    "StackService",
    "Stage",
    "Status",
    "Strategy",
    "Swarm",
    "SwitchOver",
    "Target",
    "TcpGate",
    "TemporaryError",
    "UpdateOrder",
    "Verdict",
    "ZddError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Load what needs a third party, or takes long to be found out, when it is first used."""
    if name == "Swarm":
        from zdd.adapters.swarm.orchestrator import SwarmOrchestrator

        return SwarmOrchestrator
    if name == "__version__":
        from importlib import metadata

        return metadata.version("zdd-deploy")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
