"""`Deployer`: the public way in. It checks, plans, takes the lease, drives, and reports."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from attrs import evolve, frozen

from zdd.clock import SystemClock
from zdd.codec import MissingGate
from zdd.driver import Driver, Surroundings
from zdd.errors import (
    ConfigurationError,
)
from zdd.events import DeploymentEnded, DeploymentStarted, Event, Outcome
from zdd.failure import failure_of
from zdd.gates import TcpGate
from zdd.history import Deployment, History, read_history
from zdd.interfaces import Clock, Discovery, Edge, Fence, Journal, Lease, Orchestrator
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.gate import Gate
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.model.release import Release, Revision
from zdd.model.service import Overlap, Service, check_ports
from zdd.planner import make_plan, make_removal, observed_goals
from zdd.report import Report
from zdd.sampler import InlineSampler, Sampler, ThreadSampler
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate
from zdd.strategies.situation import Strategy, divide

if TYPE_CHECKING:
    from zdd.adapters.memory import MemoryWorld

Listener = Callable[[Event], None]


@frozen
class _Wanted:
    """What a deployment was asked for, after everything that can be known beforehand was looked at."""

    service: Service
    revision: Revision
    strategy: Strategy


def accepts_connections(service: Service) -> tuple[Gate, ...]:
    """Return the gate of a service that states none: its first port accepts a connection. None for a worker."""
    return (TcpGate(service.exposures[0].port),) if service.exposures else ()


class Deployer:
    """Deploys services without losing a request.

    Args:
        orchestrator: Runs the instances. None: the embedded default, which needs nothing else either: local processes
            behind a Traefik of their own, with journal and history in SQLite.
        discovery: Knows which instances serve.
        edges: Send requests to the instances. Each is watched.
        journal: Keeps what happened.
        lease: Lets one deployer at a time change a service.
        clock: Tells the time. None: the system's.
        make_sampler: Makes what runs gates and actions. None: threads.
        default_gates: The gates of a service that states none.
        listeners: Are called with every event.
        lease_s: For how long another deployer is kept out after this one has died, in seconds.
    """

    def __init__(
        self,
        orchestrator: Orchestrator | None = None,
        discovery: Discovery | None = None,
        edges: Iterable[Edge] = (),
        *,
        journal: Journal | None = None,
        lease: Lease | None = None,
        clock: Clock | None = None,
        make_sampler: Callable[[Clock], Sampler] | None = None,
        default_gates: Callable[[Service], tuple[Gate, ...]] = accepts_connections,
        listeners: Iterable[Listener] = (),
        lease_s: float = 15.0,
    ) -> None:
        self._actor = f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"
        self._default_gates = default_gates
        self._around: Surroundings
        if orchestrator is None:
            self._around = evolve(Deployer.embedded(listeners=listeners)._around, lease_s=lease_s)
        elif discovery is None or journal is None or lease is None:
            raise ConfigurationError(
                "Deployer(orchestrator, …) needs discovery, journal and lease too; Deployer() alone brings its own"
            )
        else:
            self._around = Surroundings(
                orchestrator,
                discovery,
                tuple(edges),
                journal,
                lease,
                clock or SystemClock(),
                make_sampler or ThreadSampler,
                tuple(listeners),
                lease_s,
            )

    @classmethod
    def embedded(
        cls,
        state_directory: str | Path | None = None,
        *,
        port: int = 8000,
        host: str = "127.0.0.1",
        listeners: Iterable[Listener] = (),
    ) -> Deployer:
        """Return a deployer of local processes behind a Traefik of their own. No cluster is needed.

        Args:
            state_directory: Where everything is kept: journal, logs, registrations. None: ``zdd`` in
                ``$XDG_STATE_HOME``, or in ``~/.local/state``.
            port: Where clients reach the services.
            host: The address that Traefik listens on.
            listeners: Are called with every event.

        Raises:
            ConfigurationError: The directory can't be written, or holds a journal of a newer zdd.
        """
        from zdd.adapters.embedded import Embedded

        parts = Embedded(state_directory, port=port, host=host)
        return cls(
            parts.orchestrator,
            parts.discovery,
            (parts.edge,),
            journal=parts.journal,
            lease=parts.lease,
            listeners=listeners,
        )

    @classmethod
    def in_memory(cls, world: MemoryWorld, *, listeners: Iterable[Listener] = ()) -> Deployer:
        """Return a deployer over a world in memory, in virtual time: for notebooks and tests. Nothing real happens.

        Args:
            world: What is deployed to; it gets an edge if it has none.
            listeners: Are called with every event.
        """
        from zdd.adapters.memory import HealthyGate, MemoryDiscovery, MemoryJournal, MemoryLease, MemoryOrchestrator

        if not world.edges:
            world.add_edge()
        journal = MemoryJournal()
        return cls(
            MemoryOrchestrator(world),
            MemoryDiscovery(world),
            tuple(world.edges),
            journal=journal,
            lease=MemoryLease(world.clock),
            clock=world.clock,
            make_sampler=InlineSampler,
            default_gates=lambda service: (HealthyGate(world),) if service.exposures else (),
            listeners=listeners,
        )

    # -- asking ---------------------------------------------------------------------------------------------------

    def plan(self, service: Service, release: Release, strategy: Strategy | None = None) -> Plan:
        """Return what `deploy` would do now. Nothing is touched; ``print`` shows it.

        Raises:
            ConfigurationError: It can't work; the message names the thing and the fix.
            JournalError: The journal can't be read.
            AdapterError: The world can't be observed.
        """
        wanted = self._check(service, release, strategy)
        observation = self._driver(service, Fence(0, self._actor), "plan").observe(service)
        return self._plan(wanted, observation, self._history(service.name))

    def history(self, service: str) -> tuple[Deployment, ...]:
        """Return the deployments of a service, oldest first.

        Raises:
            JournalError: The journal can't be read.
        """
        return self._history(service).deployments

    def report(self, service: str, deployment: str | None = None) -> Report:
        """Return the report of a deployment, the last one if none is named, from the journal.

        Raises:
            ConfigurationError: There is no such deployment.
            JournalError: The journal can't be read.
        """
        events = self._around.journal.read(service)
        name = deployment or (events[-1].deployment if events else "")
        own = [event for event in events if event.deployment == name]
        if not own:
            raise ConfigurationError(f"{service} has no deployment {deployment or 'yet'}")
        return Report.of(own)

    # -- changing -------------------------------------------------------------------------------------------------

    def deploy(
        self, service: Service, release: Release, strategy: Strategy | None = None, *, restart: bool = False
    ) -> Report:
        """Make the service run this release, and return the report.

        A deployment that another process left half done is gone on with, or superseded, from what runs now. Deploying
        what already runs does nothing, and the report says so.

        Args:
            service: How the service wants to be treated.
            release: What to run.
            strategy: What should happen. None: `RollingUpdate()`, or `Recreate()` where overlap is forbidden.
            restart: Replace the instances even if this very release runs already.

        Raises:
            ConfigurationError: It can't work. Nothing was touched.
            DeploymentInProgress: Somebody else deploys this service.
            DeploymentFailed: It was taken back, or frozen; the report is in the error.
            RollbackFailed: Taking it back failed as well; the error says what a person can do.
            DeploymentInterrupted: Somebody stopped the deployer (Ctrl-C); says what runs now and what goes on.
            LeaseLost, JournalError: Nothing further was done.
            AdapterError: The world could not be observed. Nothing was touched.
        """
        return self._deploy(self._check(service, release, strategy), restart=restart)

    def rollback(self, service: str, to: str | None = None, strategy: Strategy | None = None) -> Report:
        """Make the service run an earlier revision again, by a deployment like any other.

        Args:
            service: The service's name.
            to: A version or a revision's id from its history; None: the one that served before the present one.
            strategy: What should happen; None: as in `deploy`.

        Raises:
            ConfigurationError: There is no such revision; the message lists those there are. Else as `deploy`.
        """
        history = self._history(service)
        if history.last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to go back to")
        revision = _find_revision(service, history, to)
        release = Release(revision.version, revision.workload, revision.gates)
        return self.deploy(history.last.plan.service, release, strategy)

    def resume(self, service: str) -> Report:
        """Finish a deployment that was interrupted, or undo it if it was being undone.

        It starts from what runs now, with the strategy of then: nothing of the old plan is repeated.

        Raises:
            ConfigurationError: There is nothing to resume. Else as `deploy`.
        """
        unfinished = self._history(service).unfinished
        if unfinished is None:
            raise ConfigurationError(f"{service} has no unfinished deployment")
        plan = unfinished.plan
        target = plan.revisions[plan.target]
        if unfinished.went_back:
            return self._undo(unfinished)
        strategy = cast("Strategy", unfinished.strategy) if hasattr(unfinished.strategy, "stages") else None
        return self.deploy(plan.service, Release(target.version, target.workload, target.gates), strategy)

    def remove(self, service: str) -> Report:
        """Take a service out: its traffic ends, what is in flight is waited for, then its instances are stopped.

        Its history stays, so that `rollback` can bring it back.

        Raises:
            ConfigurationError: It was never deployed. Else as `deploy`.
        """
        history = self._history(service)
        if history.last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to remove")
        return self._with_lease(history.last.plan.service, self._remove)

    # -- how --------------------------------------------------------------------------------------------------------

    def _check(self, service: Service, release: Release, strategy: Strategy | None) -> _Wanted:
        """Look at everything that can be known before anything is touched."""
        if not isinstance(service, Service) or not isinstance(release, Release):
            raise ConfigurationError("deploy(service, release, strategy): use zdd.Service and zdd.Release")
        gates = release.gates if release.gates is not None else service.gates
        gates = gates or self._default_gates(service)
        check_ports(service, gates)
        around = self._around
        around.orchestrator.check(service, release.workload)
        if service.exposures:
            around.discovery.check(service)
        if strategy is None:
            strategy = Recreate() if service.overlap is Overlap.FORBIDDEN else RollingUpdate()
        return _Wanted(service, Revision("planned", release.version, release.workload, gates), strategy)

    def _history(self, service: str) -> History:
        history = read_history(self._around.journal.read(service))
        return evolve(history, revisions={name: _judgeable(one) for name, one in history.revisions.items()})

    def _driver(self, service: Service, fence: Fence, deployment: str) -> Driver:
        return Driver(self._around, service.name, fence, deployment, self._actor, self._around.clock.now())

    def _with_lease(self, service: Service, work: Callable[[Service, Fence, History], Report]) -> Report:
        """Do it while nobody else can change the service."""
        around = self._around
        fence = around.lease.acquire(service.name, self._actor, around.lease_s)
        try:
            around.orchestrator.claim(service, fence)
            if service.exposures:
                around.discovery.claim(service, fence)
            return work(service, fence, self._history(service.name))
        finally:
            around.lease.release(service.name, fence)

    def _deploy(self, wanted: _Wanted, *, restart: bool) -> Report:
        def work(service: Service, fence: Fence, history: History) -> Report:
            deployment = f"{service.name}-{fence.token}"
            driver = self._driver(service, fence, deployment)
            observation = driver.observe(service)
            target = self._target(wanted, observation, history, f"r{fence.token}", restart=restart)
            plan = self._plan(evolve(wanted, revision=target), observation, history)
            if not restart and self._runs_already(plan, observation, history):
                return self._unchanged(plan, deployment, target.version, f"{target.version} runs already")
            from_version = _serving_version(plan, observation)
            return self._run(plan, driver, lambda: driver.carry_out(plan, from_version, wanted.strategy))

        return self._with_lease(wanted.service, work)

    def _undo(self, unfinished: Deployment) -> Report:
        def work(service: Service, fence: Fence, _: History) -> Report:
            driver = self._driver(service, fence, unfinished.id)
            reason = unfinished.reason or f"{unfinished.to_version} was being taken back when its deployer ended"
            plan = unfinished.plan
            return self._run(plan, driver, lambda: driver.take_back(plan, reason, unfinished.from_version), undo=True)

        return self._with_lease(unfinished.plan.service, work)

    def _remove(self, service: Service, fence: Fence, history: History) -> Report:
        deployment = f"{service.name}-{fence.token}"
        driver = self._driver(service, fence, deployment)
        observation = driver.observe(service)
        plan = make_removal(service, observation, self._known(history, observation))
        if not observation.cells and not observation.registrations:
            return self._unchanged(plan, deployment, "", "nothing of it runs")
        from_version = _serving_version(plan, observation)
        return self._run(plan, driver, lambda: driver.carry_out(plan, from_version))

    def _run(self, plan: Plan, driver: Driver, work: Callable[[], DeploymentEnded], *, undo: bool = False) -> Report:
        try:
            ended = work()
        except KeyboardInterrupt:
            ended = driver.interrupted()
        wanted = Outcome.ROLLED_BACK if undo else Outcome.SUCCEEDED
        report = Report.of(driver.events)
        if ended.outcome is wanted:
            return report
        raise failure_of(plan, report, ended.outcome, driver.observe)

    def _target(
        self, wanted: _Wanted, observation: Observation, history: History, fresh: str, *, restart: bool
    ) -> Revision:
        """Return the revision to deploy: the one that runs or was under way if it is the same, else a new one."""
        new = evolve(wanted.revision, id=fresh)
        if restart:
            return new
        running = {cell.revision for cell in observation.cells}
        candidates = [history.revisions[name] for name in sorted(running) if name in history.revisions]
        if history.unfinished is not None:
            candidates.insert(0, history.revisions[history.unfinished.plan.target])
        same = [one for one in candidates if one.digest == new.digest]
        return evolve(same[0], gates=new.gates) if same else new

    def _known(self, history: History, observation: Observation) -> dict[str, Revision]:
        """Return every revision by id; of one that somebody else made, only the id is known."""
        unknown = {cell.revision: Revision(cell.revision, "unknown", {}) for cell in observation.cells}
        return {**unknown, **history.revisions}

    def _cells(self, service: Service) -> int:
        """Return into how many cells the instances are divided."""
        each = service.replicas if self._around.orchestrator.abilities.cell_per_instance else 1
        return min(service.cells or each, service.replicas)

    def _plan(self, wanted: _Wanted, observation: Observation, history: History) -> Plan:
        service = wanted.service
        entrances: dict[str, Address] = {}
        for edge in self._around.edges if service.exposures else ():
            entrances = {**edge.addresses(service), **entrances}
        unfinished = history.unfinished
        return make_plan(
            service,
            wanted.revision,
            observation,
            wanted.strategy,
            revisions=self._known(history, observation),
            retreat=unfinished.plan.retreat if unfinished is not None else None,
            entrances=entrances,
            cells=self._cells(service),
            holds=bool(self._around.edges) and all(edge.abilities.holds for edge in self._around.edges),
        )

    def _runs_already(self, plan: Plan, observation: Observation, history: History) -> bool:
        if history.unfinished is not None or history.last is None:
            return False
        service = plan.service
        final = plan.goals_at(len(plan.stages) - 1)
        wanted = {goal for goal in final.values() if goal.replicas}
        instances = observation.instances()
        settled = all(instance.state is InstanceState.READY for instance in instances)
        sizes = sorted((cell.replicas for cell in observation.cells), reverse=True)
        return (
            settled
            and set(observed_goals(service, observation)) == wanted
            and tuple(sizes) == divide(service.replicas, self._cells(service))
            and len(instances) == service.replicas
            and all(cell.revision == plan.target for cell in observation.cells)
        )

    def _unchanged(self, plan: Plan, deployment: str, version: str, reason: str) -> Report:
        now = self._around.clock.now()
        events: list[Event] = [
            DeploymentStarted(
                at_s=now,
                service=plan.service.name,
                deployment=deployment,
                plan=evolve(plan, stages=()),
                from_version=version,
                to_version=version,
                actor=self._actor,
            ),
            DeploymentEnded(
                at_s=now,
                service=plan.service.name,
                deployment=deployment,
                outcome=Outcome.UNCHANGED,
                reason=reason,
            ),
        ]
        for event in events:
            for listener in self._around.listeners:
                listener(event)
        return Report.of(events)


def _judgeable(revision: Revision) -> Revision:
    """Return the revision with gates that can be asked here: a gate that can't be brought back is left out."""
    gates: tuple[Gate, ...] = tuple(gate for gate in revision.gates if not isinstance(gate, MissingGate))
    return revision if len(gates) == len(revision.gates) else evolve(revision, gates=gates or (TcpGate(),))


def _find_revision(service: str, history: History, to: str | None) -> Revision:
    served = history.served()
    if to is None:
        last = history.last
        serves = last is not None and last.outcome is Outcome.SUCCEEDED and bool(last.to_version)
        current = last.plan.target if last is not None and serves else None
        digest = history.revisions[current].digest if current else ""
        earlier = [revision for revision in served if revision.digest != digest]
        if not earlier:
            raise ConfigurationError(f"{service} has no earlier revision to go back to")
        return earlier[-1]
    for revision in reversed(served):
        if to in (revision.id, revision.version):
            return revision
    known = ", ".join(f"{revision.version} ({revision.id})" for revision in served) or "none"
    raise ConfigurationError(f"{service} never served {to!r}; it served: {known}")


def _serving_version(plan: Plan, observation: Observation) -> str:
    """Return the version that has most of the traffic now; empty if none has any."""
    shares: dict[str, int] = {}
    for goal in observed_goals(plan.service, observation):
        shares[goal.revision] = shares.get(goal.revision, 0) + goal.share
    if not any(shares.values()):
        return ""
    revision = max(sorted(shares), key=lambda name: shares[name])
    return plan.revisions[revision].version
