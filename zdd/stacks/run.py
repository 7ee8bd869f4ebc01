"""`StackRun`: one deployment of a stack, from what serves to what is wanted, or back.

Each service is deployed by the deployer as it would be alone. When one fails, those that were deployed before it are
taken back by deployments of their own, in reverse order. What each service served before is written down before it is
touched, so that whoever comes after an interruption knows where the stack came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from attrs import define, evolve, field

from zdd.codec import MissingStrategy
from zdd.deployer import Deployer
from zdd.errors import (
    AdapterError,
    ConfigurationError,
    DeploymentError,
    DeploymentInProgress,
    DeploymentInterrupted,
    StackFailed,
)
from zdd.events import Outcome, StackEnded, StackStarted, StackStep
from zdd.interfaces import Fence, StackHost
from zdd.model.release import Release
from zdd.model.service import Service
from zdd.report import Report
from zdd.request import release_of
from zdd.stacks.record import read_record, record_name
from zdd.stacks.report import ServiceResult, StackReport
from zdd.stacks.stack import Stack, StackService

if TYPE_CHECKING:
    from zdd.strategies.situation import Strategy

_BEFORE_ANYTHING = (ConfigurationError, AdapterError, DeploymentInProgress)


def deployed_by(deployer: Deployer, name: str, deployment: str) -> tuple[Service, Release, Strategy | None]:
    """Return what a deployment of a service was asked for, to be deployed again.

    Raises:
        JournalError: The journal can't be read.
    """
    then = next(one for one in deployer.history(name) if one.id == deployment)
    strategy = None if isinstance(then.strategy, MissingStrategy) else cast("Strategy | None", then.strategy)
    return then.plan.service, release_of(then.plan.revisions[then.plan.target]), strategy


@define
class StackRun:
    """One deployment of a stack, under its lease.

    Attributes:
        stack: What is wanted; without services if everything is removed, or gone back with.
        deployer: Deploys each service, and keeps the stack's lease meanwhile.
        host: Makes what the services share. None: they share nothing.
        fence: Of the stack's lease.
        restart: Replace the instances of every service, also of those that run what it says already.
        results: What became of each service so far, by name.
        notes: What there is to say besides, one line each.
        origins: Service → the deployment after which it served before it was touched; empty: nothing did.
        removed: The services that were removed.
        gone: Those that the stack had once, has no more, and that serve.
    """

    stack: Stack
    deployer: Deployer
    host: StackHost | None
    fence: Fence
    restart: bool = False
    results: dict[str, ServiceResult] = field(factory=dict)
    notes: list[str] = field(factory=list)
    origins: dict[str, str] = field(factory=dict)
    removed: list[str] = field(factory=list)
    gone: tuple[str, ...] = ()

    def carry_out(self, completed: Callable[[Stack], Stack], *, prune: bool) -> StackReport:
        """Let every service serve what the stack says, or what it served before if one of them fails.

        Args:
            completed: Gives the stack what is known only when that which the services share is there.
            prune: Remove the services that the stack had once and has no more.

        Raises:
            StackFailed: A service failed, or somebody stopped it; what became of each service is in the error.
            LeaseLost, JournalError: Nothing further was done.
        """
        record = read_record(self.deployer._around.journal.read(record_name(self.stack.name)))
        self.origins = dict(record.origins)
        names = tuple(one.service.name for one in self.stack.services)
        self.gone = tuple(name for name in reversed(record.services) if name not in names and self._served(name))
        self._write(StackStarted, services=names, actor=self.deployer._actor)
        try:
            made, wanted = self._made(completed)
            failed = self._deploy(wanted)
            if failed is not None:
                return self._failed(failed, made)
            if prune:
                self._prune()
        except KeyboardInterrupt:
            raise self._error(Outcome.INTERRUPTED, "somebody stopped it") from None
        except AdapterError as error:
            raise self._error(Outcome.INTERRUPTED, f"it could not go on: {error}") from error
        changed = self.removed or any(one.outcome is Outcome.SUCCEEDED for one in self.results.values())
        return self._end(Outcome.SUCCEEDED if changed or record.unsettled else Outcome.UNCHANGED, "")

    def go_back(self, wanted: Mapping[str, str]) -> StackReport:
        """Let these services serve again what they served after these deployments, the last one first.

        Raises:
            StackFailed: One of them could not be taken back, or somebody stopped it.
            LeaseLost, JournalError: Nothing further was done.
        """
        self._write(StackStarted, services=tuple(wanted), actor=self.deployer._actor)
        try:
            for name in reversed(list(wanted)):
                self.results[name] = self._gone_back(name, wanted[name])
        except (DeploymentInterrupted, KeyboardInterrupt):
            raise self._error(Outcome.INTERRUPTED, "somebody stopped it") from None
        except AdapterError as error:
            raise self._error(Outcome.INTERRUPTED, f"it could not go on: {error}") from error
        return self._end(Outcome.SUCCEEDED, "")

    def _gone_back(self, name: str, wanted: str) -> ServiceResult:
        """Let a service serve again what it served after a deployment."""
        if self._is_as_after(name, wanted):
            return ServiceResult(name, Outcome.UNCHANGED)
        self._step(name)
        try:
            return ServiceResult(name, Outcome.SUCCEEDED, report=self._back(name, wanted))
        except DeploymentInterrupted:
            raise
        except (DeploymentError, *_BEFORE_ANYTHING) as error:
            raise self._error(Outcome.STUCK, f"{name} could not be taken back: {error}") from error

    def _made(self, completed: Callable[[Stack], Stack]) -> tuple[tuple[tuple[str, str], ...], Stack]:
        """Make what the services share; return what was made, and the stack with what is known only now."""
        try:
            made = self.host.prepare(self.stack) if self.host is not None else ()
            return made, completed(self.stack)
        except (AdapterError, ConfigurationError) as error:
            reason = f"what the services share could not be made: {error}"
            raise self._error(Outcome.INTERRUPTED, reason) from error

    def _deploy(self, stack: Stack) -> ServiceResult | None:
        """Deploy one after another; return the first that failed."""
        for one in stack.services:
            name = one.service.name
            self._step(name)
            result = self.results[name] = self._deployed(one)
            if result.outcome not in (Outcome.SUCCEEDED, Outcome.UNCHANGED):
                return result
        return None

    def _step(self, name: str) -> None:
        """Write down what serves, before it is touched; what an interrupted run has written stays."""
        if name not in self.origins:
            self.origins[name] = self._served(name)
            self._write(StackStep, name=name, origin=self.origins[name])

    def _deployed(self, one: StackService) -> ServiceResult:
        name = one.service.name
        try:
            report = self.deployer.deploy(one.service, one.release, one.strategy, restart=self.restart)
        except DeploymentError as error:
            return ServiceResult(name, error.report.outcome or Outcome.STUCK, error.report.reason, error.report)
        except _BEFORE_ANYTHING as error:
            return ServiceResult(name, Outcome.ROLLED_BACK, f"nothing of it was touched: {error}")
        return ServiceResult(name, report.outcome, "", report)

    def _failed(self, failed: ServiceResult, made: tuple[tuple[str, str], ...]) -> StackReport:
        reason = f"{failed.service}: {failed.reason}"
        outcome = failed.outcome or Outcome.STUCK
        if outcome is not Outcome.ROLLED_BACK:
            raise self._error(outcome, reason)
        stuck = self._take_back()
        if stuck:
            raise self._error(Outcome.STUCK, f"{reason}; and {stuck}")
        try:
            self.notes += self.host.discard(self.stack, made) if self.host is not None else ()
        except AdapterError as error:  # the services are as they were, which is what counts
            self.notes.append(f"what was made for the services is still there: {error}")
        raise self._error(Outcome.ROLLED_BACK, reason)

    def _take_back(self) -> str:
        """Let every service that was changed serve again what it served, the last one first; say what can't be."""
        for name in reversed(list(self.origins)):
            if self._is_as_after(name, self.origins[name]):
                continue
            try:
                back = self._back(name, self.origins[name])
            except DeploymentInterrupted:
                raise KeyboardInterrupt from None
            except (DeploymentError, *_BEFORE_ANYTHING) as error:
                return f"{name} could not be taken back: {error}"
            known = self.results.get(name, ServiceResult(name, Outcome.SUCCEEDED))
            self.results[name] = evolve(known, back=back)
        return ""

    def _ran_before(self, name: str) -> bool:
        """Tell whether something ran when the service's last deployment began."""
        return any(goal.replicas for goal in self.deployer.history(name)[-1].plan.retreat)

    def _back(self, name: str, origin: str) -> Report:
        if not origin and self._ran_before(name):
            return self._as_it_was_found(name)
        if not origin:
            return self.deployer.remove(name)
        return self.deployer.deploy(*deployed_by(self.deployer, name, origin))

    def _as_it_was_found(self, name: str) -> Report:
        """Take back every deployment of a service that ran before zdd knew it: the first one's found what ran."""
        while True:
            deployments = self.deployer.history(name)
            served = self._served(name)
            last = deployments[-1]
            last = last if last.half_done else next(one for one in deployments if one.id == served)
            report = self.deployer._operations.take_back(last, f"another service of stack {self.stack.name} failed")
            if not self._served(name):
                return report

    def _prune(self) -> None:
        for name in self.gone:
            self._step(name)
            try:
                self.deployer.remove(name)
            except (DeploymentError, *_BEFORE_ANYTHING) as error:
                serves = "everything serves, but "
                if not self.stack.services:
                    serves, self.gone = "", ()
                raise self._error(Outcome.FROZEN, f"{serves}{name} could not be removed: {error}") from error
            self.removed.append(name)
        self.gone = ()

    def _is_as_after(self, name: str, deployment: str) -> bool:
        """Tell whether a service serves what it served after a deployment, and no later one left it in between."""
        deployments = self.deployer.history(name)
        half_done = bool(deployments) and deployments[-1].half_done and deployments[-1].id != deployment
        return self._served(name) == deployment and not half_done

    def _served(self, name: str) -> str:
        """Return the deployment after which the service serves what it serves; empty: nothing does."""
        served = [
            one
            for one in self.deployer.history(name)
            if one.outcome is Outcome.SUCCEEDED or (one.passed and one.outcome is not Outcome.ROLLED_BACK)
        ]
        return served[-1].id if served and served[-1].to_version else ""

    def _error(self, outcome: Outcome, reason: str) -> StackFailed:
        report = self._end(outcome, reason)
        again = "remove" if outcome is Outcome.FROZEN and not self.stack.services else "deploy"
        steps = {
            Outcome.ROLLED_BACK: "",
            Outcome.INTERRUPTED: "call deploy again with this stack or another one: it goes on from what runs now",
        }.get(outcome, f"look at the reports of its services; when what is in the way has gone, call {again} again")
        return StackFailed(str(report), report=report, next_steps=steps)

    def _end(self, outcome: Outcome, reason: str) -> StackReport:
        if any(one.outcome is Outcome.INTERRUPTED for one in self.results.values()):
            outcome = Outcome.INTERRUPTED
        self._write(StackEnded, outcome=outcome, reason=reason)
        names = [one.service.name for one in self.stack.services] or list(self.results)
        results = tuple(self.results.get(name, ServiceResult(name, None)) for name in names)
        notes = (*self.stack.notes, *self.notes)
        return StackReport(
            self.stack.name, self._deployment, outcome, results, reason, tuple(self.removed), self.gone, notes
        )

    @property
    def _deployment(self) -> str:
        return f"{self.stack.name}-{self.fence.token}"

    def _write(self, kind: type[StackStarted | StackStep | StackEnded], **values: object) -> None:
        around, name = self.deployer._around, record_name(self.stack.name)
        event = kind(at_s=around.clock.now(), service=name, deployment=self._deployment, **values)  # type: ignore[arg-type]
        around.journal.append(name, event, self.fence)
