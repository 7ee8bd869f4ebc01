"""What can go wrong with one call to the memory world."""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen

from zdd.errors import AdapterError, ConfigurationError, OutcomeUnknown, PermanentError, TemporaryError
from zdd.model.names import check_number, check_text, choice_of


class FaultKind(enum.Enum):
    """What the caller is told."""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


def _kind(value: Any) -> FaultKind:
    return choice_of("kind of a Fault", FaultKind, value)


@frozen
class Fault:
    """Something that goes wrong with one call.

    Attributes:
        method: The method's name, such as ``launch`` or ``apply``; empty: any.
        kind: What the caller is told.
        service: The service's name; empty: any.
        applied_after_s: Of an unknown outcome: seconds after which it takes effect. None: it never does.
        settles_within_s: Of an unknown outcome: what the caller is told of the longest time it can still take.

    Raises:
        ConfigurationError: It would take effect although the caller is told that nothing was changed, or later than
            the caller is told.
    """

    method: str = ""
    kind: FaultKind = field(default=FaultKind.TEMPORARY, converter=_kind)
    service: str = ""
    applied_after_s: float | None = None
    settles_within_s: float = 10.0

    def __attrs_post_init__(self) -> None:
        check_text("method of a Fault", self.method)
        check_text("service of a Fault", self.service)
        check_number("settles_within_s of a Fault", self.settles_within_s, least=0)
        if self.applied_after_s is not None:
            check_number("applied_after_s of a Fault", self.applied_after_s, least=0)
        late_s = self.applied_after_s
        if late_s is not None and (self.kind is not FaultKind.UNKNOWN or not 0 <= late_s <= self.settles_within_s):
            raise ConfigurationError(
                f"applied_after_s is {late_s} for a fault of kind {self.kind.value!r} that settles within "
                f"{self.settles_within_s} s: use the kind 'unknown', and a time of at most settles_within_s"
            )

    def matches(self, method: str, service: str) -> bool:
        """Say whether it is about this call."""
        return self.method in ("", method) and self.service in ("", service)

    def error(self, method: str) -> AdapterError:
        """Return what the caller is told."""
        if self.kind is FaultKind.UNKNOWN:
            return OutcomeUnknown(f"{method}: no answer", settles_within_s=self.settles_within_s)
        if self.kind is FaultKind.PERMANENT:
            return PermanentError(f"{method}: refused")
        return TemporaryError(f"{method}: not now")
