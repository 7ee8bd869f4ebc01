"""A gate that is a user's function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from zdd.errors import ConfigurationError
from zdd.gates.looks import describe, last_look, port_names
from zdd.model.function import function_name, function_of_one
from zdd.model.gate import Target, check_pace
from zdd.model.verdict import Result, Sample, Verdict

Answer = bool | Sample | None
"""What a user's function may say: yes, no, don't know (None), or all that it saw."""


def _function(value: Any) -> Callable[[Target], Answer]:
    return function_of_one(value, "a gate", "the target")


def _text(value: Any) -> str:
    if value is not None and (not isinstance(value, str) or not value.isprintable()):
        raise ConfigurationError(f"name of a function gate is {value!r}: use one line of text")
    return value or ""


@frozen
class FunctionGate:
    """Asks a user's function about the target.

    The function returns True (passed), False (failed), None (inconclusive) or a `Sample`, which can carry a reason and
    figures. An exception is a failed look, and its reason. It may block; nothing cuts it short, so give what it calls
    a time-out. To be found again by a later deployer, it must be defined at the top level of a module.

    Attributes:
        function: Called with the `Target`.
        name: What a person sees; empty: the function's own name.
        port_names: Ports of the service that it looks at, so that an unknown one is refused beforehand.
        interval_s: Seconds between two looks.
        deadline_s: Seconds within which it must pass. None: the service's.

    Raises:
        ConfigurationError: The function can't be called with one argument, or a value is illegal.
    """

    function: Callable[[Target], Answer] = field(converter=_function)
    name: str = field(default="", converter=_text)
    port_names: Sequence[str] = field(default=(), kw_only=True, converter=port_names)
    interval_s: float = field(default=1.0, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_pace(self)

    def ports(self) -> frozenset[str]:
        """Return the ports that were given."""
        return frozenset(self.port_names)

    def sample(self, target: Target) -> Sample:
        """Call the function once."""
        try:
            return _sample(self.function(target))
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything, and that is its answer
            return Sample(Result.FAILED, describe(error))

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude what the last look says."""
        return last_look(samples)

    def __str__(self) -> str:
        return self.name or function_name(self.function)


def _sample(answer: object) -> Sample:
    if answer is None:
        return Sample(Result.INCONCLUSIVE, "returned None")
    if isinstance(answer, bool) or _is_numpy_bool(answer):
        return Sample(Result.PASSED if answer else Result.FAILED, f"returned {bool(answer)}")
    if isinstance(answer, Sample) and isinstance(answer.result, Result):
        return evolve(answer, reason=str(answer.reason), figures=_figures(answer.figures))
    return Sample(Result.FAILED, f"returned {answer!r}: return True, False, None or a zdd Sample")


def _figures(figures: Mapping[str, float]) -> dict[str, float]:
    """Return plain numbers, which the journal can keep, of whatever kind of number they were."""
    return {str(name): float(value) for name, value in figures.items()}


def _is_numpy_bool(answer: object) -> bool:
    """Tell whether it is what comparing two of numpy's numbers returns, without importing numpy."""
    return type(answer).__module__ == "numpy" and type(answer).__name__ in {"bool", "bool_"}
