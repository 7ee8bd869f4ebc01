"""A gate that wants another to say the same several times in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from zdd.gates.looks import check_gate, look, looks_of_part
from zdd.model.gate import Gate, Target, check_pace
from zdd.model.names import check_number
from zdd.model.verdict import Result, Sample, Verdict

TIMES_MAX = 64
"""The last 64 looks of a gate are kept for its judgement; a longer row could never be seen."""


def _gate(value: Any) -> Gate:
    return check_gate("the gate of InARow", value)


@frozen
class InARow:
    """Passes when its gate passed `times` times in a row, and fails when it failed `failures` times in a row.

    In between it is inconclusive, so one slow answer neither promotes a release nor takes it back.

    Attributes:
        gate: The other gate; what counts is what it concludes after each of the last looks.
        times: How often it must pass in a row, from 1 to 64.
        failures: How often it must fail in a row, from 1 to 64; by default as often as it must pass.
        interval_s: Seconds between two looks; by default its gate's.
        deadline_s: Seconds within which it must pass; by default its gate's. None: the service's.

    Raises:
        ConfigurationError: It is no gate, or a number is out of bounds.
    """

    gate: Gate = field(converter=_gate)
    times: int
    failures: int = field(kw_only=True)
    interval_s: float = field(kw_only=True)
    deadline_s: float | None = field(kw_only=True)

    @failures.default
    def _failures(self) -> int:
        return self.times

    @interval_s.default
    def _interval_s(self) -> float:
        return self.gate.interval_s

    @deadline_s.default
    def _deadline_s(self) -> float | None:
        return self.gate.deadline_s

    def __attrs_post_init__(self) -> None:
        check_number(f"times of gate {self}", self.times, least=1, most=TIMES_MAX, whole=True)
        check_number(f"failures of gate {self}", self.failures, least=1, most=TIMES_MAX, whole=True)
        check_pace(self)

    def ports(self) -> frozenset[str]:
        """Return the ports that its gate looks at."""
        return self.gate.ports()

    def sample(self, target: Target) -> Sample:
        """Let its gate look once."""
        part = look(self.gate, target)
        return Sample(part.result, part.reason, part.figures, (part,))

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Count how often in a row its gate has concluded the same up to now."""
        looks = looks_of_part(samples, 0, 1)
        last = self.gate.judge(looks)
        wanted = {Result.PASSED: self.times, Result.FAILED: self.failures}.get(last.result)
        if wanted is None:
            return last
        row = 1
        while row < min(wanted, len(looks)) and self.gate.judge(looks[: len(looks) - row]).result is last.result:
            row += 1
        count = f"{last.result.value} {min(row, len(looks))} of {wanted} times in a row"
        reason = f"{count}: {last.reason}" if last.reason else count
        return Verdict(last.result if looks and row >= wanted else Result.INCONCLUSIVE, reason, last.figures)

    def __str__(self) -> str:
        return f"{self.gate}, {self.times} times in a row"
