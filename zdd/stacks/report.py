"""The evidence of a stack's deployment: one verdict, and what became of each service."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from zdd.events import Outcome
from zdd.report import Report
from zdd.wording import printable


@frozen
class ServiceResult:
    """What became of one service.

    Attributes:
        service: Its name.
        outcome: How its deployment ended; None: it was not begun.
        reason: Why, in words.
        report: The evidence of its deployment; None if there is none.
        back: The evidence of the deployment that took it back, when another service had failed; None: it was not.
    """

    service: str
    outcome: Outcome | None
    reason: str = ""
    report: Report | None = None
    back: Report | None = None

    def __str__(self) -> str:
        words = "not begun" if self.outcome is None else self.outcome.value
        why = f": {printable(self.reason)}" if self.reason else ""
        return f"{self.service}  {words}{why}" + (f", then taken back: {self.back.summary}" if self.back else "")


@frozen
class StackReport:
    """The evidence of a stack's deployment.

    Attributes:
        stack: The stack's name.
        deployment: The id of this deployment of the stack.
        outcome: How it ended: as a whole.
        services: What became of each service, in the order in which they were deployed.
        reason: Why it ended so.
        removed: Names of services that the stack no longer has, and that were removed.
        gone: Names of services that the stack no longer has, and that were left as they are.
        notes: What else there is to know, one line each.
    """

    stack: str
    deployment: str
    outcome: Outcome
    services: tuple[ServiceResult, ...]
    reason: str = ""
    removed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """True if what was wanted serves now; also if it did already."""
        return self.outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED)

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the services that were deployed."""
        return tuple(one.service for one in self.services if one.outcome is Outcome.SUCCEEDED)

    def __str__(self) -> str:
        head = f"{self.stack}: {self.outcome.value}" + (f": {printable(self.reason)}" if self.reason else "")
        lines = [head, *(f"  {one}" for one in self.services)]
        lines += [f"  {name}  removed" for name in self.removed]
        lines += [f"  {name}  is not in the stack any more, and was left as it is" for name in self.gone]
        return "\n".join([*lines, *(f"  {printable(note)}" for note in self.notes)])

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data that JSON can carry."""
        return {
            "stack": self.stack,
            "deployment": self.deployment,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "services": [
                {
                    "service": one.service,
                    "outcome": one.outcome.value if one.outcome else None,
                    "reason": one.reason,
                    "report": one.report.to_data() if one.report else None,
                    "back": one.back.to_data() if one.back else None,
                }
                for one in self.services
            ],
            "removed": list(self.removed),
            "gone": list(self.gone),
            "notes": list(self.notes),
        }
