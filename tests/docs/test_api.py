"""docs/api.md is made of the package itself. ZDD_GOLDEN=write writes it anew."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import zdd

GROUPS = {
    "Deploying": ("Deployer", "Service", "Exposure", "Overlap", "Release", "Process", "Swarm"),
    "Stacks": ("Stack", "StackService", "StackObject", "Pull", "StackDeployer", "StackReport", "ServiceResult"),
    "Strategies": (
        *("RollingUpdate", "BlueGreen", "Canary", "Recreate", "InPlaceUpdate", "UpdateOrder"),
        *("Perform", "Backup", "Soak", "Joined", "SwitchOver", "OnFailure"),
    ),
    "Actions": ("FunctionAction", "CommandAction", "ActionContext"),
    "Writing a strategy": ("Strategy", "Situation", "Stage", "Goal", "InPlace", "Plan", "Revision"),
    "Gates": (
        *("HttpGate", "TcpGate", "CommandGate", "FunctionGate", "AllOf", "AnyOf", "Not", "InARow"),
        *("Target", "Sample", "Result", "Verdict"),
    ),
    "Between deployments": ("Mirror", "Failover"),
    "What happened": ("Report", "Recovered", "Outcome", "Status", "Event", "Order", "OrderKind"),
    "Errors": (
        *("ZddError", "ConfigurationError", "DeploymentError", "DeploymentFailed", "PrimaryNotConfirmed"),
        *("RollbackFailed",),
        *("DeploymentInterrupted", "DeploymentInProgress", "LeaseLost", "LeaseNotRenewed"),
        *("JournalError", "BackupError", "StackFailed"),
        *("AdapterError", "TemporaryError", "PermanentError", "OutcomeUnknown"),
    ),
}
METHODS = (
    *("embedded", "in_memory", "plan", "deploy", "rollback", "restore", "resume", "recover", "remove"),
    *("fail_over", "stand_by", "fail_back", "watch"),
    *("pause", "promote", "abort", "services", "checkup", "history", "report", "backups", "mirror", "listened_to_by"),
)


def first_sentence(documented: object) -> str:
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def page() -> str:
    lines = [
        "# Every public name",
        "",
        "Made of the docstrings, where units, defaults and errors are: `help(zdd.Service)`.",
    ]
    for group, names in GROUPS.items():
        lines += ["", f"## {group}", "", "| name | what it is |", "|---|---|"]
        lines += [f"| `zdd.{name}` | {first_sentence(getattr(zdd, name))} |" for name in names]
        if group == "Deploying":
            lines += ["", "| method of `Deployer` | what it does |", "|---|---|"]
            lines += [f"| `{name}` | {first_sentence(getattr(zdd.Deployer, name))} |" for name in METHODS]
    return "\n".join([*lines, "", "`zdd.__version__` is the version of the package.", ""])


def test_every_public_name_is_on_the_page() -> None:
    named = [name for names in GROUPS.values() for name in names]
    assert sorted([*named, "__version__"]) == sorted(zdd.__all__)


def test_every_public_method_of_the_deployer_is_on_the_page() -> None:
    assert sorted(METHODS) == sorted(name for name in vars(zdd.Deployer) if not name.startswith("_"))


def test_the_page_says_what_the_docstrings_say(root: Path) -> None:
    file = root / "docs" / "api.md"
    if os.environ.get("ZDD_GOLDEN") == "write":
        file.write_text(page(), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == page(), "write it anew: ZDD_GOLDEN=write pytest tests/docs/test_api.py"
