"""Bugs to plant in zdd, one at a time, so that the simulator can show that it finds them.

Each is a small substitution that is undone afterwards. A bug counts as found when a life breaks one of the rules it is
expected to break, and the same life breaks none without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any

from attrs import evolve, field, frozen

import zdd.driver
import zdd.recorder
import zdd.request
from zdd.adapters.memory import MemoryLease, MemoryOrchestrator
from zdd.adapters.memory.fences import MemoryFences
from zdd.errors import JournalError, TemporaryError
from zdd.events import CommandIntended
from zdd.held_lease import HeldLease
from zdd.model.cell import InstanceState
from zdd.model.verdict import Result
from zdd.planner import make_retreat
from zdd.reconciler.cell_picture import CellPicture
from zdd.reconciler.guards import GUARDS
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import Sent
from zdd.reconciler.proposals import Shift
from zdd.simulation import FaultClass, Invariant, Scenario, StrategyKind, Trouble, draw, simulate
from zdd.simulation.small import moments, pauses, world
from zdd.tidying import Tidying

RECONCILE: Any = importlib.import_module("zdd.reconciler.reconcile")
ASKING: Any = importlib.import_module("zdd.reconciler.asking")
AWAITED: Any = importlib.import_module("zdd.reconciler.awaited")
CELL_PICTURE: Any = importlib.import_module("zdd.reconciler.cell_picture")
COMMANDS: Any = importlib.import_module("zdd.reconciler.commands")
FAILING: Any = importlib.import_module("zdd.reconciler.failing")
LEARN: Any = importlib.import_module("zdd.reconciler.learn")
RULES: Any = importlib.import_module("zdd.reconciler.guards")

Substitution = tuple[Any, str, Any]


@frozen
class Planted:
    """A bug.

    Attributes:
        name: What it is.
        expected: The rules of which it must break one.
        substitutions: What is replaced by what.
        within: In how many seeds it must be found.
        kinds: The strategies in which it can show; empty: all.
        lives: Small worlds in which it is looked for before the seeds.
    """

    name: str
    expected: tuple[Invariant, ...]
    substitutions: tuple[Substitution, ...] = field(repr=False)
    within: int = 1000
    kinds: tuple[StrategyKind, ...] = ()
    lives: Callable[[], Iterable[Scenario]] = tuple


@contextmanager
def planted(bug: Planted) -> Iterator[None]:
    before = [(holder, name, vars(holder)[name]) for holder, name, _ in bug.substitutions]
    try:
        for holder, name, value in bug.substitutions:
            setattr(holder, name, value)
        yield
    finally:
        for holder, name, value in before:
            setattr(holder, name, value)


def found_in(bug: Planted, scenario: Scenario) -> Invariant | None:
    """Return the rule that the bug breaks in a life, if that life breaks none without it."""
    if bug.kinds and scenario.kind not in bug.kinds:
        return None
    with planted(bug):
        violations = simulate(scenario).violations
    broken = [one.invariant for one in violations if one.invariant in bug.expected]
    wrecked = any(" raised " in one.text for one in violations)  # the substitution itself does not work
    if not broken or wrecked or simulate(scenario).violations:
        return None
    return broken[0]


def search(bug: Planted, seeds: Sequence[int]) -> tuple[int, int, str] | None:
    """Return after how many lives a bug was found, at which seed, and the rule that it broke; None: it was not."""
    for number, scenario in enumerate(chain(bug.lives(), map(draw, seeds))):
        invariant = found_in(bug, scenario)
        if invariant is not None:
            return number + 1, scenario.seed, invariant.value
    return None


# -- guards, taken away one at a time ---------------------------------------------------------------------------------

EXPECTED_OF_GUARDS = {
    "settled": (Invariant.IN_DOUBT,),
    "not-repeated": (Invariant.NOT_REPEATED,),
    "ceiling": (Invariant.CEILING,),
    "no-overlap": (Invariant.ONE_REVISION,),
    "drained": (Invariant.DRAINED, Invariant.COMMAND_KEEPS_FLOOR, Invariant.CAPACITY),
    "judged": (Invariant.RETREAT_OPEN,),
    "floor": (Invariant.COMMAND_KEEPS_FLOOR, Invariant.CAPACITY),
    "proven": (Invariant.PROVEN, Invariant.WHOLE),
    "complete": (Invariant.WHOLE,),
    "edges-heard": (Invariant.EDGES_FOLLOW,),
    "edges-followed": (Invariant.EDGES_FOLLOW,),
    "someone-serves": (Invariant.SOMEONE_SERVES, Invariant.HELD),
    "rise-before-fall": (Invariant.WHOLE,),
    "fall-before-rise": (Invariant.CANARY,),
    "seen-before-out": (Invariant.WHOLE, Invariant.SOMEONE_SERVES),
    "hold-before-out": (Invariant.HELD,),
    "complete-before-release": (Invariant.HELD, Invariant.PROVEN),
    "gone-before-forgotten": (Invariant.TIDY,),
}


def _scaled_by_hand_in_a_canary() -> Iterable[Scenario]:
    return moments(world(StrategyKind.CANARY), Trouble(FaultClass.SCALED_BY_HAND, 0, pick=2))


def _deaf_edge_when_it_fails() -> Iterable[Scenario]:
    failing = world(StrategyKind.BLUE_GREEN, gate=Result.FAILED)
    return moments(failing, Trouble(FaultClass.EDGE_CUT_OFF, 0, for_s=4.0))


def _sick_for_long_while_slow_ones_start() -> Iterable[Scenario]:
    slow = world(StrategyKind.ROLLING, replicas=5, startup_s=8.0)
    return moments(slow, Trouble(FaultClass.FLAPPING, 0, for_s=60.0, pick=4))


def _paused_until_another_one_has_just_begun() -> Iterable[Scenario]:
    return pauses(world(StrategyKind.CANARY, replicas=2), 60, for_s=15.5)


def _canary_resumed_while_one_of_it_is_replaced() -> Iterable[Scenario]:
    """Its cell has much of the traffic already, and one of its gates takes longer than another."""
    canary = world(StrategyKind.CANARY)
    step = evolve(canary.steps[0], shares=(30, 60, 100), hold_s=6.0, pause_s=1.0)
    service = evolve(canary.service, cells=1)
    killed = (Trouble(FaultClass.DEPLOYER_KILLED, 0, after_s=10.0),)
    one_cell = evolve(canary, service=service, cell_per_instance=False, looks_s=1.0, steps=(step,), troubles=killed)
    return moments(one_cell, Trouble(FaultClass.CRASH, 0))


def _rolled_over_what_was_held_back() -> Iterable[Scenario]:
    """One that stops everything is killed while requests are held; another one rolls on."""
    rolling = world(StrategyKind.ROLLING, replicas=2, startup_s=2.0)
    stopping = evolve(rolling.steps[0], strategy=StrategyKind.RECREATE, pause_s=60.0)
    then = evolve(rolling.steps[0], version="3.0")
    another = (Trouble(FaultClass.SECOND_DEPLOYER, 1, pick=1),)
    return moments(evolve(rolling, steps=(stopping, then), troubles=another), Trouble(FaultClass.DEPLOYER_KILLED, 0))


def _old_list_after_a_crash() -> Iterable[Scenario]:
    crashed = evolve(world(StrategyKind.ROLLING), troubles=(Trouble(FaultClass.CRASH, 0, after_s=0.5),))
    return moments(crashed, Trouble(FaultClass.STALE_LIST, 0, pick=1))


def _aborted_behind_an_old_list() -> Iterable[Scenario]:
    old = (Trouble(FaultClass.STALE_LIST, 0, after_s=0.4, for_s=9.0),)
    stopping = evolve(world(StrategyKind.RECREATE, replicas=2), troubles=old)
    return moments(stopping, Trouble(FaultClass.ORDERED, 0, pick=2))


LIVES_OF_GUARDS: dict[str, Callable[[], Iterable[Scenario]]] = {
    "ceiling": _scaled_by_hand_in_a_canary,
    "complete-before-release": _rolled_over_what_was_held_back,
    "fall-before-rise": _canary_resumed_while_one_of_it_is_replaced,
    "edges-followed": _deaf_edge_when_it_fails,
}


def without_guard(name: str) -> Planted:
    fewer = tuple(guard for guard in GUARDS if guard.name != name)
    reconcile = partial(RECONCILE.reconcile, guards=fewer)
    return Planted(
        f"no guard {name}",
        EXPECTED_OF_GUARDS[name],
        ((zdd.driver, "reconcile", reconcile),),
        lives=LIVES_OF_GUARDS.get(name, tuple),
    )


# -- bugs -------------------------------------------------------------------------------------------------------------


def _ready_is_enough(self: CellPicture, instance: Any, said: Any) -> bool:
    return instance.state is InstanceState.READY


def _starting_is_enough(self: CellPicture, instance: Any, said: Any) -> bool:
    return instance.state in (InstanceState.STARTING, InstanceState.READY)


def _sent_is_settled(progress: Any, plan: Any, fact: Any, now: float) -> Any:
    fact = Sent(fact.command) if isinstance(fact, Sent) else fact
    return LEARN.learn(progress, plan, fact, now)


def _never_forgets(shifts: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
    return (one for one in shifts(*arguments) if one.shift is not Shift.FORGET)


def _back_to_the_failed_one(plan: Any, *rest: Any) -> Any:
    retreat = tuple(evolve(one, revision=plan.target) for one in plan.retreat)
    return make_retreat(evolve(plan, retreat=retreat), *rest)


def _inconclusive_passes(picture: Picture) -> bool:
    asks = ASKING.stage_asks(picture)
    return all(record is not None and record.verdict.result is not Result.FAILED for _, record in asks)


def _unknown_is_nothing(edges: Any, addresses: Any) -> bool:
    return all(not view.in_flight.get(address) for view in edges for address in addresses)


def _written_or_not(self: Any, event: Any) -> None:
    with suppress(JournalError, TemporaryError):
        self._journal.append(event.service, event, self._fence)


def _lower_floor(make_plan: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    plan = make_plan(*arguments, **named)
    return evolve(plan, floor=max(0, plan.floor - 1))


def _no_intention(emit: Callable[..., Any], self: Any, kind: Any, **values: Any) -> Any:
    return None if kind is CommandIntended and values["number"] % 3 == 0 else emit(self, kind, **values)


def _twice_the_share(mirror: Callable[..., Any], intent: Any, *rest: Any, **named: Any) -> Any:
    largest = max((cell.share for cell in intent.cells.values()), default=0)
    small = {name for name, cell in intent.cells.items() if cell.share * 2 < largest}
    found = mirror(intent, *rest, **named)
    return {name: evolve(one, weight=one.weight * 2) if one.cell in small else one for name, one in found.items()}


def _nothing(*arguments: Any, **named: Any) -> None:
    return None


def _no(*arguments: Any) -> bool:
    return False


def _all_is_right(*arguments: Any) -> str:
    return ""


def _yes(*arguments: Any) -> bool:
    return True


def _never(*arguments: Any) -> float:
    return 1e12


def _method(function: Callable[..., Any], wrapped: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **named: function(wrapped, *arguments, **named)


BUGS = (
    Planted("gates are skipped", (Invariant.PROVEN, Invariant.WHOLE), ((CellPicture, "_passes", _ready_is_enough),)),
    Planted(
        "starting counts as useful", (Invariant.WHOLE, Invariant.HELD), ((CellPicture, "_passes", _starting_is_enough),)
    ),
    Planted(
        "stopped before drained",
        (Invariant.DRAINED, Invariant.COMMAND_KEEPS_FLOOR, Invariant.CAPACITY),
        ((RULES, "quiet", _yes),),
    ),
    Planted(
        "in flight not known counts as none",
        (Invariant.DRAINED,),
        ((LEARN, "_nothing_in_flight", _unknown_is_nothing),),
    ),
    Planted(
        "an edge is believed to have let go",
        (Invariant.DRAINED,),
        ((LEARN, "_let_go", _yes),),
    ),
    Planted("fences are ignored", (Invariant.FENCED,), ((MemoryFences, "accept", _nothing),)),
    Planted("nothing is put right", (Invariant.TIDY,), ((Tidying, "tidy", _all_is_right),)),
    Planted("the lease is not renewed", (Invariant.FENCED,), ((HeldLease, "keep", _nothing),)),
    Planted("the lease is not let go", (Invariant.TIDY, Invariant.ENDS), ((MemoryLease, "release", _nothing),)),
    Planted("one list is trusted", (Invariant.TIDY,), ((RULES, "GONE_LOOKS", 1), (RULES, "GONE_AFTER_S", 0.0))),
    Planted("an unknown outcome counts as none", (Invariant.IN_DOUBT,), ((zdd.driver, "learn", _sent_is_settled),)),
    Planted(
        "nothing is deregistered",
        (Invariant.TIDY, Invariant.ENDS),
        ((COMMANDS, "_shifts", partial(_never_forgets, COMMANDS._shifts)),),
    ),
    Planted(
        "going back leads to what failed",
        (Invariant.ROLLBACK_MEANS,),
        ((zdd.driver, "make_retreat", _back_to_the_failed_one),),
    ),
    Planted("inconclusive promotes", (Invariant.CANARY,), ((RECONCILE, "_stage_gates_pass", _inconclusive_passes),)),
    Planted(
        "the floor is one too low",
        (Invariant.COMMAND_KEEPS_FLOOR,),
        ((zdd.request, "make_plan", partial(_lower_floor, zdd.request.make_plan)),),
    ),
    Planted(
        "some intentions are not written",
        (Invariant.HONEST,),
        ((zdd.recorder.Recorder, "emit", _method(_no_intention, zdd.recorder.Recorder.emit)),),
    ),
    Planted(
        "what can't be written down is done all the same",
        (Invariant.HONEST,),
        ((zdd.recorder.Recorder, "_write", _written_or_not),),
    ),
    Planted(
        "a canary gets twice its share",
        (Invariant.CANARY,),
        ((CELL_PICTURE, "mirror", partial(_twice_the_share, CELL_PICTURE.mirror)),),
        kinds=(StrategyKind.CANARY,),
    ),
    Planted(
        "deadlines do not count",
        (Invariant.ENDS,),
        ((RECONCILE, "deadline_s", _never), (AWAITED, "deadline_s", _never), (FAILING, "deadline_s", _never)),
    ),
    Planted(
        "a proof never expires",
        (Invariant.COMMAND_KEEPS_FLOOR, Invariant.CAPACITY),
        ((CELL_PICTURE, "PROOF_VALID_S", 1e9), (CELL_PICTURE, "REPROVE_S", 1e9)),
        lives=_sick_for_long_while_slow_ones_start,
    ),
    Planted(
        "an older list is believed at once",
        (Invariant.COMMAND_KEEPS_FLOOR, Invariant.CAPACITY, Invariant.WHOLE),
        ((LEARN, "_goes_back", _no),),
        lives=_old_list_after_a_crash,
    ),
    Planted(
        "what was told to stop may get traffic again",
        (Invariant.WHOLE, Invariant.DRAINED),
        ((Picture, "told_to_stop", _no),),
        lives=_aborted_behind_an_old_list,
    ),
    Planted(
        "a new deployer does not claim its place",
        (Invariant.FENCED,),
        ((MemoryOrchestrator, "claim", _nothing),),
        lives=_paused_until_another_one_has_just_begun,
    ),
)

ALL = (*(without_guard(guard.name) for guard in GUARDS), *BUGS)
