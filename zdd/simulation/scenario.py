"""A life of a service, drawn whole from one number: what it is, what is deployed, and what goes wrong."""

from __future__ import annotations

import enum
from collections.abc import Collection
from random import Random

from attrs import evolve, frozen

from zdd.adapters.memory import Behaviour
from zdd.model.plan import OnFailure
from zdd.model.service import Exposure, Overlap, Service
from zdd.model.verdict import Result
from zdd.simulation.trouble import ASKED_FOR, BEHAVIOURS, DRAWN_APART, READS, WRITES, FaultClass, Trouble

SERVICE = "web"
CLASSES_AT_ONCE = (0, 1, 1, 2, 2, 3, 4, 6, 9)
"""How many classes of faults are on at once: alone, few, or many."""

APART_AT_ONCE = (0, 0, 0, 1, 1, 2)
"""How many of those that are drawn apart are on at once, besides."""


TIDYING_FAILS = 0.2
"""In how many lives something goes wrong when what commands left behind is put right."""

SLOW_EDGES = 1 / 6
"""In how many lives an edge, and perhaps discovery too, follows seconds late all the time."""

ENDS_SOON = (
    (),
    (),
    (FaultClass.DEPLOYER_KILLED,),
    (FaultClass.DEPLOYER_INTERRUPTED, FaultClass.DEPLOYER_INTERRUPTED),
)
"""By what deployers end there, besides."""

CALLS = (FaultClass.CONFLICT, FaultClass.REFUSED, FaultClass.UNANSWERED, FaultClass.LATE, FaultClass.LOST)
"""What goes wrong with a call that changes something."""

_ORDER = {kind: number for number, kind in enumerate(FaultClass)}

OFTEN = ("launch", "apply", "apply", "apply", "apply")
"""Writes that are made in most lives: what goes wrong with the others often finds none of them."""


class StrategyKind(enum.Enum):
    """Which strategy a scenario is about. The seed's remainder chooses it."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue/green"
    CANARY = "canary"
    RECREATE = "recreate"


class Means(enum.Enum):
    """What an operator does."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESUME = "resume"


@frozen
class Step:
    """One deployment of a life.

    Attributes:
        version: What is deployed.
        means: Deployed, or gone back to.
        strategy: By which strategy.
        batch: How many at once, for a rolling update; 0: the default.
        shares: The steps of a canary in percent.
        hold_s: The hold time of its stages in seconds.
        gate: What the gate of its stages says; None: it has none.
        on_failure: What a failing stage means.
        retries: What the next deployer does after this one was killed, in turn.
        pause_s: How long until the next deployer comes, in seconds.
    """

    version: str
    means: Means
    strategy: StrategyKind
    batch: int
    shares: tuple[int, ...]
    hold_s: float
    gate: Result | None
    on_failure: OnFailure
    retries: tuple[Means, ...]
    pause_s: float


@frozen
class Scenario:
    """A life of a service.

    Attributes:
        seed: What it was drawn from.
        kind: Which strategy it is about.
        service: How the service wants to be treated.
        cell_per_instance: The orchestrator's cells cost nothing.
        edge_lags_s: For each edge, the seconds until it follows discovery.
        discovery_lag_s: Seconds until discovery has taken in what it was told.
        behaviour: How instances behave that nothing is wrong with.
        looks_s: For how many seconds a gate looks, at most.
        steps: What is deployed, in order.
        troubles: What goes wrong.
    """

    seed: int
    kind: StrategyKind
    service: Service
    cell_per_instance: bool
    edge_lags_s: tuple[float, ...]
    discovery_lag_s: float
    behaviour: Behaviour
    looks_s: float
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...]

    @property
    def classes(self) -> tuple[FaultClass, ...]:
        """The classes of faults that are in it."""
        return tuple(dict.fromkeys(trouble.kind for trouble in self.troubles))

    def with_orders(self) -> Scenario:
        """Return it with orders that somebody gives; everything else in it is the same."""
        chance = _chance(self.seed, FaultClass.ORDERED.name)
        return evolve(self, troubles=(*self.troubles, *_of_class(chance, FaultClass.ORDERED, len(self.steps))))

    def without(self, classes: Collection[FaultClass]) -> Scenario:
        """Return it without what these classes bring."""
        return evolve(self, troubles=tuple(one for one in self.troubles if one.kind not in classes))


def draw(seed: int, *, faults: bool = True, slow_edges: bool = True) -> Scenario:
    """Draw a scenario. The same seed gives the same scenario in every process and on every machine.

    Args:
        seed: Any whole number from 0. Its remainder by the number of strategies chooses the strategy.
        faults: False: nothing goes wrong, and nothing else differs.
        slow_edges: False: no edge follows seconds late from the beginning, and nothing else differs.
    """
    kinds = tuple(StrategyKind)
    kind = kinds[seed % len(kinds)]
    service, cell_per_instance = _service(_chance(seed, "service"), kind)
    around = _chance(seed, "surroundings")
    steps = _steps(_chance(seed, "strategies"), kind, _largest(service, cell_per_instance))
    scenario = Scenario(
        seed,
        kind,
        service,
        cell_per_instance,
        tuple(around.choice((0.0, 0.1, 0.1, 0.5)) for _ in range(around.choice((1, 1, 2)))),
        around.choice((0.0, 0.0, 0.0, 0.3, 2.0)),
        _behaviour(around),
        around.choice((0.0, 0.0, 0.2, 1.0)),
        steps,
        _troubles(seed, len(steps)) if faults else (),
    )
    return _slower(_chance(seed, "slow edges"), scenario, faults=faults) if slow_edges else scenario


def _chance(seed: int, concern: str) -> Random:
    # Text seeds a generator by its digest, never by its hash, so every process draws the same.
    return Random(f"{seed}/{concern}")  # noqa: S311 - nothing is kept secret by it


def _service(chance: Random, kind: StrategyKind) -> tuple[Service, bool]:
    replicas = chance.choice((1, 2, 2, 3, 3, 4, 5, 8))
    forbidden = kind is StrategyKind.RECREATE
    floor = None if forbidden or chance.random() < 0.5 else chance.randint(0, replicas)
    per_instance = chance.random() < 0.5
    service = Service(
        SERVICE,
        replicas=replicas,
        floor=floor,
        cells=None if chance.random() < 0.3 else chance.randint(1, replicas),
        overlap=Overlap.FORBIDDEN if forbidden else Overlap.ALLOWED,
        exposures=chance.choice(((Exposure(),),) * 5 + ((), (Exposure(), Exposure("admin")))),
        start_deadline_s=chance.choice((10.0, 12.0, 20.0)),
        drain_deadline_s=chance.choice((2.0, 8.0)),
        stop_grace_s=chance.choice((1.0, 5.0)),
        settle_s=chance.choice((0.0, 0.0, 2.0)),
    )
    return service, per_instance


def _slower(chance: Random, scenario: Scenario, *, faults: bool) -> Scenario:
    """Draw whether an edge follows late, though always within the time that an edge has; whether discovery does, too.

    Whoever goes on comes soon then, and in every other such life he has to: else all edges have followed by then.
    """
    if chance.random() >= SLOW_EDGES:
        return scenario
    lags_s = list(scenario.edge_lags_s)
    lags_s[chance.randrange(len(lags_s))] = chance.choice((1.0, 2.0, 2.5, 3.0, 4.0))
    discovery_lag_s = chance.choice((scenario.discovery_lag_s, scenario.discovery_lag_s, 1.0, 3.0))
    steps = tuple(evolve(step, pause_s=1.0) for step in scenario.steps)
    ends = [
        Trouble(kind, chance.randrange(len(steps)), chance.randrange(60) / 4, pick=chance.randrange(6))
        for kind in chance.choice(ENDS_SOON)
    ]
    troubles = sorted((*scenario.troubles, *ends), key=lambda one: _ORDER[one.kind]) if faults else ()
    return evolve(
        scenario,
        edge_lags_s=tuple(lags_s),
        discovery_lag_s=discovery_lag_s,
        steps=steps,
        troubles=tuple(troubles),
    )


def _behaviour(chance: Random) -> Behaviour:
    return Behaviour(
        startup_s=chance.choice((0.5, 1.0, 3.0)),
        stop_s=chance.choice((0.1, 0.5, 3.0)),
        request_s=chance.choice((0.2, 0.2, 1.5, 6.0)),
    )


def _largest(service: Service, cell_per_instance: bool) -> int:
    """Return the size of the largest cell: no batch can be smaller."""
    cells = min(service.cells or (service.replicas if cell_per_instance else 1), service.replicas)
    return -(-service.replicas // cells)


def _steps(chance: Random, kind: StrategyKind, largest: int) -> tuple[Step, ...]:
    count = chance.choice((1, 1, 2, 3))
    versions = [f"{number + 2}.0" for number in range(count)]
    return tuple(_step(chance, kind, version, number, largest) for number, version in enumerate(versions))


def _step(chance: Random, kind: StrategyKind, version: str, number: int, largest: int) -> Step:
    others = (StrategyKind.ROLLING, StrategyKind.BLUE_GREEN, StrategyKind.CANARY)
    mixed = kind is not StrategyKind.RECREATE and number > 0 and chance.random() < 0.4
    back = number > 0 and chance.random() < 0.25
    return Step(
        version,
        Means.ROLLBACK if back else Means.DEPLOY,
        chance.choice(others) if mixed else kind,
        chance.choice((0, 0, largest, largest + 1)),
        chance.choice(((5, 25, 50, 100), (100,), (1, 100), (30, 60, 100))),
        chance.choice((0.0, 0.0, 2.0, 4.0)),
        chance.choice((None, None, None, Result.PASSED, Result.PASSED, Result.FAILED, Result.INCONCLUSIVE)),
        chance.choice((OnFailure.RETREAT, OnFailure.RETREAT, OnFailure.RETREAT, OnFailure.FREEZE)),
        tuple(chance.choice((Means.RESUME, Means.RESUME, Means.DEPLOY)) for _ in range(8)),
        chance.choice((1.0, 16.0, 40.0)),
    )


def _troubles(seed: int, steps: int) -> tuple[Trouble, ...]:
    swarm = _chance(seed, "classes")
    known = [kind for kind in FaultClass if kind not in (*ASKED_FOR, *DRAWN_APART)]
    chosen = set(swarm.sample(known, swarm.choice(CLASSES_AT_ONCE)))
    apart = _chance(seed, "classes apart")
    chosen.update(apart.sample(DRAWN_APART, apart.choice(APART_AT_ONCE)))
    found: list[Trouble] = []
    for kind in (
        *known,
        *DRAWN_APART,
    ):  # every class has its own generator, so that none changes what another one draws
        if kind in chosen:
            found += _of_class(_chance(seed, kind.name), kind, steps)
    found += _while_tidying(_chance(seed, "tidying"), steps)
    return tuple(sorted(found, key=lambda one: _ORDER[one.kind]))


def _while_tidying(chance: Random, steps: int) -> list[Trouble]:
    """Draw what goes wrong, in one life of five, when what commands left behind is put right."""
    if chance.random() >= TIDYING_FAILS:
        return []
    kind = chance.choice(CALLS)
    often, lasts_s = chance.choice((1, 1, 2, 6)), _lasts_s(chance, kind)
    return [Trouble(kind, chance.randrange(steps), 0.0, lasts_s, method="tidy") for _ in range(often)]


def _of_class(chance: Random, kind: FaultClass, steps: int) -> list[Trouble]:
    often = chance.choice((1, 1, 2, 3, 6))
    if kind in BEHAVIOURS or kind is FaultClass.EDGE_LAG:
        often = 1
    return [
        Trouble(
            kind,
            chance.randrange(steps),
            chance.choice((0.0, 0.5, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0, 9.0, 14.0, 20.0)),
            _lasts_s(chance, kind),
            chance.randrange(24),
            _method(chance, kind),
        )
        for _ in range(often)
    ]


def _lasts_s(chance: Random, kind: FaultClass) -> float:
    if kind is FaultClass.DEPLOYER_PAUSED:
        return chance.choice((2.0, 8.0, 16.0, 25.0, 60.0))
    if kind is FaultClass.ORDERED:
        return chance.choice((1.0, 9.0, 60.0, 300.0))
    if kind is FaultClass.FLAPPING:
        return chance.choice((0.3, 2.0, 9.0, 60.0))
    return chance.choice((0.3, 1.0, 2.0, 4.0, 9.0))


def _method(chance: Random, kind: FaultClass) -> str:
    if kind is FaultClass.UNSEEN:
        return chance.choice((*READS, "claim"))
    if kind in CALLS:
        return chance.choice((*WRITES, *OFTEN))
    return ""
