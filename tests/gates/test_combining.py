"""Three answers combined: by a table, and by the laws that must hold for gates made of gates made of gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from zdd.gates import AllOf, AnyOf, HttpGate, InARow, Not, TcpGate
from zdd.gates.combining import all_of, any_of, figures, inverse, why
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("said", "all_", "any_"),
    [([P], P, P), ([F], F, F), ([I], I, I), ([P, P, F], F, P), ([P, I, F], F, P), ([P, I], I, P), ([F, I], F, I)],
)
def test_what_is_inconclusive_could_still_become_either(said: list[Result], all_: Result, any_: Result) -> None:
    assert (all_of(said), any_of(said)) == (all_, any_)


def test_the_opposite_of_what_is_inconclusive_is_inconclusive() -> None:
    assert [inverse(result) for result in (P, F, I)] == [F, P, I]


def test_the_reason_is_what_those_say_that_agree_with_the_result() -> None:
    gates = [TcpGate("a"), TcpGate("b"), TcpGate("c")]
    said = [Verdict(F, "refused"), Verdict(P, "fine"), Verdict(F)]
    assert why(gates, said, F) == "a connection to port a: refused; a connection to port c: failed"
    assert why(gates, said, I) == ""


def test_figures_of_one_name_are_numbered_by_the_part_that_they_are_of() -> None:
    said = [Sample(P, "", {"ms": 1.0}), Sample(P, "", {"status": 200.0}), Sample(P, "", {"ms": 3.0})]
    assert figures(said) == {"ms": 1.0, "status": 200.0, "ms 3": 3.0}


def test_gates_made_of_gates_say_what_they_do() -> None:
    gate = AnyOf([AllOf([HttpGate("/a"), TcpGate()]), Not(InARow(TcpGate("db"), 3))])
    assert str(gate) == (
        "any of (all of (GET /a on port http; a connection to port http); "
        "not (a connection to port db, 3 times in a row))"
    )


# -- laws -------------------------------------------------------------------------------------------------------------

results = st.sampled_from(Result)
histories = st.lists(st.tuples(results, results, results), max_size=12)
leaf = st.integers(0, 2).map(lambda number: Leaf(number))
trees = st.recursive(
    leaf,
    lambda inner: (
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3))
        | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3))
        | st.builds(Not, inner)
        | st.builds(InARow, inner, st.integers(1, 4), failures=st.integers(1, 4))
    ),
    max_leaves=5,
)


@frozen
class Leaf:
    """Sees what the target's name says at its place."""

    number: int
    interval_s: float = 1.0
    deadline_s: float | None = None

    def ports(self) -> frozenset[str]:
        return frozenset()

    def sample(self, target: Target) -> Sample:
        return Sample(Result(target.service.split()[self.number]))

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        return Verdict(samples[-1].result) if samples else Verdict(I)


def conclude(gate: Any, history: list[tuple[Result, ...]]) -> Result:
    samples = [gate.sample(Target(" ".join(r.value for r in seen), "", "")) for seen in history]
    before = repr(samples)
    verdict = gate.judge(tuple(samples))
    assert gate.judge(samples) == verdict, "judging twice says the same"
    assert repr(samples) == before
    result: Result = verdict.result
    return result


@given(st.lists(trees, min_size=1, max_size=3), histories)
def test_de_morgan(gates: list[Any], history: list[tuple[Result, ...]]) -> None:
    opposite = [Not(gate) for gate in gates]
    assert conclude(Not(AllOf(gates)), history) is conclude(AnyOf(opposite), history)
    assert conclude(Not(AnyOf(gates)), history) is conclude(AllOf(opposite), history)


@given(trees, histories)
def test_not_not_is_nothing(gate: Any, history: list[tuple[Result, ...]]) -> None:
    assert conclude(Not(Not(gate)), history) is conclude(gate, history)


@given(trees, histories, st.integers(1, 4), st.integers(1, 4))
def test_not_of_a_row_is_a_row_of_not(gate: Any, history: list[Any], times: int, failures: int) -> None:
    one = conclude(Not(InARow(gate, times, failures=failures)), history)
    assert one is conclude(InARow(Not(gate), failures, failures=times), history)


@given(trees, histories)
def test_once_in_a_row_is_the_gate_itself(gate: Any, history: list[tuple[Result, ...]]) -> None:
    assert conclude(InARow(gate, 1), history) is conclude(gate, history)


@given(histories, st.integers(1, 5), st.integers(1, 5))
def test_a_row_is_a_row(history: list[tuple[Result, ...]], times: int, failures: int) -> None:
    seen = [looks[0] for looks in history]
    expected = I
    if len(seen) >= times and set(seen[-times:]) == {P}:
        expected = P
    if len(seen) >= failures and set(seen[-failures:]) == {F}:
        expected = F
    assert conclude(InARow(Leaf(0), times, failures=failures), history) is expected
