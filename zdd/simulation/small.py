"""Small worlds, played exhaustively: where a few hundred seeds would miss the one moment that matters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from attrs import evolve

from zdd.adapters.memory import Behaviour
from zdd.model.plan import OnFailure
from zdd.model.service import Overlap, Service
from zdd.model.verdict import Result as Says
from zdd.simulation.run import Result
from zdd.simulation.scenario import SERVICE, Means, Scenario, Step, StrategyKind
from zdd.simulation.trouble import FaultClass, Trouble

REPLICAS = 3

TIMES_S = (0.5, 1.2, 2.0, 3.0, 5.0, 8.0)
"""When the events of an order happen, in seconds after the deployment began."""

EVENTS = (
    Trouble(FaultClass.CRASH, 0, pick=1),
    Trouble(FaultClass.FLAPPING, 0, for_s=9.0, pick=2),
    Trouble(FaultClass.EDGE_CUT_OFF, 0, for_s=1.0),
    Trouble(FaultClass.LATE, 0, for_s=2.0),
    Trouble(FaultClass.STALE_LIST, 0, pick=2),
    Trouble(FaultClass.DEPLOYER_KILLED, 0),
)
"""The six events of which every order is played."""

MOMENTS_S = tuple(number / 4 for number in range(48))
"""The moments at which a single event is played: every quarter of a second."""


def world(
    kind: StrategyKind, *, replicas: int = REPLICAS, startup_s: float = 1.0, gate: Says | None = None
) -> Scenario:
    """Return a life of a small service, in cells of one, with one deployment and nothing going wrong."""
    service = Service(
        SERVICE,
        replicas=replicas,
        cells=replicas,
        overlap=Overlap.FORBIDDEN if kind is StrategyKind.RECREATE else Overlap.ALLOWED,
        start_deadline_s=20.0,
        drain_deadline_s=8.0,
        stop_grace_s=1.0,
    )
    step = Step(
        "2.0", Means.DEPLOY, kind, 0, (30, 100), 2.0, gate, OnFailure.RETREAT, (Means.RESUME,) * 8, 16.0
    )  # fmt: skip
    behaviour = Behaviour(startup_s=startup_s)
    return Scenario(tuple(StrategyKind).index(kind), kind, service, True, (0.1, 0.5), 0.0, behaviour, 0.0, (step,), ())


def orders(kind: StrategyKind) -> Iterator[Scenario]:
    """Return a life for every order in which the six events can happen."""
    small = world(kind)
    for events in permutations(EVENTS):
        yield evolve(
            small, troubles=tuple(evolve(one, after_s=at_s) for one, at_s in zip(events, TIMES_S, strict=True))
        )


def moments(small: Scenario, event: Trouble) -> Iterator[Scenario]:
    """Return a life for every moment at which one event can happen."""
    for at_s in MOMENTS_S:
        yield evolve(small, troubles=(*small.troubles, evolve(event, after_s=at_s)))


def killed(small: Scenario, *calls: int) -> Scenario:
    """Return a life in which a deployer is killed before its call of that number, and its successor before its own.

    Calls are counted from the first that is made under a lease; writes to the journal are among them. To be killed
    after one is to be killed before the next.
    """
    return evolve(small, troubles=tuple(Trouble(FaultClass.DEPLOYER_KILLED, 0, pick=call) for call in calls))


def crash_pairs(kind: StrategyKind, calls: int, every: int = 1) -> Iterator[Scenario]:
    """Return a life for every pair of such kills, of the deployer and of its successor; or for only some of them."""
    small = world(kind, replicas=2)
    pairs = ((first, second) for first in range(calls) for second in range(first + 1, first + calls))
    for number, pair in enumerate(pairs):
        if number % every == 0:
            yield killed(small, *pair)


def pauses(small: Scenario, calls: int, for_s: float) -> Iterator[Scenario]:
    """Return a life for every call before which a deployer can be paused so long, with another one about to begin."""
    for call in range(calls):
        yield evolve(small, troubles=(Trouble(FaultClass.DEPLOYER_PAUSED, 0, for_s=for_s, pick=call),))


def was_killed(result: Result) -> bool:
    """Tell whether a deployer was killed in a life."""
    return any(mark.startswith("killed at") for mark in result.marks)
