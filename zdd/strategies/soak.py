"""`Soak`: traffic flows as it is for a while, and is judged."""

from __future__ import annotations

from attrs import field, frozen

from zdd.model.gate import Gate, gate_tuple
from zdd.model.names import check_number
from zdd.model.plan import OnFailure, Stage, to_on_failure
from zdd.strategies.joined import join, join_after
from zdd.strategies.situation import Situation


@frozen
class Soak:
    """Let traffic flow as it is for a while, and judge it. ``RollingUpdate() + Soak(600, gates=…)``.

    Attributes:
        hold_s: For how many seconds.
        gates: What must pass meanwhile.
        on_failure: What a failure means.
    """

    hold_s: float
    gates: tuple[Gate, ...] = field(default=(), kw_only=True, converter=gate_tuple)
    on_failure: OnFailure = field(default=OnFailure.RETREAT, kw_only=True, converter=to_on_failure)

    def __attrs_post_init__(self) -> None:
        check_number("hold_s of Soak", self.hold_s, least=0)

    __add__, __radd__ = join, join_after

    def __str__(self) -> str:
        return f"Soak({self.hold_s:g})"

    def surge(self, situation: Situation) -> int:  # noqa: ARG002 - the protocol's signature
        """Return none: nothing is started."""
        return 0

    def stages(self, situation: Situation) -> tuple[Stage, ...]:
        """Return one stage that changes nothing."""
        deadline_s = situation.deadline_s + self.hold_s
        return (
            Stage(
                f"soak for {self.hold_s:g} s",
                gates=self.gates,
                hold_s=self.hold_s,
                deadline_s=deadline_s,
                on_failure=self.on_failure,
            ),
        )
