"""And, or, not, and several times in a row: by tables, and by the laws that must hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from zdd.errors import ConfigurationError
from zdd.gates import AllOf, AnyOf, FunctionGate, HttpGate, InARow, Not, TcpGate
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741
TARGET = Target("web", "1.0", "r1", "web-1")


@frozen
class Scripted:
    """A gate that sees what it is told to, in order, and judges by the last look."""

    name: str
    script: list[Result]
    interval_s: float = 1.0
    deadline_s: float | None = None

    def ports(self) -> frozenset[str]:
        return frozenset({self.name})

    def sample(self, target: Target) -> Sample:
        result = self.script.pop(0)
        return Sample(result, f"saw {result.value}", {"seen": 1.0})

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        return Verdict(samples[-1].result, samples[-1].reason, samples[-1].figures) if samples else Verdict(I, "new")

    def __str__(self) -> str:
        return self.name


def run(gate: Any, looks: int) -> tuple[list[Sample], Verdict]:
    samples = [gate.sample(TARGET) for _ in range(looks)]
    return samples, gate.judge(samples)


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (P, P, P, P),
        (P, F, F, P),
        (P, I, I, P),
        (F, F, F, F),
        (F, I, F, I),
        (I, I, I, I),
    ],
)
def test_and_and_or(a: Result, b: Result, both: Result, either: Result) -> None:
    for first, second in ((a, b), (b, a)):
        for kind, result in ((AllOf, both), (AnyOf, either)):
            (sample,), verdict = run(kind([Scripted("a", [first]), Scripted("b", [second])]), 1)
            assert sample.result is verdict.result is result
            assert [part.result for part in sample.parts] == [first, second]


@pytest.mark.parametrize(("a", "result"), [(P, F), (F, P), (I, I)])
def test_not(a: Result, result: Result) -> None:
    (sample,), verdict = run(Not(Scripted("a", [a])), 1)
    assert sample.result is verdict.result is result
    assert sample.parts[0].result is a


def test_the_reason_names_the_parts_that_decided() -> None:
    _, verdict = run(AllOf([Scripted("a", [P]), Scripted("b", [F]), Scripted("c", [F])]), 1)
    assert verdict.reason == "b: saw failed; c: saw failed"
    assert verdict.figures == {"seen": 1.0, "seen 2": 1.0, "seen 3": 1.0}
    _, verdict = run(AnyOf([Scripted("a", [P]), Scripted("b", [F])]), 1)
    assert verdict.reason == "a: saw passed"


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
def test_in_a_row(looks: list[Result], times: int, failures: int, result: Result, reason: str) -> None:
    _, verdict = run(InARow(Scripted("a", list(looks)), times, failures=failures), len(looks))
    assert (verdict.result, verdict.reason) == (result, reason)


def test_no_look_yet_is_inconclusive() -> None:
    gate = Scripted("a", [])
    for kind in (AllOf([gate]), AnyOf([gate]), Not(gate), InARow(gate, 1), Not(InARow(AnyOf([Not(gate)]), 2))):
        assert kind.judge([]).result is I


def test_a_part_that_raises_has_failed_and_the_others_look_all_the_same() -> None:
    gate = AllOf([FunctionGate(lambda _target: 1 / 0 > 1), Scripted("a", [P])])
    (sample,), verdict = run(gate, 1)
    assert [part.result for part in sample.parts] == [F, P]
    assert "ZeroDivisionError" in verdict.reason
    raising = Scripted("empty", [])
    assert AnyOf([raising]).sample(TARGET).parts == (Sample(F, "IndexError: pop from empty list"),)


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_each_part_is_judged_over_its_own_looks(kind: Any) -> None:
    gate = kind([InARow(Scripted("a", [P, P]), 2), InARow(Scripted("b", [P, P]), 2)])
    samples, verdict = run(gate, 2)
    assert verdict.result is P
    assert gate.judge(samples[:1]).result is I


@pytest.mark.parametrize("result", list(Result))
def test_a_look_that_was_cut_short_from_outside_counts_as_it_says(result: Result) -> None:
    cut = [Sample(result, "no answer from the look itself")]
    gate = Scripted("a", [])
    for kind in (AllOf([gate, gate]), AnyOf([gate, gate]), Not(gate), InARow(gate, 1), Not(Not(gate))):
        assert kind.judge(cut).result is result


def test_times_and_ports_come_from_the_parts() -> None:
    often, seldom = TcpGate("b", interval_s=0.1, deadline_s=5), HttpGate(port="a", interval_s=3, deadline_s=7)
    both = AllOf([often, seldom])
    assert (both.interval_s, both.deadline_s, sorted(both.ports())) == (3, 7, ["a", "b"])
    assert AnyOf([often, TcpGate()]).deadline_s is None
    assert AnyOf([often], interval_s=9, deadline_s=None).interval_s == 9
    for single in (Not(seldom), InARow(seldom, 2)):
        assert (single.interval_s, single.deadline_s, list(single.ports())) == (3, 7, ["a"])


def test_they_say_what_they_do() -> None:
    gate = AnyOf([AllOf([HttpGate("/a"), TcpGate()]), Not(InARow(TcpGate("db"), 3))])
    assert str(gate) == (
        "any of (all of (GET /a on port http; a connection to port http); "
        "not (a connection to port db, 3 times in a row))"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AllOf([]), "AllOf has no gates: give it at least one"),
        (lambda: AnyOf(()), "AnyOf has no gates: give it at least one"),
        (lambda: AllOf(TcpGate()), "gates of AllOf are .*: use a list of gates"),
        (lambda: AllOf([TcpGate(), print]), "gate 2 of AllOf is <built-in function print>, which is no gate"),
        (lambda: AnyOf([TcpGate]), "gate 1 of AnyOf is <class .*, which is no gate"),
        (lambda: Not(True), "the gate of Not is True, which is no gate"),
        (lambda: InARow(5, 1), "the gate of InARow is 5, which is no gate"),
        (lambda: InARow(TcpGate(), 0), "times of gate a connection to port http, 0 times in a row is 0"),
        (lambda: InARow(TcpGate(), 65), "from 1 to 64"),
        (lambda: InARow(TcpGate(), 1.5), "a whole number"),  # type: ignore[arg-type]
        (lambda: InARow(TcpGate(), 2, failures=0), "failures of gate"),
        (lambda: Not(TcpGate(), interval_s=0), "interval_s of gate not"),
    ],
)
def test_a_bad_value_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


# -- laws -----------------------------------------------------------------------------------------------------------

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
