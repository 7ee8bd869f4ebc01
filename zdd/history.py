"""What is known of a service from its journal: its revisions, its deployments, and one that did not end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, field, frozen

from zdd.errors import ConfigurationError
from zdd.events import (
    ActionEnded,
    CommandAnswered,
    CommandIntended,
    DeploymentEnded,
    DeploymentStarted,
    Event,
    InstanceMoved,
    Moment,
    Outcome,
    StagePassed,
)
from zdd.model.command import Route
from zdd.model.intent import Intent
from zdd.model.plan import Direction, Plan, Stage
from zdd.model.release import Revision
from zdd.reconciler.learn import EDGE_FOLLOWS_S
from zdd.reconciler.progress import Given, Told
from zdd.wording import change, printable

OPEN_OUTCOMES = (None, Outcome.INTERRUPTED, Outcome.STUCK, Outcome.FROZEN)
"""A deployment that ended like this, or not at all, left the service somewhere in between."""


@frozen
class Deployment:
    """One line of the history.

    Attributes:
        id: The deployment's id.
        plan: Its plan forward.
        from_version: What served before; empty if nothing did.
        to_version: What was to serve.
        actor: Who started it.
        started_s: When, in seconds since the epoch.
        ended_s: When it ended; None: it did not, as far as the journal knows.
        outcome: How it ended; None: it did not.
        reason: Why, in words.
        passed: Its last stage has passed: what was to serve does, and only clearing away was left.
        strategy: The strategy object that made the plan; None if the journal could not keep it.
        went_back: It was being taken back when it was last heard of.
        stages_passed: How many stages of its plan forward have passed.
        acted: The names of the actions that succeeded, those of going back not among them.
        undone: An action of going back has succeeded.
        edges: The names of the edges that it watched; none if it was before they were written down.
        first: Nothing of the service was ever deployed before it.
    """

    id: str
    plan: Plan
    from_version: str
    to_version: str
    actor: str
    started_s: float
    ended_s: float | None = None
    outcome: Outcome | None = None
    reason: str = ""
    passed: bool = False
    strategy: object = None
    went_back: bool = False
    stages_passed: int = 0
    acted: tuple[str, ...] = ()
    undone: bool = False
    edges: tuple[str, ...] = ()
    first: bool = False

    @property
    def half_done(self) -> bool:
        """Whether it left the service somewhere in between."""
        return self.outcome in OPEN_OUTCOMES

    def __repr__(self) -> str:
        return f"<Deployment {self}>"

    def __str__(self) -> str:
        outcome = self.outcome.value if self.outcome else "not ended"
        what = change(self.from_version, self.to_version, beside=self.plan.beside, first=self.first)
        what = f"{self.id}  {self.plan.service.name}: {what}"
        return f"{what}  {printable(self.plan.strategy)}  {outcome}  by {printable(self.actor)}"


@frozen
class History:
    """What is known of a service.

    Attributes:
        deployments: All of them, oldest first.
        revisions: Every revision that a plan ever had, by id.
        told: Cell → the last command sent to it, lately, that was not refused.
        routed: What discovery was told last, unless it refused that; None: nothing.
        routed_s: When, in seconds since the epoch.
        given: Instance → how it was given traffic lately, where no deployer saw every edge show it since.
        holds: Discovery was told last to hold requests back.
        went_on_s: When held requests were last told to go on, lately, and not every edge was seen to know; else 0.
    """

    deployments: tuple[Deployment, ...] = ()
    revisions: Mapping[str, Revision] = field(factory=dict)
    told: Mapping[str, Told] = field(factory=dict)
    routed: Route | None = None
    routed_s: float = 0.0
    given: Mapping[str, Given] = field(factory=dict)
    holds: bool = False
    went_on_s: float = 0.0

    @property
    def last(self) -> Deployment | None:
        """The last deployment that changed something or tried to."""
        return self.deployments[-1] if self.deployments else None

    @property
    def unfinished(self) -> Deployment | None:
        """The last deployment, if it left the service somewhere in between."""
        return self.last if self.last is not None and self.last.half_done else None

    def served(self) -> list[Revision]:
        """Return the revisions that were deployed with success, oldest first, each where it was deployed last."""
        done = [one for one in self.deployments if one.outcome is Outcome.SUCCEEDED and one.to_version]
        ids = [one.plan.target for one in done if not one.plan.beside]
        return [self.revisions[name] for name in reversed(list(dict.fromkeys(reversed(ids))))]

    def find(self, to: str | None) -> Revision:
        """Return the revision to go back to.

        Args:
            to: A version or a revision's id; None: what served before the present one, or what served last if the
                last deployment left the service somewhere in between.

        Raises:
            ConfigurationError: There is none; the message lists those there are.
        """
        served = self.served()
        name = f"{self.last.plan.service.name}: " if self.last is not None else ""
        if to is None:
            serving = None if self.unfinished is not None or self._removed() else next(reversed(served), None)
            earlier = [revision for revision in served if serving is None or revision.digest != serving.digest]
            if not earlier:
                only = f": only {serving.version} ever served" if serving is not None else ", as nothing ever served"
                raise ConfigurationError(f"{name}there is no earlier revision to go back to{only}")
            return earlier[-1]
        for revision in reversed(served):
            if to in (revision.id, revision.version):
                return revision
        known = ", ".join(f"{revision.version} ({revision.id})" for revision in served) or "none"
        raise ConfigurationError(f"{name}{to!r} never served; these did: {known}")

    def _removed(self) -> bool:
        ended = [one for one in self.deployments if one.outcome is Outcome.SUCCEEDED]
        return bool(ended) and not ended[-1].to_version


def read_history(events: Iterable[Event]) -> History:
    """Fold the events of one service."""
    deployments: dict[str, Deployment] = {}
    revisions: dict[str, Revision] = {}
    events = tuple(events)
    for event in events:
        if not isinstance(event, DeploymentStarted | StagePassed | ActionEnded | DeploymentEnded):
            continue
        known = deployments.get(event.deployment)
        if isinstance(event, DeploymentStarted):
            # A later plan may know an older revision with other gates than its own, to judge what runs of it.
            revisions = {**event.plan.revisions, **revisions}
            if event.plan.direction is Direction.BACK:
                if known is not None:
                    deployments[event.deployment] = evolve(known, went_back=True)
            else:
                if event.plan.target in event.plan.revisions:
                    revisions[event.plan.target] = event.plan.revisions[event.plan.target]
                deployments[event.deployment] = Deployment(
                    event.deployment,
                    event.plan,
                    event.from_version,
                    event.to_version,
                    event.actor,
                    event.at_s,
                    strategy=event.strategy,
                    edges=event.edges,
                    first=not deployments,
                )
        elif isinstance(event, StagePassed) and known is not None:
            if not known.went_back:
                last = event.stage == len(known.plan.stages) - 1
                known = evolve(known, passed=known.passed or last, stages_passed=event.stage + 1)
            deployments[event.deployment] = known
        elif isinstance(event, ActionEnded) and known is not None and event.succeeded:
            acted = (*known.acted, event.action) if not known.went_back else known.acted
            deployments[event.deployment] = evolve(known, acted=acted, undone=known.undone or known.went_back)
        elif isinstance(event, DeploymentEnded) and known is not None:
            ended = evolve(known, ended_s=event.at_s, outcome=event.outcome, reason=event.reason)
            deployments[event.deployment] = ended
    lately = _told_lately(events)
    told: dict[str, Told] = {}
    routed, routed_s = None, 0.0
    for one in lately:
        if isinstance(one, InstanceMoved):
            continue
        if isinstance(one.command, Route):
            routed, routed_s = one.command, one.at_s
        else:
            told[one.command.cell] = Told(one.command, one.at_s)
    return History(tuple(deployments.values()), revisions, told, routed, routed_s, _given(lately), *_holding(lately))


def _told_lately(events: Sequence[Event]) -> list[CommandIntended | InstanceMoved]:
    """Return what was told and not refused, and what was seen of it: lately, and the last before that.

    An answer belongs to the intention before it.
    """
    found: list[CommandIntended | InstanceMoved] = []
    refused = False
    last_s: float | None = None
    for event in reversed(events):
        if isinstance(event, CommandAnswered):
            refused = bool(event.error) and not event.unknown
        elif isinstance(event, CommandIntended):
            if not refused:
                found.append(event)
                if isinstance(event.command, Route):
                    last_s = event.at_s if last_s is None else last_s
                    if event.at_s < last_s - EDGE_FOLLOWS_S:
                        break
            refused = False
        elif isinstance(event, InstanceMoved) and event.moment is Moment.SEEN:
            found.append(event)
    return found[::-1]


def _given(told: Sequence[CommandIntended | InstanceMoved]) -> dict[str, Given]:
    """Return how instances were given traffic, without those that every edge was seen to show since."""
    given: dict[str, Given] = {}
    weights: Mapping[str, int] = {}
    for event in told:
        if isinstance(event, InstanceMoved):
            given.pop(event.instance, None)
        elif isinstance(event.command, Route):
            before, weights = weights, {one.instance: one.weight for one in event.command.registrations}
            for name, weight in weights.items():
                if weight and not before.get(name):
                    given[name] = Given(event.at_s, again=name in before)
    return given


def _holding(told: Sequence[CommandIntended | InstanceMoved]) -> tuple[bool, float]:
    """Return whether requests are held, and when held ones last went on, unless every edge was seen to know.

    That every edge sends requests to what had no traffic before that time shows it.
    """
    held, went_on_s = False, 0.0
    weights: Mapping[str, int] | None = None
    new: set[str] = set()
    for event in told:
        if isinstance(event, InstanceMoved):
            if not held and event.instance in new:
                went_on_s = 0.0
        elif isinstance(event.command, Route):
            before, weights = weights, {one.instance: one.weight for one in event.command.registrations}
            if event.command.held and not held:
                new.clear()
            if before is not None:
                new.update(name for name, weight in weights.items() if weight and not before.get(name))
            if held and not event.command.held:
                went_on_s = event.at_s
            held = event.command.held
    return held, went_on_s


def read_intent(events: Iterable[Event]) -> Intent | None:
    """Return what the service was last meant to be; None if nothing was ever deployed."""
    plan: Plan | None = None
    deployment, passed, settled = "", False, False
    for event in events:
        if isinstance(event, DeploymentStarted):
            plan, deployment, passed, settled = event.plan, event.deployment, False, False
        elif isinstance(event, StagePassed) and plan is not None:
            passed = event.stage == len(plan.stages) - 1
        elif isinstance(event, DeploymentEnded):
            cleared = event.outcome in (Outcome.SUCCEEDED, Outcome.ROLLED_BACK)
            settled = cleared or (event.outcome is Outcome.FROZEN and passed)
    return None if plan is None else Intent(at_rest(plan), settled, deployment)


def at_rest(plan: Plan) -> Plan:
    """Return the plan that keeps everything as the last stage left it."""
    goals = tuple(goal for goal in plan.final() if goal.replicas)
    named = {goal.revision for goal in goals}
    return evolve(
        plan,
        revisions={name: revision for name, revision in plan.revisions.items() if name in named},
        origin=goals,
        stages=(Stage("keep"),),
        retreat=(),
        exposures_before=None,
        strategy="",
        direction=Direction.FORWARD,
    )
