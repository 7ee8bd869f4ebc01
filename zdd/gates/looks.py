"""What gates have in common: one look that can't raise, the judgement by the last look, the looks of a part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zdd.errors import ConfigurationError
from zdd.model.gate import Gate, Target, check_manners, missing_of_gate
from zdd.model.names import check_name
from zdd.model.verdict import Result, Sample, Verdict


def look(gate: Gate, target: Target) -> Sample:
    """Let the gate look once. An exception is a failed look, and its reason."""
    try:
        sample: object = gate.sample(target)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's gate may raise anything, and that is its answer
        return Sample(Result.FAILED, describe(error))
    if isinstance(sample, Sample):
        return sample
    return Sample(Result.FAILED, f"sample() returned {sample!r}: return a zdd Sample")


def describe(error: BaseException) -> str:
    """Say in one line what an exception says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def last_look(samples: Sequence[Sample]) -> Verdict:
    """Conclude what the last look says; inconclusive before the first."""
    if not samples:
        return Verdict(Result.INCONCLUSIVE, "not looked yet")
    return Verdict(samples[-1].result, samples[-1].reason, samples[-1].figures)


def looks_of_part(samples: Sequence[Sample], number: int, parts: int) -> list[Sample]:
    """Return the looks of one of a composite's parts, oldest first.

    A look that never reached the parts, because it was cut short from outside, counts as a look of each of them.
    """
    return [s.parts[number] if len(s.parts) == parts else Sample(s.result, s.reason, s.figures) for s in samples]


def check_gate(what: str, gate: Any) -> Gate:
    """Return `gate` if it has what a gate needs.

    Raises:
        ConfigurationError: It hasn't.
    """
    if missing_of_gate(gate):
        raise ConfigurationError(
            f"{what} is {gate!r}, which is no gate: use one of zdd.gates, for example FunctionGate(your_function)"
        )
    found: Gate = gate
    check_manners(found)
    return found


def check_gates(what: str, gates: Any) -> tuple[Gate, ...]:
    """Return the gates that a composite is made of.

    Raises:
        ConfigurationError: There are none, or one of them is no gate.
    """
    if isinstance(gates, str | bytes) or not isinstance(gates, Iterable):
        raise ConfigurationError(f"gates of {what} are {gates!r}: use a list of gates")
    found = tuple(check_gate(f"gate {number} of {what}", gate) for number, gate in enumerate(gates, 1))
    if not found:
        raise ConfigurationError(f"{what} has no gates: give it at least one")
    return found


def port_names(value: Any) -> tuple[str, ...]:
    """Return names of ports.

    Raises:
        ConfigurationError: One of them can't be the name of a port.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"port_names is {value!r}: use a list of names, for example {[str(value)]!r}")
    return tuple(check_name("port name", name) for name in value)


def latest_deadline_s(gates: Iterable[Gate]) -> float | None:
    """Return the latest of the gates' deadlines in seconds; None, which is the service's, if one of them has none."""
    deadlines = [gate.deadline_s for gate in gates]
    return None if None in deadlines else max(deadline for deadline in deadlines if deadline is not None)
