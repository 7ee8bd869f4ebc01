"""And, or and not over three answers. What is inconclusive could still become either."""

from __future__ import annotations

from collections.abc import Sequence

from zdd.model.gate import Gate, shown
from zdd.model.verdict import Result, Sample, Verdict

_INVERSE = {
    Result.PASSED: Result.FAILED,
    Result.FAILED: Result.PASSED,
    Result.INCONCLUSIVE: Result.INCONCLUSIVE,
}


def inverse(result: Result) -> Result:
    """Passed becomes failed and failed becomes passed."""
    return _INVERSE[result]


def all_of(results: Sequence[Result]) -> Result:
    """Failed if one failed, passed if all passed, and inconclusive otherwise."""
    if Result.FAILED in results:
        return Result.FAILED
    return Result.INCONCLUSIVE if Result.INCONCLUSIVE in results else Result.PASSED


def any_of(results: Sequence[Result]) -> Result:
    """Passed if one passed, failed if all failed, and inconclusive otherwise."""
    return inverse(all_of([inverse(result) for result in results]))


def why(gates: Sequence[Gate], said: Sequence[Sample | Verdict], result: Result) -> str:
    """Return what those of the parts said that agree with the result."""
    agreeing = [(gate, part) for gate, part in zip(gates, said, strict=True) if part.result is result]
    return "; ".join(f"{shown(gate)}: {part.reason or part.result.value}" for gate, part in agreeing)


def figures(said: Sequence[Sample | Verdict]) -> dict[str, float]:
    """Return the figures of all parts; those of a later part that have the same name get its number."""
    found: dict[str, float] = {}
    for number, part in enumerate(said, 1):
        for name, value in part.figures.items():
            found[f"{name} {number}" if name in found else name] = value
    return found
