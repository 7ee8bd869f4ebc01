"""What can go wrong with one call: which call, what its caller is told, and what may happen all the same."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory.fault import Fault, FaultKind
from zdd.errors import ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        (Fault(), [True, True, True]),
        (Fault("launch"), [True, False, True]),
        (Fault(service="web"), [True, True, False]),
        (Fault("launch", service="web"), [True, False, False]),
    ],
)
def test_it_hits_the_calls_that_it_names(fault: Fault, hits: list[bool]) -> None:
    calls = [("launch", "web"), ("apply", "web"), ("launch", "shop")]
    assert [fault.matches(method, service) for method, service in calls] == hits


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("temporary", TemporaryError, "launch: not now"),
        ("permanent", PermanentError, "launch: refused"),
        ("unknown", OutcomeUnknown, "launch: no answer"),
    ],
)
def test_the_caller_is_told_what_its_kind_says(kind: Any, error: type, text: str) -> None:
    told = Fault(kind=kind).error("launch")
    assert type(told) is error
    assert str(told) == text


def test_of_an_unknown_outcome_the_caller_is_told_for_how_long() -> None:
    told = Fault(kind=FaultKind.UNKNOWN, settles_within_s=3.0).error("apply")
    assert isinstance(told, OutcomeUnknown)
    assert told.settles_within_s == 3.0


@pytest.mark.parametrize("late_s", [0.0, 9.9, 10.0])
def test_an_unknown_outcome_may_take_effect_within_what_the_caller_is_told(late_s: float) -> None:
    assert Fault(kind=FaultKind.UNKNOWN, applied_after_s=late_s).applied_after_s == late_s


@pytest.mark.parametrize(
    ("kind", "late_s"),
    [("temporary", 1.0), ("permanent", 0.0), ("unknown", -1.0), ("unknown", 10.1)],
)
def test_nothing_takes_effect_that_the_caller_is_told_did_not_or_later_than_it_is_told(
    kind: Any, late_s: float
) -> None:
    with pytest.raises(ConfigurationError, match="applied_after_s"):
        Fault("apply", kind=kind, applied_after_s=late_s)


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sometimes"):
        Fault(kind="sometimes")  # type: ignore[arg-type]
