"""A user's function, whatever it returns."""

from __future__ import annotations

import math
from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import FunctionGate
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample

TARGET = Target("web", "1.0", "r1", "web-1")


def returning(value: Any) -> FunctionGate:
    return FunctionGate(lambda _target: value, name="check")


@pytest.mark.parametrize(
    ("value", "sample"),
    [
        (True, Sample(Result.PASSED, "returned True")),
        (False, Sample(Result.FAILED, "returned False")),
        (None, Sample(Result.INCONCLUSIVE, "returned None")),
        (Sample(Result.PASSED, "p95 12 ms", {"p95_ms": 12}), Sample(Result.PASSED, "p95 12 ms", {"p95_ms": 12.0})),
        ("ok", Sample(Result.FAILED, "returned 'ok': return True, False, None or a zdd Sample")),
        (1, Sample(Result.FAILED, "returned 1: return True, False, None or a zdd Sample")),
    ],
)
def test_what_it_returns_is_the_look(value: Any, sample: Sample) -> None:
    assert returning(value).sample(TARGET) == sample


def test_an_exception_is_a_failed_look_and_its_reason() -> None:
    sample = FunctionGate(lambda target: target.addresses["http"]).sample(TARGET)
    assert sample == Sample(Result.FAILED, "KeyError: 'http'")


def test_a_figure_that_is_no_number_is_a_failed_look() -> None:
    sample = returning(Sample(Result.PASSED, "", {"p95": "fast"})).sample(TARGET)  # type: ignore[dict-item]
    assert sample.result is Result.FAILED
    assert "ValueError" in sample.reason


def test_the_boolean_of_a_comparison_of_arrays_counts() -> None:
    kind = type("bool_", (), {"__module__": "numpy", "__bool__": lambda _self: False})
    assert returning(kind()).sample(TARGET) == Sample(Result.FAILED, "returned False")


def test_it_is_given_the_target() -> None:
    seen: list[Target] = []
    FunctionGate(lambda target: bool(seen.append(target))).sample(TARGET)  # type: ignore[func-returns-value]
    assert seen == [TARGET]


def test_the_last_look_decides() -> None:
    gate = returning(True)
    assert gate.judge([]).result is Result.INCONCLUSIVE
    assert gate.judge([Sample(Result.PASSED), Sample(Result.FAILED)]).result is Result.FAILED


def test_it_says_what_it_does() -> None:
    def fast_enough(target: Target) -> bool:
        return True

    assert str(FunctionGate(fast_enough)) == "fast_enough"
    assert str(FunctionGate(fast_enough, name="p95 below 200 ms")) == "p95 below 200 ms"
    assert FunctionGate(fast_enough).ports() == frozenset()
    assert FunctionGate(fast_enough, port_names=["http"]).ports() == {"http"}
    assert FunctionGate(math.isnan).sample(TARGET).result is Result.FAILED  # not every builtin tells its arguments


async def asynchronous(target: Target) -> bool:
    return True


class Asynchronous:
    async def __call__(self, target: Target) -> bool:
        return True


def of_two(target: Target, limit: float) -> bool:
    return True


@pytest.mark.parametrize(
    ("function", "values", "message"),
    [
        (5, {}, "function of a gate is 5: use a function of one argument"),
        (asynchronous, {}, "function asynchronous of a gate is async"),
        (Asynchronous(), {}, "is async"),
        (of_two, {}, "function of_two of a gate can't be called with one argument, the target: missing a required"),
        (lambda: True, {}, "can't be called with one argument"),
        (print, {"name": "a\nb"}, "name of a function gate"),
        (print, {"name": 5}, "name of a function gate"),
        (print, {"port_names": "http"}, r"port_names is 'http': use a list of names, for example \['http'\]"),
        (print, {"port_names": ["HTTP"]}, "port name 'HTTP'"),
        (print, {"interval_s": 0}, "interval_s of gate print is 0"),
        (print, {"deadline_s": "soon"}, "deadline_s of gate print is 'soon'"),
    ],
)
def test_a_bad_value_is_refused_by_name(function: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FunctionGate(function, **values)
