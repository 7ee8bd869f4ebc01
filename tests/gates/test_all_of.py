"""All must pass, and one that fails is enough to fail."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import AllOf, FunctionGate, HttpGate, InARow, TcpGate
from zdd.model.verdict import Result, Sample

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        (P, P, P),
        (P, F, F),
        (P, I, I),
        (F, F, F),
        (F, I, F),
        (I, I, I),
    ],
)
def test_what_two_gates_say_is_combined_in_either_order(
    scripted: Any, run: Any, a: Result, b: Result, result: Result
) -> None:
    for first, second in ((a, b), (b, a)):
        (sample,), verdict = run(AllOf([scripted("a", first), scripted("b", second)]), 1)
        assert sample.result is verdict.result is result
        assert [part.result for part in sample.parts] == [first, second]


def test_the_reason_names_the_parts_that_decided_and_the_figures_are_of_all(scripted: Any, run: Any) -> None:
    _, verdict = run(AllOf([scripted("a", P), scripted("b", F), scripted("c", F)]), 1)
    assert verdict.reason == "b: saw failed; c: saw failed"
    assert verdict.figures == {"seen": 1.0, "seen 2": 1.0, "seen 3": 1.0}


def test_a_part_that_raises_has_failed_and_the_others_look_all_the_same(scripted: Any, run: Any) -> None:
    (sample,), verdict = run(AllOf([FunctionGate(lambda _target: 1 / 0 > 1), scripted("a", P)]), 1)
    assert [part.result for part in sample.parts] == [F, P]
    assert "ZeroDivisionError" in verdict.reason


def test_no_look_yet_is_inconclusive(scripted: Any) -> None:
    assert AllOf([scripted("a")]).judge([]).result is I


def test_each_part_is_judged_over_its_own_looks(scripted: Any, run: Any) -> None:
    gate = AllOf([InARow(scripted("a", P, P), 2), InARow(scripted("b", P, P), 2)])
    samples, verdict = run(gate, 2)
    assert verdict.result is P
    assert gate.judge(samples[:1]).result is I


@pytest.mark.parametrize("result", list(Result))
def test_a_look_that_was_cut_short_from_outside_counts_as_it_says(scripted: Any, result: Result) -> None:
    cut = [Sample(result, "no answer from the look itself")]
    assert AllOf([scripted("a"), scripted("b")]).judge(cut).result is result


def test_it_is_as_slow_as_its_slowest_part_and_looks_at_the_ports_of_all() -> None:
    often, seldom = TcpGate("b", interval_s=0.1, deadline_s=5), HttpGate(port="a", interval_s=3, deadline_s=7)
    both = AllOf([often, seldom])
    assert (both.interval_s, both.deadline_s, sorted(both.ports())) == (3, 7, ["a", "b"])
    assert AllOf([often, TcpGate()]).deadline_s is None
    assert AllOf([often], interval_s=9, deadline_s=None).interval_s == 9


def test_it_says_what_it_does() -> None:
    assert str(AllOf([HttpGate("/a"), TcpGate()])) == "all of (GET /a on port http; a connection to port http)"


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ([], "AllOf has no gates: give it at least one"),
        (TcpGate(), "gates of AllOf are .*: use a list of gates"),
        ([TcpGate(), print], "gate 2 of AllOf is <built-in function print>, which is no gate"),
    ],
)
def test_what_are_no_gates_is_refused_by_name(gates: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AllOf(gates)


def test_a_pace_that_makes_no_sense_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="interval_s of gate all of"):
        AllOf([TcpGate()], interval_s=0)
