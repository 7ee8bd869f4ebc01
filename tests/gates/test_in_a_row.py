"""Several times in a row: one slow answer neither promotes a release nor takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import HttpGate, InARow, TcpGate
from zdd.model.verdict import Result, Sample

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("looks", "times", "failures", "result", "reason"),
    [
        ([P], 3, 3, I, "passed 1 of 3 times in a row: saw passed"),
        ([P, P], 3, 3, I, "passed 2 of 3 times in a row: saw passed"),
        ([P, P, P], 3, 3, P, "passed 3 of 3 times in a row: saw passed"),
        ([F, P, P, P], 3, 3, P, "passed 3 of 3 times in a row: saw passed"),
        ([P, P, F, P], 3, 3, I, "passed 1 of 3 times in a row: saw passed"),
        ([P, P, I, P, P], 3, 3, I, "passed 2 of 3 times in a row: saw passed"),
        ([P, P, P, F], 3, 3, I, "failed 1 of 3 times in a row: saw failed"),
        ([P, P, P, F, F, F], 3, 3, F, "failed 3 of 3 times in a row: saw failed"),
        ([P, P, P, F], 3, 1, F, "failed 1 of 1 times in a row: saw failed"),
        ([P, P, P, I], 3, 1, I, "saw inconclusive"),
        ([P], 1, 1, P, "passed 1 of 1 times in a row: saw passed"),
    ],
)
def test_the_last_looks_that_say_the_same_are_counted(
    scripted: Any, run: Any, looks: list[Result], times: int, failures: int, result: Result, reason: str
) -> None:
    _, verdict = run(InARow(scripted("a", *looks), times, failures=failures), len(looks))
    assert (verdict.result, verdict.reason) == (result, reason)


def test_it_fails_after_as_many_looks_as_it_passes_unless_said_otherwise() -> None:
    assert InARow(TcpGate(), 4).failures == 4


def test_no_look_yet_is_inconclusive(scripted: Any) -> None:
    assert InARow(scripted("a"), 1).judge([]).result is I


@pytest.mark.parametrize("result", list(Result))
def test_a_look_that_was_cut_short_from_outside_counts_as_it_says(scripted: Any, result: Result) -> None:
    assert InARow(scripted("a"), 1).judge([Sample(result, "no answer from the look itself")]).result is result


def test_times_and_ports_are_those_of_its_gate() -> None:
    gate = InARow(HttpGate(port="a", interval_s=3, deadline_s=7), 2)
    assert (gate.interval_s, gate.deadline_s, list(gate.ports())) == (3, 7, ["a"])


def test_it_says_what_it_does() -> None:
    assert str(InARow(TcpGate("db"), 3)) == "a connection to port db, 3 times in a row"


@pytest.mark.parametrize(
    ("gate", "times", "failures", "message"),
    [
        (5, 1, 1, "the gate of InARow is 5, which is no gate"),
        (TcpGate(), 0, 1, "times of gate a connection to port http, 0 times in a row is 0"),
        (TcpGate(), 65, 1, "from 1 to 64"),
        (TcpGate(), 1.5, 1, "a whole number"),
        (TcpGate(), 2, 0, "failures of gate"),
    ],
)
def test_a_bad_value_is_refused_by_name(gate: Any, times: Any, failures: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        InARow(gate, times, failures=failures)
