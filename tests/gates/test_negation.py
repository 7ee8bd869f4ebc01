"""The opposite: what fails passes, and nothing passes that was never looked at."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import AnyOf, HttpGate, Not, TcpGate
from zdd.model.verdict import Result, Sample

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(("a", "result"), [(P, F), (F, P), (I, I)])
def test_it_says_the_opposite(scripted: Any, run: Any, a: Result, result: Result) -> None:
    (sample,), verdict = run(Not(scripted("a", a)), 1)
    assert sample.result is verdict.result is result
    assert (verdict.reason, verdict.figures) == (f"saw {a.value}", {"seen": 1.0})
    assert sample.parts[0].result is a


def test_a_look_of_its_gate_that_raises_has_failed_so_it_passes(scripted: Any, run: Any) -> None:
    (sample,), _ = run(Not(AnyOf([scripted("has no more to see")])), 1)
    assert sample.result is P


def test_no_look_yet_is_inconclusive(scripted: Any) -> None:
    assert Not(scripted("a")).judge([]).result is I


@pytest.mark.parametrize("result", list(Result))
def test_a_look_that_was_cut_short_from_outside_counts_as_it_says(scripted: Any, result: Result) -> None:
    """It never reached the gate, so it is not turned round: a look that did not end must not pass."""
    cut = [Sample(result, "no answer from the look itself")]
    for gate in (Not(scripted("a")), Not(Not(scripted("a")))):
        assert gate.judge(cut).result is result


def test_times_and_ports_are_those_of_its_gate() -> None:
    gate = Not(HttpGate(port="a", interval_s=3, deadline_s=7))
    assert (gate.interval_s, gate.deadline_s, list(gate.ports())) == (3, 7, ["a"])


def test_it_says_what_it_does() -> None:
    assert str(Not(TcpGate("db"))) == "not (a connection to port db)"


def test_a_bad_value_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="the gate of Not is True, which is no gate"):
        Not(True)
    with pytest.raises(ConfigurationError, match="interval_s of gate not"):
        Not(TcpGate(), interval_s=0)
