"""A rule of the safe order, and what it says to a proposal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from zdd.reconciler.picture import Picture
from zdd.reconciler.proposals import Proposal, Shift, Tally


@frozen(slots=False)
class Refusal:
    """Why a proposal has to wait.

    Attributes:
        guard: The guard's name.
        reason: One line for a person: what is awaited.
        until_s: When it is worth looking again at the latest, in seconds since the epoch.
    """

    guard: str
    reason: str
    until_s: float


Check = Callable[[Picture, Any, Tally], str | tuple[str, float] | None]
"""What looks at a proposal of the kinds that its guard is about."""


@frozen
class Guard:
    """A rule of the safe order.

    Attributes:
        name: What tests and waits call it.
        rule: The rule, in one sentence.
        check: Returns None, or why the proposal must wait (and until when, if that is not the stage's deadline).
        about: The kinds of proposals it is asked about: commands, and what can happen to traffic; none: all.
    """

    name: str
    rule: str
    check: Check
    about: tuple[type | Shift, ...] = ()


def concerned(guards: Sequence[Guard], kind: type | Shift) -> tuple[Guard, ...]:
    """Return the guards that are asked about a kind of proposals, in their order."""
    return tuple([guard for guard in guards if not guard.about or kind in guard.about])


def permit(picture: Picture, proposal: Proposal, tally: Tally, guards: Sequence[Guard]) -> Refusal | None:
    """Return None if each of the guards, which are about its kind, allows the proposal, or the first refusal."""
    for guard in guards:
        answer = guard.check(picture, proposal, tally)
        if answer is not None:
            reason, until_s = (answer, picture.deadline_s) if isinstance(answer, str) else answer
            return Refusal(guard.name, reason, until_s)
    return None
