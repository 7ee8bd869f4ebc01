"""What a look beforehand asks, and what it found: a problem, in words with the fix."""

from __future__ import annotations

import enum

from attrs import frozen


class Severity(enum.Enum):
    """What a finding means.

    `WARNING` is shown with the plan and kept in the report; the deployment goes on. `ERROR` refuses the deployment
    before anything is touched.
    """

    WARNING = "warning"
    ERROR = "error"


@frozen
class Demand:
    """What a deployment needs at once, at its peak.

    Attributes:
        instances: How many instances may exist at the same time.
        cells: How many cells may exist at the same time.
    """

    instances: int
    cells: int = 1


@frozen
class Finding:
    """One problem that was found before anything was touched.

    Attributes:
        subject: What it is about: a service, an image, an edge, a node.
        problem: What is wrong, and what would come of it.
        fix: What a person can do about it.
        severity: Whether it only warns.
    """

    subject: str
    problem: str
    fix: str
    severity: Severity = Severity.WARNING

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}; {self.fix}"
