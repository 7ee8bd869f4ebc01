"""A gate that is the opposite of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from zdd.gates.combining import inverse
from zdd.gates.looks import check_gate, look
from zdd.model.gate import Gate, Target, check_pace
from zdd.model.verdict import Sample, Verdict


def _gate(value: Any) -> Gate:
    return check_gate("the gate of Not", value)


@frozen
class Not:
    """Passes when its gate fails, and fails when it passes. What is inconclusive stays so.

    Attributes:
        gate: The other gate. A look of it that raises has failed, so that this one passes.
        interval_s: Seconds between two looks; by default its gate's.
        deadline_s: Seconds within which it must pass; by default its gate's. None: the service's.

    Raises:
        ConfigurationError: It is no gate.
    """

    gate: Gate = field(converter=_gate)
    interval_s: float = field(kw_only=True)
    deadline_s: float | None = field(kw_only=True)

    @interval_s.default
    def _interval_s(self) -> float:
        return self.gate.interval_s

    @deadline_s.default
    def _deadline_s(self) -> float | None:
        return self.gate.deadline_s

    def __attrs_post_init__(self) -> None:
        check_pace(self)

    def ports(self) -> frozenset[str]:
        """Return the ports that its gate looks at."""
        return self.gate.ports()

    def sample(self, target: Target) -> Sample:
        """Let its gate look once."""
        part = look(self.gate, target)
        return Sample(inverse(part.result), part.reason, part.figures, (part,))

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude the opposite of what its gate concludes."""
        said = self.gate.judge([_look(sample) for sample in samples])
        return Verdict(inverse(said.result), said.reason, said.figures)

    def __str__(self) -> str:
        return f"not ({self.gate})"


def _look(sample: Sample) -> Sample:
    """Return the gate's own look. One that was cut short from outside never reached it, and must not pass here."""
    if len(sample.parts) == 1:
        return sample.parts[0]
    return Sample(inverse(sample.result), sample.reason, sample.figures)
