"""Writes down what happens, and tells those who listen: the driver's memory and its voice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import frozen

from zdd.errors import JournalError, TemporaryError
from zdd.events import (
    ActionEnded,
    CapacityChanged,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    GateJudged,
    InstanceMoved,
    Moment,
    Outcome,
    Waited,
)
from zdd.interfaces import Fence, Journal
from zdd.model.evolve import evolve
from zdd.model.gate import shown
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.model.traffic import Registration
from zdd.model.verdict import Result
from zdd.reconciler.decision import Decision
from zdd.reconciler.moments import InstanceMoment, moments
from zdd.reconciler.progress import Fact, Performed, Progress, Sampled

JOURNAL_ATTEMPTS = 3
"""How often an event is tried to be written. An adapter that is busy waits by itself before it says so."""

logger = logging.getLogger("zdd")

EventKind = TypeVar("EventKind", bound=Event)


Shares = tuple[tuple[str, int], ...]


@frozen(slots=False)
class _Shown:
    """What was last told to the listeners, so that only changes are."""

    useful: int = -1
    existing: int = -1
    shares: Shares = ()
    waits: tuple[str, ...] = ()
    until_s: float = 0.0


class Recorder:
    """Writes each event to the journal, then tells the listeners. Only what changed is told.

    Attributes:
        events: Everything that happened so far.
        unproven: What could not be proven so far, one line each.
    """

    def __init__(
        self,
        service: str,
        deployment: str,
        journal: Journal,
        fence: Fence,
        listeners: Sequence[Callable[[Event], object]],
        now: Callable[[], float],
    ) -> None:
        self._about: dict[str, Any] = {"service": service, "deployment": deployment}
        self._journal = journal
        self._fence = fence
        self._listeners = listeners
        self._now = now
        self._shown = _Shown()
        self._verdicts: dict[tuple[str, str], Result] = {}
        self._divided: tuple[Plan, tuple[Registration, ...], Shares] | None = None
        self.events: list[Event] = []
        self.unproven: list[str] = []

    def emit(self, kind: type[EventKind], at_s: float | None = None, **values: Any) -> EventKind:
        """Write an event of this kind, of now or of that time, to the journal, tell the listeners, and return it.

        Raises:
            LeaseLost: A newer deployer has taken over.
            JournalError: It can't be written; nobody was told.
        """
        event = kind(at_s=self._now() if at_s is None else at_s, **self._about, **values)
        self._write(event)
        self.tell(event)
        return event

    def _write(self, event: Event) -> None:
        for attempt in range(JOURNAL_ATTEMPTS):
            try:
                return self._journal.append(event.service, event, self._fence)
            except TemporaryError as error:
                if attempt == JOURNAL_ATTEMPTS - 1:
                    raise JournalError(
                        f"what happens to {event.service} can't be written down any more: {error}. Nothing further "
                        "was done, and what runs stays as it is; when that is mended, "
                        f"deployer.resume({event.service!r}) goes on"
                    ) from error
        return None

    def tell(self, event: Event) -> None:
        """Tell the listeners, without writing it down. One that raises is logged and goes on being told."""
        self.events.append(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logger.exception("zdd.listener_failed: %r raised on %s", listener, type(event).__name__)

    def tell_unchanged(self, plan: Plan, version: str, reason: str, actor: str) -> None:
        """Tell the listeners of a deployment that had nothing to do. The journal is not written to."""
        about = {"at_s": self._now(), **self._about}
        self.tell(DeploymentStarted(**about, plan=plan, from_version=version, to_version=version, actor=actor))
        self.tell(DeploymentEnded(**about, outcome=Outcome.UNCHANGED, reason=reason))

    def learned(self, plan: Plan, before: Progress, after: Progress, fact: Fact) -> None:
        """Write down what a fact has changed."""
        if isinstance(fact, Performed):
            action = plan.stages[before.stage].actions[fact.number].name
            self.emit(ActionEnded, stage=before.stage, action=action, succeeded=fact.succeeded, note=fact.note)
        self._moved(plan, moments(before, after))

    def looked(self, plan: Plan, before: Progress, after: Progress, looks: Sequence[Sampled]) -> None:
        """Write down what looks of gates have changed: each verdict, and then what it meant for its instance."""
        for fact in looks:
            self._judged(after, fact)
            self._moved(plan, moments(before, after, fact.target.instance))

    def _moved(self, plan: Plan, moved: Iterable[InstanceMoment]) -> None:
        for moment in moved:
            revision = plan.revisions.get(moment.record.revision)
            self.emit(
                InstanceMoved,
                at_s=moment.at_s,
                instance=moment.instance,
                cell=moment.record.cell,
                version=revision.version if revision else "",
                moment=moment.moment,
                note=moment.note,
            )
            if moment.moment is Moment.CUT:
                what = "had something in flight at its drain deadline, or that was not known"
                self.unproven.append(f"{moment.instance} {what}")

    def _judged(self, progress: Progress, fact: Sampled) -> None:
        key = (fact.key, fact.target.key)
        verdict = progress.gates[key].verdict
        if self._verdicts.get(key) is verdict.result:
            return
        self._verdicts[key] = verdict.result
        self.emit(
            GateJudged,
            gate=shown(fact.gate),
            target=fact.target.instance or fact.target.service,
            result=verdict.result,
            reason=verdict.reason,
            figures=dict(verdict.figures),
        )

    def show(self, plan: Plan, observation: Observation, decision: Decision, said: str = "") -> None:
        """Write down the capacity if it changed, and tell what is awaited if that did.

        Args:
            plan: What is wanted.
            observation: The present look.
            decision: What was decided on it.
            said: What an action under way said last.
        """
        shares = self._shares(plan, observation)
        known = (decision.useful, decision.existing, shares)
        if decision.useful is not None and known != (self._shown.useful, self._shown.existing, self._shown.shares):
            self._shown = evolve(self._shown, useful=decision.useful, existing=decision.existing, shares=shares)
            self.emit(
                CapacityChanged,
                useful=decision.useful,
                existing=decision.existing,
                floor=plan.floor,
                shares=dict(shares),
            )
        reasons = tuple(dict.fromkeys(wait.reason for wait in decision.waits))
        if said and decision.perform is not None:
            reasons = (f"action {decision.perform.action.name}: {said}", *reasons[1:])
        until_s = decision.waits[0].until_s if decision.waits else 0.0
        if reasons and (reasons != self._shown.waits or abs(until_s - self._shown.until_s) > 1.0):
            self._shown = evolve(self._shown, waits=reasons, until_s=until_s)
            self.tell(Waited(at_s=self._now(), **self._about, reasons=reasons, until_s=until_s))

    def _shares(self, plan: Plan, observation: Observation) -> Shares:
        """Return version → per mille of the traffic, as discovery was told: most looks find it as it was."""
        registrations = observation.registrations
        if self._divided is None or self._divided[0] is not plan or self._divided[1] is not registrations:
            self._divided = (plan, registrations, _shares(plan, observation))
        return self._divided[2]


def _shares(plan: Plan, observation: Observation) -> Shares:
    """Return version → per mille of the traffic, as discovery was told."""
    weights: dict[str, int] = {}
    for registration in observation.registrations:
        revision = plan.revisions.get(registration.revision)
        version = revision.version if revision else registration.version
        weights[version] = weights.get(version, 0) + registration.weight
    total = sum(weights.values())
    return tuple((version, round(1000 * weight / total)) for version, weight in sorted(weights.items()) if weight)
