"""Plays a scenario: the world's part, what people do to it, and the deployers that come and go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

from attrs import define, field

from zdd.adapters.memory import (
    Behaviour,
    Fault,
    MemoryClock,
    MemoryControl,
    MemoryDiscovery,
    MemoryJournal,
    MemoryLease,
    MemoryWorld,
)
from zdd.deployer import Deployer
from zdd.errors import TemporaryError
from zdd.events import CommandIntended, DeploymentStarted, Event, Ordered, StagePassed
from zdd.interfaces import OrchestratorAbilities
from zdd.model.order import OrderKind
from zdd.model.plan import Direction
from zdd.simulation.cast import Actor, Cast
from zdd.simulation.entries import happened
from zdd.simulation.events import heard
from zdd.simulation.hands import order_by_hand, register_by_hand, scale_by_hand
from zdd.simulation.invariants import Invariant
from zdd.simulation.journals import JournalFaults, ProcessJournal
from zdd.simulation.looks import looked, looked_at_traffic
from zdd.simulation.process import Process
from zdd.simulation.scenario import Scenario
from zdd.simulation.surroundings import (
    ListingOrchestrator,
    Lists,
    ProcessLease,
    SlowSampler,
    WatchedGate,
)
from zdd.simulation.trouble import (
    BEHAVIOURS,
    BEHIND_S,
    CHANGES,
    JOURNAL_FAULTS,
    THREADED,
    WRITES,
    FaultClass,
    Trouble,
    call_fault,
)
from zdd.simulation.watch import Watch
from zdd.status import fold

LEASE_S = 15.0

DEATHS = (
    FaultClass.DEPLOYER_KILLED,
    FaultClass.DEPLOYER_INTERRUPTED,
    FaultClass.DEPLOYER_PAUSED,
    FaultClass.TAKEN_OVER,
)
"""What happens to a deployer's process, at a call of its."""

POLL_S = LEASE_S / 4
"""Whatever changes is told, so nothing has to be asked for in between; but the lease has to be kept."""

CALLS_MOST = 60_000
"""How many calls a whole life may need: one that needs more goes round in circles."""


class Killed(BaseException):
    """The deployer's process ends here, as by kill -9: nothing of it runs any more, and its lease stays."""


class Circles(BaseException):
    """Calls are made for ever."""


@define(eq=False)
class Play:
    """A scenario under way: the world, everything that outlives a process, and what is still to go wrong.

    Attributes:
        scenario: What is played.
        happened: How often a fault of each class has truly happened.
        loose: What has to be undone before the world is whole again.
        taken_over: A deployer's machine is gone: another one recovers what it left.
    """

    scenario: Scenario
    world: MemoryWorld = field(init=False)
    journal: MemoryJournal = field(factory=MemoryJournal)
    control: MemoryControl = field(factory=MemoryControl)
    lease: MemoryLease = field(init=False)
    watch: Watch = field(init=False)
    cast: Cast | None = None
    happened: Counter[FaultClass] = field(factory=Counter)
    loose: list[Callable[[], None]] = field(factory=list)
    lists: Lists = field(factory=Lists)
    journal_faults: JournalFaults = field(init=False)
    processes: list[Process] = field(factory=list)
    calls: int = 0
    _chance: Random = field(init=False)
    healed: bool = False
    taken_over: bool = False
    _armed: list[tuple[Trouble, Fault]] = field(factory=list)
    _ends: list[list[int | Trouble]] = field(factory=list)
    _running: dict[int, tuple[Process, Actor]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        scenario = self.scenario
        self._chance = Random(f"{scenario.seed}/looks")  # noqa: S311 - nothing is kept secret by it
        self.journal_faults = JournalFaults(self.happened)
        self.world = MemoryWorld(MemoryClock(), discovery_lag_s=scenario.discovery_lag_s)
        for number, lag_s in enumerate(scenario.edge_lags_s):
            self.world.add_edge(f"edge-{number + 1}", lag_s=lag_s)
        self.lease = MemoryLease(self.world.clock)
        self.watch = Watch(self.world, scenario.service, self.world.clock.now())
        self.world.observe_changes(partial(happened, self.watch))
        self.world.intercept = self._intercept
        if any(kind in THREADED for kind in scenario.classes):
            self.cast = Cast(self.world.clock)

    # -- processes ----------------------------------------------------------------------------------------------------

    def deployer(self, actor: Actor) -> tuple[Deployer, Process]:
        """Return the deployer of a new process."""
        process = Process(len(self.processes) + 1)
        self.processes.append(process)
        self._running[threading.get_ident()] = (process, actor)
        gates = (WatchedGate(self.world, self.watch.passed.add),)
        called = self._called
        deployer = Deployer(
            ListingOrchestrator(self.world, OrchestratorAbilities(self.scenario.cell_per_instance, POLL_S), self.lists),
            MemoryDiscovery(self.world),
            tuple(self.world.edges),
            journal=ProcessJournal(self.journal, self.journal_faults, called, partial(self._can_not_write, process)),
            lease=ProcessLease(self.lease, called, lambda: process.killed, partial(self._took_over, process)),
            clock=actor,
            make_sampler=lambda _: SlowSampler(self.world.clock, actor.wake, self._look_takes_s),
            default_gates=lambda service: gates if service.exposures else (),
            listeners=[partial(self._heard, process)],
            lease_s=LEASE_S,
            control=self.control if FaultClass.ORDERED in self.scenario.classes else None,
        )
        deployer._actor = f"deployer {process.number}"  # not the process that plays the life: it is another each time
        return deployer, process

    def _can_not_write(self, process: Process) -> None:
        process.unwritten = True

    def _look_takes_s(self) -> float:
        looks_s = self.scenario.looks_s
        return looks_s and looks_s * self._chance.randrange(5) / 4

    def _heard(self, process: Process, event: Event) -> None:
        heard(self.watch, process, event)
        self._check_orders(process, event)

    def _check_orders(self, process: Process, event: Event) -> None:
        """Check that what a deployment was told is what it does."""
        if isinstance(event, Ordered):
            self.watch.marks.add(f"order {event.order.kind.value}{' without effect' if event.note else ''}")
            if event.order.deployment != event.deployment or (not event.note and process.back):
                self.watch.say(Invariant.OBEYED, f"{event.deployment} obeys {event.order}")
            if not event.note and event.order.kind in (OrderKind.PAUSE, OrderKind.RESUME):
                process.ordered_pause = event.order.kind is OrderKind.PAUSE
        if isinstance(event, DeploymentStarted) and event.plan.direction is Direction.BACK:
            process.back, process.ordered_pause = True, False
        if isinstance(event, StagePassed) and process.ordered_pause:
            self.watch.say(Invariant.OBEYED, f"{event.title!r} was passed by a deployment that is paused")

    def _took_over(self, process: Process) -> None:
        """Check that nobody who is alive, and kept the lease as it should, has lost it."""
        now_s = self.world.clock.now()
        for other in self.processes:
            alive = other.claimed and not other.killed and not other.ended and other is not process
            if alive and now_s > other.paused_s + LEASE_S and FaultClass.LEASE_FAILS not in self.scenario.classes:
                self.watch.say(Invariant.FENCED, "a second deployer got the lease while its holder was at work")
        process.claimed = True
        self.watch.process = process
        self.watch.note_interference(process)

    # -- calls --------------------------------------------------------------------------------------------------------

    def _called(self, method: str) -> None:
        self.calls += 1
        if self.calls > CALLS_MOST:
            raise Circles
        process, actor = self._running[threading.get_ident()]
        for armed in list(self._ends):
            trouble, left = armed
            if not any(one is armed for one in self._ends):
                continue  # it happened to another one meanwhile
            if not isinstance(trouble, Trouble) or not isinstance(left, int) or (left > 0 and not process.claimed):
                continue
            armed[1] = left - 1
            if left <= 0:
                self._ends.remove(armed)
                self._ends_here(trouble, process, actor, method)
        if process.unwritten and method in WRITES:
            self.watch.say(Invariant.HONEST, f"{method} was sent by a deployer that can't write down what it does")
        self.watch.caller = (process, self.world.clock.now()) if method in CHANGES else None
        if method == "observe":
            process.looked = process.claimed
            looked(self.watch, process, wrong_list=bool(self.lists.next))
        elif method in ("registrations", "view"):
            looked_at_traffic(self.watch, process)
        if method == "renew" and self._take("renew") is not None:
            raise TemporaryError("renew: not now")

    def _ends_here(self, trouble: Trouble, process: Process, actor: Actor, method: str) -> None:
        self.happened[trouble.kind] += 1
        if trouble.kind in (FaultClass.DEPLOYER_KILLED, FaultClass.TAKEN_OVER):
            self.taken_over = trouble.kind is FaultClass.TAKEN_OVER
            self.watch.marks.add(f"killed at {method}")
            process.killed = True
            raise Killed
        if trouble.kind is FaultClass.DEPLOYER_INTERRUPTED:
            self.watch.marks.add("interrupted")
            raise KeyboardInterrupt
        self.watch.marks.add(f"paused at {method}")
        process.paused_s = self.world.clock.now() + trouble.for_s
        actor.sleep(trouble.for_s)

    def _intercept(self, method: str, _service: str) -> Fault | None:
        self._called(method)
        return self._take(method) if self._armed else None

    def _take(self, method: str) -> Fault | None:
        for armed in self._armed:
            trouble, fault = armed
            if trouble.method in ("", method):
                self._armed.remove(armed)
                self.happened[trouble.kind] += 1
                return fault
        return None

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def behaviour(self, step: int) -> Behaviour:
        """Return how the version of a step behaves."""
        found = [one for one in self.scenario.troubles if one.kind in BEHAVIOURS and one.step == step]
        if not found:
            return self.scenario.behaviour
        trouble = min(found, key=lambda one: one.pick)  # a version behaves in one way: each class is as likely
        choices = BEHAVIOURS[trouble.kind]
        self.happened[trouble.kind] += 1
        return choices[trouble.pick % len(choices)]

    def begin(self, step: int) -> None:
        """Let happen what is to go wrong in a step, from now on."""
        for trouble in self.scenario.troubles:
            if trouble.step == step and trouble.kind not in BEHAVIOURS:
                self.world.clock.call_after(trouble.after_s, partial(self._happens, trouble))

    def _happens(self, trouble: Trouble) -> None:
        if self.healed:
            return
        kind = trouble.kind
        fault = call_fault(trouble)
        if fault is not None:
            self._armed.append((trouble, fault))
        elif kind is FaultClass.LEASE_FAILS:
            self._armed.append((Trouble(kind, trouble.step, method="renew"), Fault("renew")))
        elif kind in DEATHS:
            self._ends.append([trouble, trouble.pick])
        elif kind is FaultClass.STALE_LIST:
            self._stale(trouble)
        elif kind in (FaultClass.EDGE_STUCK, FaultClass.EDGE_CUT_OFF, FaultClass.EDGE_RELOADED, FaultClass.EDGE_LAG):
            self._edge(trouble)
        elif kind in (FaultClass.SCALED_BY_HAND, FaultClass.REGISTERED_BY_HAND):
            self._by_hand(trouble)
        elif kind is FaultClass.ORDERED:
            self._order(trouble)
        elif kind in JOURNAL_FAULTS:
            self._journal(trouble)
        else:
            self._instance(trouble)

    def _journal(self, trouble: Trouble) -> None:
        faults, kind = self.journal_faults, trouble.kind
        if kind in (FaultClass.JOURNAL_DAMAGED, FaultClass.JOURNAL_FULL):
            faults.broken.append(kind)
            self.later(trouble.for_s, lambda: faults.broken.remove(kind) if kind in faults.broken else None)
        else:
            faults.once += [kind] * (1 + trouble.pick % 4 if kind is FaultClass.JOURNAL_BUSY else 1)

    def _order(self, trouble: Trouble) -> None:
        kind = (OrderKind.PAUSE, OrderKind.PROMOTE, OrderKind.ABORT)[trouble.pick % 3]
        if self._give(kind):
            self.happened[trouble.kind] += 1
            if kind is OrderKind.PAUSE:
                self.later(trouble.for_s, self._resume)

    def _give(self, kind: OrderKind) -> bool:
        service = self.scenario.service
        return order_by_hand(self.control, service, self.journal.read(service.name), kind, self.world.clock.now())

    def _resume(self) -> None:
        """Let a person resume what is paused, and look again later whether it was."""
        self._give(OrderKind.RESUME)
        if not self.healed and fold(self.journal.read(self.scenario.service.name)).paused is not None:
            self.later(20.0, self._resume)

    def _by_hand(self, trouble: Trouble) -> None:
        for process in self.processes:
            process.interfered = True
        act = scale_by_hand if trouble.kind is FaultClass.SCALED_BY_HAND else register_by_hand
        if act(self.world, self.scenario.service, trouble.pick, self.watch.by_hand):
            self.happened[trouble.kind] += 1
            self.watch.disturbed_s = self.watch.by_hand_s = self.world.clock.now()

    def _instance(self, trouble: Trouble) -> None:
        instances = self.world.instances()
        if not instances or trouble.kind is FaultClass.SECOND_DEPLOYER:
            return
        name = instances[trouble.pick % len(instances)].id
        self.happened[trouble.kind] += 1
        if trouble.kind is FaultClass.FLAPPING:
            self.world.mark(name, healthy=False)
            self.later(trouble.for_s, partial(self._well, name))
        else:
            self.world.kill(name)

    def _well(self, name: str) -> None:
        if name in self.world.cells.existing:
            self.world.mark(name, healthy=True)

    def _stale(self, trouble: Trouble) -> None:
        self.happened[trouble.kind] += 1
        if trouble.pick % 3:
            self.lists.next, self.lists.pick = ("old", "partial")[trouble.pick % 3 - 1], trouble.pick
            return
        self.world.freeze_lists()
        self.watch.stale, self.watch.stale_s = True, self.world.clock.now()
        self.later(trouble.for_s, self._thaw)

    def _thaw(self) -> None:
        self.world.thaw_lists()
        self.watch.stale = False
        self.watch.frozen.clear()

    def _edge(self, trouble: Trouble) -> None:
        edge = self.world.edges[trouble.pick % len(self.world.edges)]
        self.happened[trouble.kind] += 1
        if trouble.kind is FaultClass.EDGE_STUCK:
            edge.stick()
            self.later(trouble.for_s, edge.loosen)
        elif trouble.kind is FaultClass.EDGE_CUT_OFF:
            edge.cut_off()
            self.later(trouble.for_s, edge.reconnect)
        elif trouble.kind is FaultClass.EDGE_RELOADED:
            edge.reload(trouble.for_s)
        else:
            edge.lag_s = BEHIND_S[trouble.pick % len(BEHIND_S)]

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo it after so many seconds, or when everything is healed."""

        def once() -> None:
            if undo in self.loose:
                self.loose.remove(undo)
                self.watch.disturbed_s = self.world.clock.now()
                undo()

        self.loose.append(undo)
        self.world.clock.call_after(seconds, once)

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.healed = True
        self._armed.clear()
        self._ends.clear()
        self.lists.next = ""
        self.journal_faults.heal()
        for edge, lag_s in zip(self.world.edges, self.scenario.edge_lags_s, strict=True):
            edge.lag_s = lag_s
        for undo in list(self.loose):
            undo()
        self.loose.clear()

    def sent(self, process: Process) -> int:
        """Return how many commands a process meant to send."""
        return sum(1 for event in process.events if isinstance(event, CommandIntended))
