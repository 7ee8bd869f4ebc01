"""What can go wrong in a simulated life, class by class."""

from __future__ import annotations

import enum

from attrs import frozen

from zdd.adapters.memory import Behaviour, Fault, FaultKind


class FaultClass(enum.Enum):
    """A kind of trouble. Each is on or off as a whole in a scenario, so that each is also met alone."""

    SLOW = "slow to start"
    NEVER_READY = "never ready"
    UNHEALTHY = "never healthy"
    HANGING = "hangs"
    CRASHING = "crashes again and again"
    LYING = "healthy until it has traffic"
    FAILING = "ready, then failed"
    STUBBORN = "long requests and connections"
    CRASH = "an instance crashes"
    FLAPPING = "an instance is sick for a while"
    CONFLICT = "a write is refused for now"
    REFUSED = "a write is refused for good"
    UNSEEN = "a look fails"
    UNANSWERED = "applied, not answered"
    LATE = "applied late, not answered"
    LOST = "not applied, not answered"
    STALE_LIST = "stale list"
    EDGE_LAG = "an edge lags"
    EDGE_STUCK = "an edge is stuck"
    EDGE_CUT_OFF = "an edge can't be asked"
    EDGE_RELOADED = "an edge is reloaded"
    SCALED_BY_HAND = "scaled by hand"
    KILLED_BY_HAND = "killed by hand"
    REGISTERED_BY_HAND = "registered by hand"
    DEPLOYER_KILLED = "deployer killed"
    DEPLOYER_INTERRUPTED = "deployer interrupted"
    DEPLOYER_PAUSED = "deployer paused"
    SECOND_DEPLOYER = "second deployer"
    LEASE_FAILS = "the lease can't be renewed"
    JOURNAL_DAMAGED = "the journal is damaged"
    JOURNAL_FULL = "the journal can't be written"
    JOURNAL_BUSY = "another one writes the journal"
    JOURNAL_UNANSWERED = "journal written, not answered"
    TAKEN_OVER = "killed, another machine recovers"
    ORDERED = "somebody gives orders"


BEHAVIOURS: dict[FaultClass, tuple[Behaviour, ...]] = {
    FaultClass.SLOW: (Behaviour(startup_s=4.0, stop_s=3.0), Behaviour(startup_s=8.0), Behaviour(startup_s=40.0)),
    FaultClass.NEVER_READY: (Behaviour(never_ready=True),),
    FaultClass.UNHEALTHY: (Behaviour(healthy=False),),
    FaultClass.HANGING: (Behaviour(hangs=True),),
    FaultClass.CRASHING: (
        Behaviour(crashes_after_s=0.5),
        Behaviour(crashes_after_s=3.0),
        Behaviour(crashes_after_s=25),
    ),
    FaultClass.LYING: (Behaviour(errors_under_traffic=True),),
    FaultClass.FAILING: (Behaviour(fails_after_s=4.0),),
    FaultClass.STUBBORN: (Behaviour(request_s=2.0), Behaviour(request_s=20.0), Behaviour(long_connections=1)),
}
"""Classes that are a property of a version, and the ways in which its instances then behave."""

WRITES = ("launch", "change", "scale", "retire", "apply")
CHANGES = (*WRITES, "tidy")
"""Every call that changes something. What goes wrong with the last is drawn by itself."""

READS = ("observe", "registrations", "view")

JOURNAL_FAULTS = (
    FaultClass.JOURNAL_DAMAGED,
    FaultClass.JOURNAL_FULL,
    FaultClass.JOURNAL_BUSY,
    FaultClass.JOURNAL_UNANSWERED,
)
"""What goes wrong with the journal."""

DRAWN_APART = (*JOURNAL_FAULTS, FaultClass.TAKEN_OVER)
"""Classes that are drawn by themselves, so that without them every life is as it was before there were any."""

ASKED_FOR = (FaultClass.ORDERED,)
"""Classes that are in a life only if that is asked for: see `Scenario.with_orders`."""

THREADED = (FaultClass.DEPLOYER_PAUSED, FaultClass.SECOND_DEPLOYER)
"""Classes in which two deployers are alive at once."""


@frozen
class Trouble:
    """One thing that goes wrong, drawn beforehand, so that it can be left out without changing the rest.

    Attributes:
        kind: Its class.
        step: In which deployment, by number; for a property of a version, in that deployment's version.
        after_s: Seconds after that deployment began.
        for_s: For how many seconds it lasts, where it does.
        pick: Chooses the instance, the edge or the call it happens to.
        method: For calls: which; empty: any.
    """

    kind: FaultClass
    step: int
    after_s: float = 0.0
    for_s: float = 0.0
    pick: int = 0
    method: str = ""

    def __str__(self) -> str:
        what = f" {self.method}" if self.method else ""
        return (
            f"{self.kind.value}{what} (deployment {self.step + 1}, {self.after_s:g} s, {self.for_s:g} s, {self.pick})"
        )


BEHIND_S = (1.5, 3.0, 6.0)
"""How many seconds an edge that lags is behind discovery."""

SETTLES_S = 5.0
"""What a caller is told of the longest time in which an unanswered request can still take effect."""


def call_fault(trouble: Trouble) -> Fault | None:
    """Return what goes wrong with the next call that it matches; None: it is not about calls."""
    match trouble.kind:
        case FaultClass.CONFLICT | FaultClass.UNSEEN:
            return Fault(trouble.method, FaultKind.TEMPORARY)
        case FaultClass.REFUSED:
            return Fault(trouble.method, FaultKind.PERMANENT)
        case FaultClass.UNANSWERED:
            return Fault(trouble.method, FaultKind.UNKNOWN, applied_after_s=0.0, settles_within_s=SETTLES_S)
        case FaultClass.LATE:
            late_s = min(max(trouble.for_s, 0.1), SETTLES_S)
            return Fault(trouble.method, FaultKind.UNKNOWN, applied_after_s=late_s, settles_within_s=SETTLES_S)
        case FaultClass.LOST:
            return Fault(trouble.method, FaultKind.UNKNOWN, applied_after_s=None, settles_within_s=SETTLES_S)
    return None
