"""A gate that is made of others, any of which must pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from zdd.gates.combining import any_of, figures, why
from zdd.gates.looks import check_gates, latest_deadline_s, look, looks_of_part
from zdd.model.gate import Gate, Target, check_pace
from zdd.model.verdict import Sample, Verdict


def _gates(value: Any) -> tuple[Gate, ...]:
    return check_gates("AnyOf", value)


@frozen
class AnyOf:
    """Passes when one of its gates passes; fails when all of them fail.

    All of them look each time, one after the other, and each is judged over its own looks.

    Attributes:
        gates: What it is made of.
        interval_s: Seconds between two looks; by default that of the part that is asked least often.
        deadline_s: Seconds within which it must pass; by default the latest of its parts. None: the service's.

    Raises:
        ConfigurationError: There is no gate, or something that is none.
    """

    gates: Sequence[Gate] = field(converter=_gates)
    interval_s: float = field(kw_only=True)
    deadline_s: float | None = field(kw_only=True)

    @interval_s.default
    def _interval_s(self) -> float:
        return max(gate.interval_s for gate in self.gates)

    @deadline_s.default
    def _deadline_s(self) -> float | None:
        return latest_deadline_s(self.gates)

    def __attrs_post_init__(self) -> None:
        check_pace(self)

    def ports(self) -> frozenset[str]:
        """Return the ports that its gates look at."""
        return frozenset().union(*(gate.ports() for gate in self.gates))

    def sample(self, target: Target) -> Sample:
        """Let each gate look once."""
        parts = tuple(look(gate, target) for gate in self.gates)
        result = any_of([part.result for part in parts])
        return Sample(result, why(self.gates, parts, result), figures(parts), parts)

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Judge each gate over its own looks, and combine."""
        count = len(self.gates)
        said = [gate.judge(looks_of_part(samples, number, count)) for number, gate in enumerate(self.gates)]
        result = any_of([verdict.result for verdict in said])
        return Verdict(result, why(self.gates, said, result), figures(said))

    def __str__(self) -> str:
        return f"any of ({'; '.join(map(str, self.gates))})"
