"""`Deployer`: the public way in. It checks, plans, takes the lease, drives, and reports."""

from __future__ import annotations

import copy
import getpass
import logging
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from zdd.backup.backup import Backup
from zdd.backup.manifest import DamagedBackup, Manifest
from zdd.checkup import checkup
from zdd.clock import SystemClock
from zdd.errors import ConfigurationError
from zdd.events import Event
from zdd.failover import Failover, Switching
from zdd.history import Deployment, read_history
from zdd.interfaces import STACK, Clock, Control, Discovery, Edge, Intents, Journal, Lease, Orchestrator
from zdd.mirror import Mirror
from zdd.model.finding import Finding
from zdd.model.gate import Gate
from zdd.model.names import check_kind, check_number, list_of, service_name
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Plan
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.operations import Operations
from zdd.orders import give_order
from zdd.recovery import Recovered, recovered
from zdd.report import Report
from zdd.request import accepts_connections
from zdd.restoring import data_to_restore, kept_backups, restoration
from zdd.sampler import InlineSampler, Sampler, ThreadSampler
from zdd.strategies.situation import Strategy
from zdd.surroundings import Surroundings, check_helpers, check_parts, listeners_of

if TYPE_CHECKING:
    from zdd.adapters.memory import MemoryWorld

logger = logging.getLogger("zdd")

Listener = Callable[[Event], object]


class Deployer:
    """Deploys services without losing a request.

    Args:
        orchestrator: Runs the instances. None: the embedded default, which needs nothing else either: local processes
            behind a Traefik of their own, with journal and history in SQLite.
        discovery: Knows which instances serve.
        edges: Send requests to the instances. Each is watched.
        journal: Keeps what happened.
        lease: Lets one deployer at a time change a service.
        clock: Tells the time. None: the system's. Another one needs `make_sampler` too.
        make_sampler: Makes what runs gates and actions: `zdd.sampler.ThreadSampler` in real time, and
            `zdd.sampler.InlineSampler` in virtual time, in which what a thread does takes none. None: threads.
        default_gates: The gates of a service that states none.
        listeners: Are called with every event.
        lease_s: For how long another deployer is kept out after this one has died, in seconds.
        control: Carries orders such as `pause` to the deployer that runs a deployment. None: they can't be given.
        intents: Keep what a service is meant to be, for mirrors. None: they read the journal.
        edges_gone: The names of edges that are gone for good. If it is given, even empty, an edge that a service was
            last deployed behind, and that is neither in here nor in `edges`, keeps the service from being changed.

    Raises:
        ConfigurationError: A part is missing, or does not go with another one.
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
        control: Control | None = None,
        intents: Intents | None = None,
        edges_gone: Iterable[str] | None = None,
    ) -> None:
        self._actor = f"{_user()}@{socket.gethostname()}:{os.getpid()}"
        self._default_gates = default_gates
        self._around: Surroundings
        check_number("lease_s", lease_s, least=0.1)
        if orchestrator is None:
            if edges_gone is not None or any((discovery, edges, journal, lease, clock, make_sampler, control, intents)):
                raise ConfigurationError("Deployer() brings parts of its own: give the orchestrator too, or no part")
            self._around = evolve(Deployer.embedded(listeners=listeners)._around, lease_s=lease_s)
        elif discovery is None or journal is None or lease is None:
            raise ConfigurationError(
                "Deployer(orchestrator, …) needs discovery, journal and lease too; Deployer() alone brings its own"
            )
        elif clock is not None and make_sampler is None:
            raise ConfigurationError(
                "Deployer(clock=…) needs make_sampler too: zdd.sampler.InlineSampler in virtual time, "
                "zdd.sampler.ThreadSampler in real time"
            )
        else:
            edges = tuple(edges) if isinstance(edges, Iterable) else edges
            check_parts(orchestrator, discovery, edges, journal, lease)
            check_helpers(
                clock, control, intents, {"make_sampler": make_sampler or ThreadSampler, "default_gates": default_gates}
            )
            self._around = Surroundings(
                orchestrator,
                discovery,
                edges,
                journal,
                lease,
                clock or SystemClock(),
                make_sampler or ThreadSampler,
                listeners_of(listeners),
                lease_s,
                control,
                intents,
                at_once=clock is None,
                edges_gone=None if edges_gone is None else list_of("edges_gone", edges_gone, "['haproxy']"),
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
            control=parts.control,
        )

    @classmethod
    def in_memory(cls, world: MemoryWorld, *, listeners: Iterable[Listener] = ()) -> Deployer:
        """Return a deployer over a world in memory, in virtual time: for notebooks and tests. Nothing real happens.

        Args:
            world: What is deployed to; it gets an edge if it has none.
            listeners: Are called with every event.

        Raises:
            ConfigurationError: It is no world.
        """
        from zdd.adapters.memory import (
            HealthyGate,
            MemoryControl,
            MemoryDiscovery,
            MemoryJournal,
            MemoryLease,
            MemoryOrchestrator,
            MemoryWorld,
        )

        check_kind("world", world, MemoryWorld, "an object, zdd.adapters.memory.MemoryWorld()")
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
            control=MemoryControl(),
        )

    # -- asking ---------------------------------------------------------------------------------------------------

    def plan(self, service: Service, release: Release, strategy: Strategy | None = None) -> Plan:
        """Return what `deploy` would do now. Nothing is touched; ``print`` shows it.

        Raises:
            ConfigurationError: It can't work; the message names the thing and the fix.
            JournalError: The journal can't be read.
            AdapterError: The world can't be observed.
        """
        request = self._operations.request(service, release, strategy)
        return self._operations.preview(request)

    def services(self) -> tuple[str, ...]:
        """Return the names of all services that were ever deployed, sorted.

        Raises:
            JournalError: The journal can't be read.
        """
        return tuple(name for name in self._around.journal.services() if not name.startswith(STACK))

    def checkup(self, *services: str) -> tuple[Finding, ...]:
        """Look at the whole chain, and return what would lose requests or be in the way, errors first. Change nothing.

        Args:
            services: Which ones; none: all that were ever deployed.
        """
        return checkup(self._around, tuple(map(service_name, services)))

    def history(self, service: str) -> tuple[Deployment, ...]:
        """Return the deployments of a service, oldest first.

        Raises:
            JournalError: The journal can't be read.
        """
        return self._operations.history(service).deployments

    def report(self, service: str, deployment: str | None = None) -> Report:
        """Return the report of a deployment, the last one if none is named, from the journal.

        Raises:
            ConfigurationError: There is no such deployment.
            JournalError: The journal can't be read.
        """
        events = self._around.journal.read(service_name(service))
        name = deployment or (events[-1].deployment if events else "")
        own = [event for event in events if event.deployment == name]
        all_of_them = read_history(events).deployments
        if not own:
            known = f"; the last on record: {', '.join(one.id for one in all_of_them[-5:])}" if all_of_them else ""
            raise ConfigurationError(f"{service} has no deployment {deployment or 'yet'}{known}")
        made = Report.of(own, first_ever=any(one.first and one.id == name for one in all_of_them))
        later = [one for one in all_of_them if one.started_s >= made.started_s and one.id != name]
        if made.outcome is None and not made.reason and later:
            made = evolve(made, reason=f"{later[0].id} by {later[0].actor} was begun before it had ended")
        return made

    def backups(self, service: str) -> tuple[Manifest | DamagedBackup, ...]:
        """Return the backups that deployments of a service made and that are kept, oldest first.

        One whose manifest is damaged, and that can't be restored therefore, is among them as a `DamagedBackup`.

        Raises:
            JournalError: The journal can't be read.
            BackupError: A store can't be read.
        """
        return kept_backups(self._operations.history(service), service)

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
        return self._operations.deploy(self._operations.request(service, release, strategy), restart=restart)

    def rollback(
        self,
        service: str,
        to: str | None = None,
        strategy: Strategy | None = None,
        *,
        restore: bool | None = None,
    ) -> Report:
        """Make the service run an earlier revision again, by a deployment like any other.

        Args:
            service: The service's name.
            to: A version or a revision's id from its history; None: the one that served before the present one.
            strategy: What should happen; None: as in `deploy`.
            restore: Whether data that a release since then has changed are restored, which stops the service meanwhile
                and loses what was written since the backup. It must be said where there are such.

        Raises:
            ConfigurationError: There is no such revision; the message lists those there are. Or `restore` has to be
                said. Else as `deploy`.
            BackupError: The backup is not whole; nothing was touched.
        """
        history = self._operations.history(service)
        if history.last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to go back to")
        revision = history.find(to)
        restoring = data_to_restore(history, revision, restore=restore)
        if restoring is not None:
            request = self._operations.request_again(history.last.plan.agreed, revision, restoring)
            return self._operations.deploy(request, restart=True)
        return self._operations.deploy(self._operations.request_again(history.last.plan.agreed, revision, strategy))

    def restore(self, service: str, backup: str | None = None, *, using: Backup | None = None) -> Report:
        """Put a backup back: requests are held or fail, everything is stopped, restored, and started again as it was.

        What was written since the backup is lost; the report says how much time that is, and the log positions where
        they are known. It stops where it fails: the error says what runs then and what to do.

        Args:
            service: The service's name.
            backup: The id of a backup, see `backups`; None: the newest.
            using: What it was made with; None: what the last deployment that made one used.

        Raises:
            ConfigurationError: There is no such backup, or it can't be restored here. Else as `deploy`.
            BackupError: The backup is not whole; nothing was touched.
        """
        history = self._operations.history(service)
        served = history.served()
        if history.last is None or not served:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to restore")
        restoring = restoration(history, service, backup, using)
        return self._operations.deploy(
            self._operations.request_again(history.last.plan.agreed, served[-1], restoring), restart=True
        )

    def fail_over(self, service: str, failover: Failover, *, cut_off_confirmed: bool = False) -> Report:
        """Put the standby in the place of what serves, at once: requests are held or fail until it serves.

        The standby starts when everything else of the service is seen gone, and not before. It never goes back by
        itself: where it fails, it stops. `fail_back` goes back.

        Args:
            service: The service's name.
            failover: What the standby is.
            cut_off_confirmed: You have made sure that the primary can't write any more, so it is not waited for.

        Raises:
            PrimaryNotConfirmed: The primary could not be seen gone in time; the error names what is left of it.
            ConfigurationError: It was never deployed, or the standby can't run. Else as `deploy`.
        """
        return Switching(self._operations).fail_over(service, failover, cut_off_confirmed=cut_off_confirmed)

    def stand_by(self, service: str, failover: Failover) -> Report:
        """Start the standby beside what serves, proven by its gates and without traffic: a warm one.

        Nothing is done to what serves, whatever the service says of overlap. The next deployment of the service clears
        the standby away; call this again after it. Doing it again while it stands by does nothing.

        Args:
            service: The service's name.
            failover: What the standby is.

        Raises:
            ConfigurationError: It was never deployed, the standby serves already or can't run. Else as `deploy`.
        """
        return Switching(self._operations).stand_by(service, failover)

    def fail_back(self, service: str, to: str | None = None, *, cut_off_confirmed: bool = False) -> Report:
        """Put back what served before, or another revision of the history, in the way of `fail_over`.

        Args:
            service: The service's name.
            to: A version or a revision's id from its history; None: the one that served before the present one.
            cut_off_confirmed: As for `fail_over`.

        Raises:
            ConfigurationError: There was no switch, or it was gone back from already, or something else was deployed
                since and no version is given; there is no such revision: the message lists those there are. Else as
                `fail_over`.
        """
        return Switching(self._operations).fail_back(service, to, cut_off_confirmed=cut_off_confirmed)

    def watch(self, service: str, failover: Failover, *, for_s: float = float("inf")) -> Report | None:
        """Look at what serves until it has failed, then fail over; return the report, or None when the time is over.

        Nothing is counted while somebody deploys, or while the world can't be observed. Nothing switches back, unless
        the failover states ``return_after_s``: then it goes on after a switch, and returns the last report in the end.
        A switch of an earlier watch that died in the middle is finished first.

        Args:
            service: The service's name.
            failover: What the standby is, and how many looks must fail in a row.
            for_s: For how long to look, in seconds.

        Raises:
            ConfigurationError: The standby serves already. Else as `fail_over`.
        """
        return Switching(self._operations).watch(service_name(service), failover, for_s)

    def resume(self, service: str) -> Report:
        """Finish a deployment that was interrupted, or undo it if it was being undone; or end a pause.

        If a deployment is under way and paused, it is told to go on, and the report is the one so far. Otherwise one
        that was interrupted is finished, from what runs now, with the strategy of then: nothing of the old plan is
        repeated. If it was paused when it was interrupted, it stays paused until `resume` is called once more.

        Raises:
            ConfigurationError: There is nothing to resume. Else as `deploy`.
        """
        self._operations.history(service)
        if self._around.control is not None and self._around.lease.holder(service) is not None:
            give_order(self._around, service, OrderKind.RESUME, self._actor)
            return self.report(service)
        return self._operations.finish(service)

    def recover(self, *services: str) -> tuple[Recovered, ...]:
        """Finish or undo what deployers that ended in the middle left behind: what to call when a machine comes up.

        Each service is gone on with as by `resume`. One that somebody deploys, that is paused, or that was left to a
        person, is left as it is, and its entry says why. A service that could not be recovered keeps no other from it.

        Args:
            services: The services' names; none: every service of the journal.

        Returns:
            An entry for each service whose last deployment was unfinished, in order.

        Raises:
            JournalError: The journal can't be read.
            DeploymentInterrupted: Somebody stopped the deployer.
        """
        names = services or self.services()
        unfinished = [one for name in names if (one := self._operations.history(name).unfinished) is not None]
        return tuple(recovered(self._around, one, self._operations.finish) for one in unfinished)

    def pause(self, service: str) -> Order:
        """Tell the deployment of a service that is under way, in whatever process, to pass no stage until `resume`.

        What the present stage has begun is finished, its gates go on judging, and no deadline runs out by the pause.
        It is heeded at the deployer's next look, and shown as `Ordered`.

        Raises:
            ConfigurationError: Nothing is under way, or it can't be paused any more; the message says what to do.
            DeploymentInProgress: Somebody has only just taken the lease, and has not begun yet.
            JournalError: The journal can't be read.
            AdapterError: The order can't be sent.
        """
        return give_order(self._around, service_name(service), OrderKind.PAUSE, self._actor)

    def promote(self, service: str) -> Order:
        """Tell it to skip the rest of the present stage's hold time. Its gates must still pass. Raises as `pause`."""
        return give_order(self._around, service_name(service), OrderKind.PROMOTE, self._actor)

    def abort(self, service: str) -> Order:
        """Tell it to end the present stage as failed: it is taken back, or frozen where the stage says so.

        Its outcome says who aborted it and when. Raises as `pause`.
        """
        return give_order(self._around, service_name(service), OrderKind.ABORT, self._actor)

    def remove(self, service: str) -> Report:
        """Take a service out: its traffic ends, what is in flight is waited for, then its instances are stopped.

        Its history stays, so that `rollback` can bring it back.

        Raises:
            ConfigurationError: It was never deployed. Else as `deploy`.
        """
        history = self._operations.history(service)
        if history.last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to remove")
        return self._operations.remove(history.last.plan.agreed)

    # -- between deployments ----------------------------------------------------------------------------------------

    def mirror(self, *services: str, interval_s: float = 1.0, takeover_s: float = 10.0) -> Mirror:
        """Return a mirror over the same parts, for a process that runs all the time: see `Mirror`.

        Args:
            services: The services' names; none: every service that was ever deployed.
            interval_s: How often it looks while nothing changes, in seconds.
            takeover_s: After how many seconds another copy takes the place of one that died or hangs.

        Raises:
            ConfigurationError: A number of seconds is none.
        """
        names = tuple(map(service_name, services))
        return Mirror(self._around, names, self._actor, interval_s=interval_s, takeover_s=takeover_s)

    # -- how --------------------------------------------------------------------------------------------------------

    @property
    def _operations(self) -> Operations:
        return Operations(self._around, self._actor, self._default_gates)

    def listened_to_by(self, *listeners: Listener) -> Deployer:
        """Return the same deployer with further listeners, which are called with every event."""
        made = copy.copy(self)
        made._around = evolve(self._around, listeners=(*self._around.listeners, *listeners_of(listeners)))
        return made

    def _under(self, lease: Lease) -> Deployer:
        """Return the same deployer with another lease: how the one of stacks keeps its own while a service has its."""
        made = copy.copy(self)
        made._around = evolve(self._around, lease=lease)
        return made


def _user() -> str:
    """Return the user's name; the number of one who has none, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # which of them depends on Python's version
        return f"uid-{os.getuid()}"
