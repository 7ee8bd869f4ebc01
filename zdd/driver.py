"""The driver: a thin loop around the reconciler. It observes, asks, fences, writes down, acts, and waits.

It knows nothing of the safe order. Whatever it does it first writes to the journal as an intention, then does, then
writes down the answer, then looks again before it decides anything more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

from attrs import evolve, frozen

from zdd.errors import AdapterError, ConfigurationError, LeaseLost, OutcomeUnknown, TemporaryError, ZddError
from zdd.events import (
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    Ordered,
    Outcome,
    StageEntered,
    StageFailed,
    StagePassed,
)
from zdd.held_lease import HeldLease
from zdd.inbox import Inbox
from zdd.interfaces import Fence
from zdd.model.action import Action, ActionContext
from zdd.model.command import Command, Route
from zdd.model.intent import Intent
from zdd.model.observation import Observation
from zdd.model.order import Order
from zdd.model.plan import OnFailure, Plan
from zdd.model.service import Service
from zdd.planner import make_retreat, undoing
from zdd.reconciler.decision import Decision
from zdd.reconciler.learn import learn, learn_looks
from zdd.reconciler.memory import Memory
from zdd.reconciler.orders import objection
from zdd.reconciler.progress import (
    Completed,
    Fact,
    Observed,
    Passed,
    Progress,
    Sampled,
    Sent,
    Stopped,
    deadline_s,
    going_back,
)
from zdd.reconciler.reconcile import reconcile
from zdd.recorder import Recorder
from zdd.sampler import Sampler
from zdd.surroundings import Surroundings
from zdd.tidying import Tidying

logger = logging.getLogger("zdd")

RETRY_S_LEAST = 0.2
RETRY_S_MOST = 5.0


@frozen
class Ending:
    """How following one plan ended."""

    reason: str
    passed: bool
    progress: Progress
    observation: Observation


class Driver:
    """Carries out one deployment of one service."""

    def __init__(
        self,
        surroundings: Surroundings,
        service: str,
        fence: Fence,
        deployment: str,
        actor: str,
        renewed_s: float,
        continues: str = "",
        known: Progress | None = None,
    ) -> None:
        self._around = surroundings
        self._fence = fence
        self._deployment = deployment
        self._actor = actor
        self._continues = continues
        self._known = known if known is not None else Progress()
        self._said = ""
        self._memory: Memory | None = None
        self._number = 0
        self._errors = 0
        self._service = service
        self._recorder = Recorder(service, deployment, surroundings.journal, fence, surroundings.listeners, self._now)
        self._inbox = Inbox(surroundings.control, service, deployment, self._now)
        self._lease = HeldLease(surroundings.lease, service, fence, surroundings.lease_s, renewed_s, self._now)
        self._tidying = Tidying(surroundings.orchestrator, fence, self._recorder, self._now)

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything that has happened so far."""
        return tuple(self._recorder.events)

    @property
    def deployment(self) -> str:
        """The deployment's id."""
        return self._deployment

    def mean(self, intent: Intent) -> None:
        """Write down what the service is meant to be, where mirrors read it. Raises as `Intents.write` does."""
        if self._around.intents is not None:
            self._around.intents.write(self._service, intent, self._fence)

    # -- the whole deployment -----------------------------------------------------------------------------------------

    def carry_out(
        self,
        plan: Plan,
        from_version: str,
        strategy: object = None,
        unproven: Sequence[str] = (),
        pause: Order | None = None,
    ) -> DeploymentEnded:
        """Follow the plan to its end, and take it back if a stage fails and says so.

        Args:
            plan: What is wanted.
            from_version: What serves now; empty if nothing does.
            strategy: What made the plan, for the journal.
            unproven: What is known beforehand not to be provable, one line each.
            pause: Who had paused the deployment that this one goes on with: it is paused from the start.

        Raises:
            LeaseLost: A newer deployer has taken over, or may have; nothing further was done.
            JournalError: What happens can't be written down any more; nothing further was done.
        """
        to_version = plan.revisions[plan.target].version if any(goal.replicas for goal in plan.final()) else ""
        self._recorder.unproven.extend(unproven)
        unwatch = self._around.orchestrator.watch(plan.service, self._around.clock.wake)
        try:
            self._recorder.emit(
                DeploymentStarted,
                plan=plan,
                from_version=from_version,
                to_version=to_version,
                actor=self._actor,
                strategy=strategy,
                edges=self._around.watched(plan.service),
            )
            progress = self._begun()
            if pause is not None:
                progress = self._stay_paused(plan, progress, pause)
            if plan.exposures_before not in (None, plan.service.exposures):
                progress = self._restate_ways_in(plan, progress)
            ending = self._follow(plan, progress)
            if not ending.reason:
                return self._end(Outcome.SUCCEEDED, "")
            if ending.passed:
                does = "stands by" if plan.beside else "serves"
                return self._end(Outcome.FROZEN, f"{to_version} {does}, but clearing away: {ending.reason}")
            stage = plan.stages[ending.progress.stage]
            self._recorder.emit(StageFailed, stage=ending.progress.stage, title=stage.title, reason=ending.reason)
            if stage.on_failure is OnFailure.FREEZE:
                return self._end(Outcome.FROZEN, ending.reason)
            # Only what was told to run can have changed the data.
            told = [one.command for one in ending.progress.told.values()]
            started = any(getattr(command, "revision", "") == plan.target for command in told)
            done = [stage.actions[number].name for number in ending.progress.done if started]
            undo = undoing(plan, ending.progress.stage, done) if told else ()
            return self._take_back(plan, ending, from_version, undo)
        finally:
            unwatch()

    def _stay_paused(self, plan: Plan, progress: Progress, pause: Order) -> Progress:
        """Keep what runs as it is. Where requests are held back meanwhile, the first stage is done before it pauses."""
        begun = any(stage.held for stage in plan.stages)
        progress = self._heed(plan, progress, evolve(pause, deployment=self._deployment))
        return evolve(progress, begun=begun)

    def _begun(self) -> Progress:
        """Return the progress at the beginning: what was told before may not show yet, by whatever clock."""
        now, known = self._now(), self._known
        told = {name: evolve(one, at_s=min(one.at_s, now)) for name, one in known.told_before.items()}
        return evolve(known, entered_s=now, routed_s=min(known.routed_s, now), told_before=told)

    def _restate_ways_in(self, plan: Plan, progress: Progress) -> Progress:
        """Tell discovery the exposures as they are stated now, with the registrations as they are."""
        registrations, held = self._around.discovery.registrations(plan.service)
        return self._send(plan, progress, Route(registrations, held), Observation(as_of_s=self._now()))

    def take_back(self, plan: Plan, reason: str, from_version: str, undo: Sequence[Action] = ()) -> DeploymentEnded:
        """Take back a deployment that another process began, from what is observed now. Raises like `carry_out`."""
        unwatch = self._around.orchestrator.watch(plan.service, self._around.clock.wake)
        try:
            ending = Ending(reason, False, self._begun(), self.observe(plan.service))
            return self._take_back(plan, ending, from_version, undo)
        finally:
            unwatch()

    def _take_back(self, plan: Plan, failed: Ending, from_version: str, undo: Sequence[Action]) -> DeploymentEnded:
        try:
            observation = self.observe(plan.service)
        except ZddError as error:
            observation = failed.observation
            self._recorder.unproven.append(f"what ran when it was taken back could not be seen: {error}")
        back = make_retreat(plan, observation, tuple(failed.progress.told), undo)
        to_version = back.revisions[back.target].version if plan.retreat else from_version
        failed_version = plan.revisions[plan.target].version
        self._recorder.emit(
            DeploymentStarted, plan=back, from_version=failed_version, to_version=to_version, actor=self._actor
        )
        ending = self._follow(back, going_back(failed.progress, self._now()))
        if not ending.reason:
            return self._end(Outcome.ROLLED_BACK, failed.reason)
        self._recorder.emit(StageFailed, stage=0, title=back.stages[0].title, reason=ending.reason)
        return self._end(Outcome.STUCK, f"{failed.reason}; then taking it back: {ending.reason}")

    def _end(self, outcome: Outcome, reason: str) -> DeploymentEnded:
        unproven = tuple(dict.fromkeys(self._recorder.unproven))
        return self._recorder.emit(DeploymentEnded, outcome=outcome, reason=reason, unproven=unproven)

    def unchanged(self, plan: Plan, version: str, reason: str) -> tuple[Event, ...]:
        """Tell the listeners, and nobody else, that there was nothing to do. Return what they were told.

        What an earlier deployer left behind is put right all the same.
        """
        untidy = self._tidying.tidy(plan.service)
        reason += f"; what commands left behind was not put right: {untidy}" if untidy else ""
        plan = evolve(plan, stages=())
        self._recorder.tell_unchanged(plan, version, reason, self._actor)
        return self.events

    def interrupted(self) -> DeploymentEnded:
        """Write down that somebody stopped the deployer."""
        return self._end(Outcome.INTERRUPTED, "the deployer was told to stop")

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _follow(self, plan: Plan, progress: Progress) -> Ending:
        # Another one for each plan: what a former plan still asks says nothing to this one.
        with closing(self._around.make_sampler(self._around.clock)) as sampler:
            return self._follow_with(plan, progress, sampler)

    def _follow_with(self, plan: Plan, progress: Progress, sampler: Sampler) -> Ending:
        self._enter(plan, progress.stage)
        observation = Observation(as_of_s=self._now())
        while True:
            self._lease.keep()
            for order in self._inbox.collect():
                progress = self._heed(plan, progress, order)
            try:
                observation = self.observe(plan.service)
            except (AdapterError, ConfigurationError) as error:
                blind = self._blind(plan, progress, str(error))
                if blind:
                    return Ending(blind, progress.stage >= len(plan.stages), progress, observation)
                continue
            untidy = self._tidying.tidy(plan.service)
            look = Observed(observation) if self._memory is None else self._memory.look(progress, observation)
            progress = self._learn(plan, progress, look)
            progress = self._collect(plan, progress, sampler)
            progress, decision = self._decide(plan, progress, observation)
            if decision.failed:
                passed = progress.stage >= len(plan.stages)
                return Ending(decision.failed, passed, progress, observation)
            if decision.finished and self._tidying.may_end(plan, observation, untidy):
                return Ending("", True, progress, observation)
            for ask in decision.asks:
                sampler.ask(ask)
            if decision.perform is not None:
                sampler.perform(decision.perform, self._context(plan))
            for command in decision.commands:
                progress = self._send(plan, progress, command, observation)
                if progress.settles_s > self._now() or progress.failure:
                    break  # nothing but looking is done until it has settled
            if not decision.commands:
                poll_s = self._around.orchestrator.abilities.poll_s
                self._around.clock.wait(min(decision.until_s, self._now() + poll_s))

    def _decide(self, plan: Plan, progress: Progress, observation: Observation) -> tuple[Progress, Decision]:
        """Decide what to do; what becomes true of the plan by that is decided on at once."""
        while True:
            decision = reconcile(observation, plan, progress, self._now(), memory=self._memory)
            self._memory = decision.memory
            self._recorder.show(plan, observation, decision, self._said)
            if decision.complete and not decision.failed:
                progress = self._learn(plan, progress, Completed(decision.complete))
            if decision.mark is None:
                return progress, decision
            progress = self._mark(plan, progress, decision.mark)

    def _blind(self, plan: Plan, progress: Progress, reason: str) -> str:
        """Wait to look again; return why to give up if the stage's deadline has passed meanwhile."""
        until_s = deadline_s(plan, progress)
        if progress.failure or self._now() >= until_s:
            return progress.failure or f"nothing can be seen: {reason}"
        self._around.clock.wait(min(until_s, self._now() + max(1.0, self._around.orchestrator.abilities.poll_s)))
        return ""

    def observe(self, service: Service) -> Observation:
        """Look at everything once, and keep in mind what can't be proven by that.

        Raises:
            AdapterError: The orchestrator or discovery can't say. An edge that can't is in the observation as such.
        """
        observation, unproven = self._around.observe(service), self._recorder.unproven
        changed = [f"{cell.name} was changed outside zdd: {cell.changed}" for cell in observation.cells if cell.changed]
        unproven.extend(line for line in changed if line not in unproven)
        deaf = [view for view in observation.edges if not view.reachable]
        unproven.extend(f"{view.edge} could not be reached: {view.note}" for view in deaf)
        return observation

    def _send(self, plan: Plan, progress: Progress, command: Command, observation: Observation) -> Progress:
        self._number += 1
        number = self._number
        self._recorder.emit(CommandIntended, number=number, command=command)
        settles_s, refused = 0.0, False
        try:
            self._around.act(plan, command, observation, self._fence)
        except OutcomeUnknown as error:
            settles_s = self._now() + error.settles_within_s
            self._recorder.emit(CommandAnswered, number=number, error=str(error), unknown=True)
        except TemporaryError as error:
            self._errors, refused = self._errors + 1, True
            settles_s = self._now() + min(RETRY_S_MOST, RETRY_S_LEAST * 2 ** min(self._errors, 10))
            self._recorder.emit(CommandAnswered, number=number, error=str(error))
        except LeaseLost:
            raise
        except (AdapterError, ConfigurationError) as error:
            self._recorder.emit(CommandAnswered, number=number, error=str(error))
            return self._learn(plan, progress, Stopped(str(error)))
        else:
            self._errors = 0
            self._recorder.emit(CommandAnswered, number=number)
        return self._learn(plan, progress, Sent(command, settles_s, refused))

    # -- learning -----------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._around.clock.now()

    def _context(self, plan: Plan) -> ActionContext:
        versions = [plan.revisions[goal.revision].version for goal in plan.retreat if goal.revision in plan.revisions]
        return ActionContext(
            plan.service.name,
            self._deployment,
            versions[0] if versions else "",
            plan.revisions[plan.target].version,
            self._continues,
            self._hear,
        )

    def _hear(self, text: str) -> None:
        """Keep what an action says, from whatever thread: it is shown at the next look."""
        self._said = text

    def _enter(self, plan: Plan, stage: int) -> None:
        self._recorder.emit(
            StageEntered,
            stage=stage,
            stages=len(plan.stages),
            title=plan.stages[stage].title,
            direction=plan.direction,
        )

    def _mark(self, plan: Plan, progress: Progress, mark: Fact) -> Progress:
        if isinstance(mark, Passed):
            self._recorder.emit(StagePassed, stage=progress.stage, title=plan.stages[progress.stage].title)
        progress = self._learn(plan, progress, mark)
        if isinstance(mark, Passed) and progress.stage < len(plan.stages):
            self._enter(plan, progress.stage)
        return progress

    def _heed(self, plan: Plan, progress: Progress, order: Order) -> Progress:
        self._recorder.emit(Ordered, order=order, note=objection(progress, plan, order))
        return self._learn(plan, progress, order)

    def _collect(self, plan: Plan, progress: Progress, sampler: Sampler) -> Progress:
        facts = sampler.collect()
        looks = [fact for fact in facts if isinstance(fact, Sampled)]
        after = learn_looks(progress, plan, looks, self._now())
        self._recorder.looked(plan, progress, after, looks)
        for fact in facts:
            if not isinstance(fact, Sampled):
                after = self._learn(plan, after, fact)
        return after

    def _learn(self, plan: Plan, progress: Progress, fact: Fact) -> Progress:
        after = learn(progress, plan, fact, self._now())
        self._recorder.learned(plan, progress, after, fact)
        return after
