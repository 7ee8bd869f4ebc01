"""What gates have in common: a look never raises, and what is no gate is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import ConfigurationError
from zdd.gates import TcpGate
from zdd.gates.looks import check_gate, describe, last_look, latest_deadline_s, look, looks_of_part, port_names
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict

TARGET = Target("web", "1.0", "r1", "web-1")


class Answering:
    """A gate whose look is what it was given: an answer, or what it raises."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def sample(self, _target: Target) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "sample"),
    [
        (Sample(Result.PASSED, "fine"), Sample(Result.PASSED, "fine")),
        (ValueError("bad\n  line"), Sample(Result.FAILED, "ValueError: bad line")),
        (SystemExit(3), Sample(Result.FAILED, "SystemExit: 3")),
        (RuntimeError(), Sample(Result.FAILED, "RuntimeError")),
        (True, Sample(Result.FAILED, "sample() returned True: return a zdd Sample")),
        (None, Sample(Result.FAILED, "sample() returned None: return a zdd Sample")),
    ],
)
def test_a_look_is_always_a_sample(answer: Any, sample: Sample) -> None:
    gate: Any = Answering(answer)
    assert look(gate, TARGET) == sample


def test_ctrl_c_is_no_answer_of_a_gate() -> None:
    gate: Any = Answering(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        look(gate, TARGET)


def test_an_exception_is_one_line() -> None:
    assert describe(ValueError("two\nlines  and\ttabs")) == "ValueError: two lines and tabs"
    assert describe(ValueError()) == "ValueError"


def test_the_last_look_decides_and_before_the_first_nothing_is_decided() -> None:
    first, last = Sample(Result.FAILED, "no"), Sample(Result.PASSED, "yes", {"ms": 2.0})
    assert last_look([first, last]) == Verdict(Result.PASSED, "yes", {"ms": 2.0})
    assert last_look([]) == Verdict(Result.INCONCLUSIVE, "not looked yet")


def test_a_look_that_never_reached_the_parts_counts_as_one_of_each() -> None:
    parts = (Sample(Result.PASSED, "a"), Sample(Result.FAILED, "b"))
    whole, cut = Sample(Result.FAILED, "b", {}, parts), Sample(Result.FAILED, "no answer", {"seconds": 5.0})
    assert looks_of_part([whole, cut], 0, 2) == [parts[0], cut]
    assert looks_of_part([whole, cut], 1, 2) == [parts[1], cut]


def test_the_latest_deadline_is_the_services_if_one_of_them_has_none() -> None:
    assert latest_deadline_s([TcpGate(deadline_s=5), TcpGate(deadline_s=7)]) == 7
    assert latest_deadline_s([TcpGate(deadline_s=5), TcpGate()]) is None


@pytest.mark.parametrize("value", [5, None, print, TcpGate])
def test_what_is_no_gate_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"gate 1 of X is .*, which is no gate: use one of zdd\.gates"):
        check_gate("gate 1 of X", value)


@pytest.mark.parametrize(
    ("value", "message"),
    [("http", r"port_names is 'http': use a list of names, for example \['http'\]"), (["a b"], "port name 'a b'")],
)
def test_names_of_ports_are_a_list_of_names(value: Any, message: str) -> None:
    assert port_names(["http", "admin"]) == ("http", "admin")
    with pytest.raises(ConfigurationError, match=message):
        port_names(value)
