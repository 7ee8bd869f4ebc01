"""What a gate saw and what it concluded."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import field, frozen


class Result(enum.Enum):
    """One of three answers. `INCONCLUSIVE` never promotes and never condemns."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@frozen
class Sample:
    """One look by one gate at one target.

    Attributes:
        result: What this one look says.
        reason: Why, in words a person can act on.
        figures: Numbers behind it, for the report.
        parts: The looks of the gates that a composite gate is made of.
    """

    result: Result
    reason: str = ""
    figures: Mapping[str, float] = field(factory=dict)
    parts: tuple[Sample, ...] = ()


@frozen
class Verdict:
    """What a gate concludes from its samples so far."""

    result: Result
    reason: str = ""
    figures: Mapping[str, float] = field(factory=dict)
