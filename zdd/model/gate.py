"""A gate: the question whether something may go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.cached import cached_property
from zdd.model.cell import place_key
from zdd.model.names import check_number
from zdd.model.verdict import Result, Sample, Verdict

if TYPE_CHECKING:
    from zdd.model.address import Address

DAY_S = 24 * 3600.0


@frozen(slots=False)
class Target:
    """What a gate looks at.

    An admission gate looks at one instance at that instance's own address. A stage's gate looks at the service
    while it has traffic: its target names every instance of the rising revision and the service's stable addresses.

    Attributes:
        service: The service's name.
        version: The version that is judged.
        revision: The id of the revision that is judged.
        instance: The instance's id; empty for a stage's gate.
        addresses: Port name → address of the instance; for a stage's gate, of the service at its edges.
        instances: For a stage's gate: instance id → (port name → address) of the rising revision.
    """

    service: str
    version: str
    revision: str
    instance: str = ""
    addresses: Mapping[str, Address] = field(factory=dict)
    instances: Mapping[str, Mapping[str, Address]] = field(factory=dict)

    @cached_property
    def key(self) -> str:
        """Tells this target from the others: a replacement, or another address, is another target."""
        return place_key(self.instance or self.service, self.revision, self.addresses)


def gate_tuple(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return the gates as a tuple: what attrs classes convert their ``gates`` with.

    Raises:
        ConfigurationError: It isn't a list of gates.
    """
    if isinstance(gates, str) or not isinstance(gates, Iterable):
        raise ConfigurationError(f"gates={gates!r}: use a list of gates, for example [zdd.HttpGate('/health')]")
    found = tuple(gates)
    for gate in found:
        missing = missing_of_gate(gate)
        if missing and callable(gate) and not isinstance(gate, type):
            raise ConfigurationError(f"gate {gate!r} is a function: use zdd.FunctionGate(…) of it")
        if missing:
            raise ConfigurationError(f"gate {gate!r} has no {missing}: use an object such as zdd.HttpGate('/health')")
        check_manners(gate)
    return found


def check_manners(gate: Gate) -> None:
    """Check what a gate says of itself, so that one of a user's own is not found out in the middle of a deployment.

    Raises:
        ConfigurationError: It can't be shown, or one of its times is no number of seconds that makes sense.
    """
    try:
        str(gate)
    except Exception as error:
        raise ConfigurationError(
            f"a gate of the class {type(gate).__name__} can't be shown, its __str__ raises {type(error).__name__}: "
            "let it return a text"
        ) from error
    check_pace(gate)


def check_pace(gate: Gate, *, timeout_s: float | None = None) -> None:
    """Check the times of a gate.

    Raises:
        ConfigurationError: One of them isn't a number of seconds that makes sense.
    """
    check_number(f"interval_s of gate {gate}", gate.interval_s, least=0.01, most=DAY_S)
    if gate.deadline_s is not None:
        check_number(f"deadline_s of gate {gate}", gate.deadline_s, least=0.01, most=7 * DAY_S)
    if timeout_s is not None:
        check_number(f"timeout_s of gate {gate}", timeout_s, least=0.01, most=DAY_S)


def shown(gate: Gate) -> str:
    """Return what a gate calls itself; that of its class if it fails to say. Never raises."""
    try:
        return str(gate)
    except Exception:  # noqa: BLE001 - a user's gate may raise anything, and must not stop the driver
        return type(gate).__name__


def missing_of_gate(value: object) -> str:
    """Return what it lacks to be a gate; empty: nothing. A class lacks it all: it is to be called first."""
    methods = ("sample", "judge", "ports")
    missing = [name for name in methods if isinstance(value, type) or not callable(getattr(value, name, None))]
    missing += [name for name in ("interval_s", "deadline_s") if not hasattr(value, name)]
    return missing[0] if missing else ""


def conclude(gate: Gate, samples: Sequence[Sample]) -> Verdict:
    """Return what the gate concludes. What it raises, or returns in place of a verdict, is a failed one."""
    try:
        verdict: object = gate.judge(samples)
    except Exception as error:  # noqa: BLE001 - a user's gate may raise anything, and must not stop the driver
        return Verdict(Result.FAILED, f"judge() of gate {shown(gate)} raised {type(error).__name__}: {error}")
    if isinstance(verdict, Verdict):
        return verdict
    return Verdict(Result.FAILED, f"judge() of gate {shown(gate)} returned {verdict!r}: return a zdd Verdict")


class Gate(Protocol):
    """The question whether something may go on.

    `sample` does the I/O, beside the driver and never inside it, and may block up to `timeout_s`; `judge` is a pure
    function of the samples so far, oldest first. An exception from `sample` counts as one failed look whose reason is
    the exception, and one from `judge` as a failed verdict. A gate that is to survive the deployer's process is an
    attrs class that can be imported by its name.
    """

    @property
    def interval_s(self) -> float:
        """Seconds between the end of one look and the start of the next."""

    @property
    def deadline_s(self) -> float | None:
        """Seconds within which the gate must pass, from when it could first have been asked. None: the service's."""

    def ports(self) -> frozenset[str]:
        """The names of the ports it looks at, so that an unknown one is refused before anything is touched."""

    def sample(self, target: Target) -> Sample:
        """Look once."""

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude from the samples so far, oldest first; none is inconclusive."""
