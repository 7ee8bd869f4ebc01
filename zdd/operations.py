"""What is done to a service under its lease: deploying, going on, undoing, removing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import cast

from attrs import evolve, frozen

from zdd.backup.restore import Restore
from zdd.codec import MissingStrategy
from zdd.driver import Driver
from zdd.errors import ConfigurationError, ZddError
from zdd.events import DeploymentEnded, Outcome
from zdd.failure import failure_of
from zdd.history import Deployment, History, at_rest, read_history, read_intent
from zdd.interfaces import Fence
from zdd.model.gate import Gate
from zdd.model.intent import Intent
from zdd.model.names import service_name
from zdd.model.observation import Observation
from zdd.model.order import Order
from zdd.model.plan import Plan
from zdd.model.release import Release, Revision
from zdd.model.service import Service
from zdd.orders import Standing, standing
from zdd.planner import make_removal, undoing
from zdd.reconciler.progress import Progress
from zdd.report import Report
from zdd.request import (
    Request,
    judgeable,
    known_revisions,
    make_request,
    refuse_deaf_edges,
    refuse_left_out_edges,
    refuse_moved_ports,
    release_of,
    runs_already,
    serving_version,
)
from zdd.strategies.situation import Strategy
from zdd.surroundings import Surroundings

logger = logging.getLogger("zdd")


@frozen
class Taken:
    """The lease of a service, for the time of one operation.

    Attributes:
        fence: With what it is held.
        asked_s: When it was asked for, in seconds since the epoch: from then on it lasts, whatever is done first.
    """

    fence: Fence
    asked_s: float


@frozen
class Operations:
    """What one deployer does, over its parts.

    Attributes:
        around: The parts.
        actor: Who does it, as ``user@host:process id``.
        default_gates: The gates of a service that states none.
    """

    around: Surroundings
    actor: str
    default_gates: Callable[[Service], tuple[Gate, ...]]

    def deploy(self, request: Request, *, restart: bool = False) -> Report:
        """Carry out what was asked for; `restart` replaces even what runs this very release."""
        # What the plan alone can refuse is refused here, while nothing is touched; the plan that counts is made again
        # under the lease.
        self.preview(request)
        return self._deploy(request, restart=restart)

    def finish(self, service: str) -> Report:
        """Finish a deployment that was interrupted, or undo it if it was being undone."""
        history = self.history(service)
        unfinished = history.unfinished
        if unfinished is None:
            last = f"its last one is {history.last}" if history.last is not None else "it was never deployed"
            raise ConfigurationError(f"{service} has no unfinished deployment to go on with: {last}")
        plan = unfinished.plan
        if not unfinished.to_version:
            return self.remove(plan.service)
        target = plan.revisions[plan.target]
        if unfinished.went_back or self._standing(unfinished).aborted is not None:
            return self._undo_unfinished(unfinished)
        if isinstance(unfinished.strategy, MissingStrategy):
            raise ConfigurationError(f"{unfinished.strategy.problem}; or call deploy again with a strategy")
        strategy = cast("Strategy | None", unfinished.strategy)
        if isinstance(strategy, Restore) and _done(unfinished):
            strategy = None  # the data are back, and may have been written to since
        return self.deploy(self.request_again(plan.agreed, target, strategy))

    def request(self, service: Service, release: Release, strategy: Strategy | None) -> Request:
        """Return what is asked for, after everything that can be known beforehand was looked at."""
        return make_request(service, release, strategy, self.around, self.default_gates)

    def request_again(self, service: Service, revision: Revision, strategy: Strategy | None) -> Request:
        """Return the same for a revision of the history."""
        request = self.request(service, release_of(revision), strategy)
        return evolve(request, revision=evolve(request.revision, ports=revision.ports))

    def preview(self, request: Request) -> Plan:
        """Return what would be done now. Nothing is touched."""
        known = self.check_edges(request.service.name)
        observation = self.observe(request.service)
        history, _ = judgeable(known, request.service, observation)
        refuse_moved_ports(request.service, history, observation)
        plan = request.named("planned", history, observation).plan(observation, history, self.around)
        return evolve(plan, stages=()) if runs_already(plan, observation, history) else plan

    def observe(self, service: Service) -> Observation:
        """Look at everything that can be seen of a service."""
        return self._driver(service, Taken(Fence(0, self.actor), self.around.clock.now()), "", History()).observe(
            service
        )

    def history(self, service: str) -> History:
        """Return what is known of a service."""
        return read_history(self.around.journal.read(service_name(service)))

    def check_edges(self, service: str) -> History:
        """Return what is known of a service, unless an edge behind which it was deployed is left out.

        Raises:
            ConfigurationError: One is, and is not said to be gone for good.
        """
        history = self.history(service)
        refuse_left_out_edges(service, history, self.around)
        return history

    def _standing(self, deployment: Deployment) -> Standing:
        service = deployment.plan.service.name
        return standing(self.around, service, deployment.id, self.around.journal.read(service))

    def _standing_pause(self, history: History, revision: Revision) -> Order | None:
        """Return the order by which the deployment of this revision was paused when its deployer ended."""
        last = history.last
        if last is None or last.outcome not in (None, Outcome.INTERRUPTED) or last.went_back:
            return None
        same = last.to_version and last.plan.revisions[last.plan.target].digest == revision.digest
        return self._standing(last).paused if same else None

    def _driver(self, service: Service, taken: Taken, deployment: str, history: History, continues: str = "") -> Driver:
        known = Progress(
            told_before=history.told,
            routed=history.routed,
            routed_s=history.routed_s,
            given=history.given,
            holds=history.holds,
            went_on_s=history.went_on_s,
        )
        return Driver(self.around, service.name, taken.fence, deployment, self.actor, taken.asked_s, continues, known)

    def under_lease(self, service: Service, work: Callable[[Service, Taken, History], Report]) -> Report:
        """Do it while nobody else can change the service."""
        around = self.around
        asked_s = around.clock.now()
        fence = around.lease.acquire(service.name, self.actor, around.lease_s)
        try:
            around.orchestrator.claim(service, fence)
            if service.exposures:
                around.discovery.claim(service, fence)
            return work(service, Taken(fence, asked_s), self.history(service.name))
        finally:
            self.let_go(service.name, fence)

    def let_go(self, name: str, fence: Fence) -> None:
        """Release a lease. One that can't be released ends by itself, and what was done must still be told."""
        try:
            self.around.lease.release(name, fence)
        except ZddError as error:
            logger.warning("zdd.lease_not_released: the lease of %s ends by itself: %s", name, error)

    def _deploy(self, request: Request, *, restart: bool) -> Report:
        def work(service: Service, taken: Taken, journalled: History) -> Report:
            deployment = f"{service.name}-{taken.fence.token}"
            driver = self._driver(service, taken, deployment, journalled, _continued(journalled, request.revision))
            observation = driver.observe(service)
            history, notes = judgeable(journalled, service, observation)
            refuse_deaf_edges(observation)
            refuse_moved_ports(service, history, observation)
            chosen = request.named(f"r{taken.fence.token}", None if restart else history, observation)
            plan = chosen.plan(observation, history, self.around)
            version = chosen.revision.version
            if not restart and runs_already(plan, observation, history):
                return _unchanged(driver, plan, version, _already(plan, version), journalled)
            from_version = serving_version(plan, observation)
            pause = self._standing_pause(journalled, chosen.revision)
            carry_out = partial(driver.carry_out, plan, from_version, request.strategy, notes, pause)
            return self._run(plan, driver, carry_out, first_ever=not journalled.deployments)

        return self.under_lease(request.service, work)

    def _undo_unfinished(self, unfinished: Deployment) -> Report:
        aborted = self._standing(unfinished).aborted
        reason = str(aborted) if aborted is not None else unfinished.reason
        return self._undo(unfinished, reason or f"{unfinished.to_version} was being taken back when its deployer ended")

    def _undo(self, last: Deployment, reason: str) -> Report:
        def work(service: Service, taken: Taken, history: History) -> Report:
            if last not in history.deployments or history.unfinished not in (None, last):
                raise ConfigurationError(
                    f"{service.name} was deployed by somebody else meanwhile: nothing to take back"
                )
            driver = self._driver(service, taken, last.id, history)
            plan = last.plan
            undo = () if last.undone else undoing(plan, last.stages_passed, last.acted)

            def take_back() -> DeploymentEnded:
                return driver.take_back(plan, reason, last.from_version, undo)

            return self._run(plan, driver, take_back, undo=True, first_ever=last.first)

        self.check_edges(last.plan.service.name)
        return self.under_lease(last.plan.service, work)

    def take_back(self, deployment: Deployment, reason: str) -> Report:
        """Take a deployment back although it ended well: what it found runs again, as it was.

        What came after it has to be taken back already.
        """
        return self._undo(deployment, reason)

    def remove(self, service: Service) -> Report:
        """Take the service out."""
        self.check_edges(service.name)
        return self.under_lease(service, self._remove)

    def _remove(self, service: Service, taken: Taken, history: History) -> Report:
        deployment = f"{service.name}-{taken.fence.token}"
        driver = self._driver(service, taken, deployment, history)
        observation = driver.observe(service)
        refuse_deaf_edges(observation)
        plan = make_removal(service, observation, known_revisions(history, observation))
        if not observation.cells and not observation.registrations:
            return _unchanged(driver, plan, "", "nothing of it runs", history)
        from_version = serving_version(plan, observation)
        return self._run(plan, driver, lambda: driver.carry_out(plan, from_version))

    def _run(
        self,
        plan: Plan,
        driver: Driver,
        work: Callable[[], DeploymentEnded],
        *,
        undo: bool = False,
        first_ever: bool = False,
    ) -> Report:
        driver.mean(Intent(at_rest(plan), False, driver.deployment))
        try:
            ended = work()
        except KeyboardInterrupt:
            ended = driver.interrupted()
        intent = read_intent(driver.events)
        if intent is not None and intent.settled:
            try:
                driver.mean(intent)
            except ZddError as error:  # the journal has it too, and what was done must still be told
                logger.warning("zdd.intent_not_written: mirrors read the journal of %s: %s", plan.service.name, error)
        wanted = Outcome.ROLLED_BACK if undo else Outcome.SUCCEEDED
        report = Report.of(driver.events, first_ever=first_ever)
        if ended.outcome is wanted:
            return report
        raise failure_of(plan, report, ended.outcome, driver.observe)


def _unchanged(driver: Driver, plan: Plan, version: str, reason: str, history: History) -> Report:
    """Return the report of what had nothing to do. Nothing is written of it, so it names the last one on record."""
    report = Report.of(driver.unchanged(plan, version, reason))
    return evolve(report, deployment=history.last.id if history.last is not None else "")


def _already(plan: Plan, version: str) -> str:
    return f"{version} stands by already, beside what serves" if plan.beside else f"{version} runs already"


def _done(deployment: Deployment) -> bool:
    """Tell whether every action of a deployment has succeeded. Nothing is launched before."""
    return {action.name for stage in deployment.plan.stages for action in stage.actions} <= set(deployment.acted)


def _continued(history: History, revision: Revision) -> str:
    """Return the id of the interrupted deployment whose backup is what there was before anything changed, if any."""
    last = history.unfinished
    if last is None or last.plan.target not in last.plan.revisions:
        return ""
    begun = last.plan.revisions[last.plan.target]
    return last.id if begun.changes_data or begun.digest == revision.digest else ""
