"""Stand-ins for a user's gate, action or strategy that was written down and can't be brought back.

A journal must stay readable when the module of a gate has moved, or when the gate was a lambda. What can't be imported
is read as one of these: it says what is missing and what to do, promotes nothing and condemns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.model.action import ActionContext
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample, Verdict


@frozen
class MissingGate:
    """Stands for a gate that can't be brought back. Always inconclusive: it never promotes and never condemns.

    Attributes:
        text: What the gate called itself.
        problem: What is missing, by name, and what to do.
        written: What the journal has of it, as JSON, so that it is found again once it can be imported.
    """

    text: str
    problem: str
    written: str = field(default="null", repr=False)

    @property
    def interval_s(self) -> float:
        """Seconds between two looks: looking more often changes nothing."""
        return 1.0

    @property
    def deadline_s(self) -> float | None:
        """None: the service's."""
        return None

    def ports(self) -> frozenset[str]:
        """Return no port: which ones it looked at is not known any more."""
        return frozenset()

    def sample(self, target: Target) -> Sample:  # noqa: ARG002 - the protocol's signature
        """Say what is missing."""
        return Sample(Result.INCONCLUSIVE, self.problem)

    def judge(self, samples: Sequence[Sample]) -> Verdict:  # noqa: ARG002 - the protocol's signature
        """Say what is missing."""
        return Verdict(Result.INCONCLUSIVE, self.problem)

    def __str__(self) -> str:
        return f"{self.text} (missing)"


@frozen
class MissingAction:
    """Stands for an action that can't be brought back. Running it fails and says why.

    Attributes:
        text: What the action called itself.
        problem: What is missing, by name, and what to do.
        written: What the journal has of it, as JSON, so that it is found again once it can be imported.
    """

    text: str
    problem: str
    written: str = field(default="null", repr=False)

    @property
    def name(self) -> str:
        """What a person sees."""
        return f"{self.text} (missing)"

    @property
    def deadline_s(self) -> float:
        """Seconds within which `run` returns: it fails at once."""
        return 1.0

    def run(self, context: ActionContext) -> str:  # noqa: ARG002 - the protocol's signature
        """Fail.

        Raises:
            ConfigurationError: Always; names what is missing and what to do.
        """
        raise ConfigurationError(self.problem)

    def __str__(self) -> str:
        return self.name


@frozen
class MissingStrategy:
    """Stands for a strategy that can't be brought back. It has no `stages`: another one is needed in its place.

    Attributes:
        text: What the strategy called itself.
        problem: What is missing, by name, and what to do.
        written: What the journal has of it, as JSON, so that it is found again once it can be imported.
    """

    text: str
    problem: str
    written: str = field(default="null", repr=False)

    def __str__(self) -> str:
        return f"{self.text} (missing)"
