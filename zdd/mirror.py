"""`Mirror`: keeps registrations true between deployments, when the orchestrator replaces what died."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from attrs import define, evolve

from zdd.driver import Driver
from zdd.errors import (
    AdapterError,
    ConfigurationError,
    DeploymentInProgress,
    JournalError,
    LeaseLost,
    LeaseNotRenewed,
    OutcomeUnknown,
    TemporaryError,
    ZddError,
)
from zdd.history import read_intent
from zdd.interfaces import MIRROR, STACK, Fence, mirror_role
from zdd.model.command import Route
from zdd.model.intent import Intent
from zdd.model.names import check_number
from zdd.model.observation import Observation
from zdd.model.plan import Plan
from zdd.reconciler.decision import Decision
from zdd.reconciler.learn import learn
from zdd.reconciler.progress import Fact, Observed, Progress, Sent
from zdd.reconciler.reconcile import reconcile
from zdd.reconciler.upkeep import ABANDONED, QUIET, UPKEEP, out_of_reach, plan_of_upkeep, strangers
from zdd.sampler import Sampler
from zdd.surroundings import Surroundings

LEASE_S = 10.0
"""For how long it takes the lease of a service, for one change, in seconds."""

ABANDONED_AFTER_S = 30.0
"""A deployment that was left half done, and that nobody has worked on for so long, has its dead forgotten."""

READ_AGAIN_S = 10.0
"""How often it looks at what was deployed last, besides whenever something suggests that this changed."""

_PAUSE_LEAST_S = 0.02
_AFTER_ERROR_S = 1.0

logger = logging.getLogger("zdd")


@define(eq=False)
class _Kept:
    """What a mirror knows of one service."""

    service: str
    free_since_s: float
    role: Fence | None = None
    renewed_s: float = 0.0
    intent: Intent | None = None
    read_s: float | None = None
    progress: Progress | None = None
    sampler: Sampler | None = None
    unwatch: Callable[[], None] | None = None
    said: str = ""
    tidy_s: float = 0.0

    def forget(self) -> None:
        """Begin anew at the next look: somebody else has worked on the service."""
        if self.sampler is not None:
            self.sampler.close()
        self.intent = self.read_s = self.progress = self.sampler = None
        self.tidy_s = 0.0


class Mirror:
    """Keeps the registrations of services true while nobody deploys them.

    Where an orchestrator puts another instance, at another address, in the place of one that died, somebody has to see
    that it passes its gates, to register it with its cell's share, and to forget the dead one. That is all that a
    mirror does, and to have the orchestrator put right what commands left behind: it starts, stops and scales nothing,
    and takes nothing out of traffic that the orchestrator calls ready. Of several copies one is active; when it dies,
    another one takes its place. A copy that was shut out changes nothing, because its fence is refused. A deployer
    never waits for a mirror.

    What a service is meant to be is what its last deployment wrote down. While a deployment runs, the mirror leaves
    the service alone. After one that was left half done, only the dead are forgotten, until somebody resumes it.

    Args:
        around: The same parts that the deployer has.
        services: The services' names; none: every service that was ever deployed.
        actor: Who it is, as ``user@host:process id``.
        interval_s: How often it looks while nothing changes, in seconds. An orchestrator that tells of changes makes it
            look at once.
        takeover_s: After how many seconds another copy takes the place of one that died or hangs.

    Raises:
        ConfigurationError: A number of seconds is none.
    """

    def __init__(
        self,
        around: Surroundings,
        services: Iterable[str],
        actor: str,
        *,
        interval_s: float = 1.0,
        takeover_s: float = 10.0,
    ) -> None:
        check_number("interval_s of the mirror", interval_s, least=0.01, most=60)
        check_number("takeover_s of the mirror", takeover_s, least=1, most=600)
        self._around = around
        self._actor = f"{MIRROR}{actor}"
        self._interval_s = interval_s
        self._takeover_s = takeover_s
        self._names = tuple(dict.fromkeys(services))
        self._kept: dict[str, _Kept] = {}
        self._stopped = False

    def run(self) -> None:
        """Keep the registrations true until `stop` is called. What goes wrong is logged, and tried again."""
        try:
            while not self._stopped:
                self._around.clock.wait(self.look())
        finally:
            self.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._stopped = True
        self._around.clock.wake()

    def close(self) -> None:
        """Let another copy take its place at once."""
        for kept in self._kept.values():
            kept.forget()
            if kept.unwatch is not None:
                kept.unwatch()
            if kept.role is not None:
                self._let_go(mirror_role(kept.service), kept.role)
                kept.role = None

    def look(self) -> float:
        """Look at every service once, change what is to be changed, and return when to look again."""
        for name in self._services():
            self._kept.setdefault(name, _Kept(name, self._now()))
        nexts = [self._look_at(kept) for kept in self._kept.values()]
        return min(nexts, default=self._now() + self._interval_s)

    def _services(self) -> tuple[str, ...]:
        if self._names:
            return self._names
        try:
            return tuple(name for name in self._around.journal.services() if not name.startswith(STACK))
        except ZddError as error:
            logger.warning("zdd.mirror_blind: which services there are can't be read: %s", error)
            return ()

    # -- one service --------------------------------------------------------------------------------------------------

    def _look_at(self, kept: _Kept) -> float:
        try:
            return self._keep(kept)
        except DeploymentInProgress:
            self._somebody_works(kept)
        except LeaseNotRenewed as error:
            self._say(kept, f"looks again: {error}")
            self._somebody_works(kept)
        except LeaseLost as error:
            self._say(kept, f"made room: {error}")
            self._somebody_works(kept)
        except (AdapterError, ConfigurationError, JournalError) as error:
            self._say(kept, str(error), warning=True)
            return self._now() + max(self._interval_s, _AFTER_ERROR_S)
        return self._now() + self._interval_s

    def _keep(self, kept: _Kept) -> float:
        later_s = self._now() + self._interval_s
        if not self._is_active(kept):
            kept.forget()
            self._say(kept, "another copy is active")
            return later_s
        holder = self._around.lease.holder(kept.service)
        if holder is not None and not holder.is_mirror:
            self._somebody_works(kept)
            self._say(kept, f"{holder.name} works on it")
            return later_s
        if kept.intent is None or kept.read_s is None or self._now() >= kept.read_s + READ_AGAIN_S:
            self._read(kept)
        intent = kept.intent
        if intent is None:
            self._say(kept, "was not deployed yet")
            return later_s
        if not intent.plan.service.exposures:
            self._tidy(kept, intent)
            self._say(kept, "has no traffic to keep")
            return later_s
        if not intent.settled and self._now() < kept.free_since_s + ABANDONED_AFTER_S:
            return later_s
        self._watch(kept, intent.plan)
        observation, decision = self._decide(kept, intent)
        if any(isinstance(command, Route) for command in decision.commands):
            self._change(kept, intent)
            return self._now() + _PAUSE_LEAST_S
        self._tidy(kept, intent)
        told = [wait for wait in decision.waits if wait.guard in _TOLD]
        unknown = strangers(intent, observation)
        words = [*unknown, *out_of_reach(observation), *(f"waits for {wait.reason}" for wait in told)]
        self._say(kept, "; ".join(words) or "is as it should be")
        if unknown:
            kept.read_s = None
        return self._next_s(decision, busy=bool(told))

    def _next_s(self, decision: Decision, *, busy: bool) -> float:
        now = self._now()
        pause_s = min(self._interval_s, self._around.orchestrator.abilities.poll_s) if busy else self._interval_s
        return max(now + _PAUSE_LEAST_S, min(decision.until_s, now + pause_s) if busy else now + pause_s)

    def _is_active(self, kept: _Kept) -> bool:
        """Tell whether it is the active copy for this service; become so if there is none."""
        lease, role, now = self._around.lease, mirror_role(kept.service), self._now()
        if kept.role is None:
            try:
                kept.role, kept.renewed_s = lease.acquire(role, self._actor, self._takeover_s), now
            except DeploymentInProgress:
                return False
            kept.free_since_s = now
        elif now >= kept.renewed_s + self._takeover_s / 3:
            try:
                lease.renew(role, kept.role, self._takeover_s)
            except LeaseLost:
                kept.role = None
                return False
            kept.renewed_s = now
        return True

    def _somebody_works(self, kept: _Kept) -> None:
        kept.forget()
        kept.free_since_s = self._now()

    def _read(self, kept: _Kept) -> None:
        intent = self._read_intent(kept.service)
        if not _same(intent, kept.intent):
            kept.forget()
        kept.intent, kept.read_s = intent, self._now()

    def _read_intent(self, service: str) -> Intent | None:
        intents = self._around.intents
        intent = intents.read(service) if intents is not None else None
        if intent is not None and intent.settled:
            return intent
        return read_intent(self._around.journal.read(service))  # it has the end of a deployment that could not tell it

    def _watch(self, kept: _Kept, plan: Plan) -> None:
        if kept.unwatch is None:
            kept.unwatch = self._around.orchestrator.watch(plan.service, self._around.clock.wake)

    def _decide(self, kept: _Kept, intent: Intent) -> tuple[Observation, Decision]:
        """Look, and say what may be done."""
        now = self._now()
        observation = self._observe(kept, intent)
        plan = plan_of_upkeep(intent, observation)
        progress = kept.progress or Progress(stage=len(plan.stages), entered_s=now)
        progress = evolve(progress, entered_s=now)  # upkeep has no deadline
        kept.sampler = kept.sampler or self._around.make_sampler(self._around.clock)
        facts: list[Fact] = [Observed(observation), *kept.sampler.collect()]
        for fact in facts:
            progress = learn(progress, plan, fact, self._now())
        progress = kept.progress = _of_use(progress, observation)
        guards = UPKEEP if intent.settled else ABANDONED
        decision = reconcile(observation, plan, progress, self._now(), guards)
        serving = {registration.instance for registration in observation.registrations if registration.weight}
        for ask in decision.asks if intent.settled else ():
            if ask.target.instance and ask.target.instance not in serving:
                kept.sampler.ask(ask)
        return observation, decision

    def _observe(self, kept: _Kept, intent: Intent) -> Observation:
        looker = Driver(self._around, kept.service, Fence(0, self._actor), intent.deployment, self._actor, self._now())
        return looker.observe(intent.plan.service)

    # -- changing -----------------------------------------------------------------------------------------------------

    def _change(self, kept: _Kept, intent: Intent) -> None:
        """Take the lease, look and decide again under it, and tell discovery.

        Raises:
            DeploymentInProgress: Somebody else works on the service.
            LeaseLost: Somebody has taken over meanwhile, or may have. Nothing further was done.
        """
        lease = self._around.lease
        asked_s = self._now()
        fence = lease.acquire(kept.service, self._actor, LEASE_S)
        try:
            self._around.discovery.claim(intent.plan.service, fence)
            if not _same(self._read_intent(kept.service), intent):
                return kept.forget()
            observation, decision = self._decide(kept, intent)
            for command in decision.commands:
                if self._now() >= asked_s + LEASE_S / 2:
                    raise LeaseNotRenewed(
                        f"the lease of {kept.service} may have run out before it was used. Nobody is known to have "
                        "taken over"
                    )
                if isinstance(command, Route):
                    self._apply(kept, intent.plan, command, observation, fence)
            kept.tidy_s = self._now()  # what was replaced runs elsewhere
        finally:
            self._let_go(kept.service, fence)
        return None

    def _tidy(self, kept: _Kept, intent: Intent) -> None:
        """When it is time, take the lease and have put right what commands left behind.

        Raises:
            LeaseLost: A deployer has taken over meanwhile.
        """
        if not intent.settled or self._now() < kept.tidy_s:
            return
        kept.tidy_s = self._now() + READ_AGAIN_S
        try:
            fence = self._around.lease.acquire(kept.service, self._actor, LEASE_S)
        except DeploymentInProgress:
            return  # a deployer does it, too, and what another mirror does ends before long
        try:
            done = self._around.orchestrator.tidy(intent.plan.service, fence)
        finally:
            self._let_go(kept.service, fence)
        kept.tidy_s = float("inf") if done else kept.tidy_s

    def _apply(self, kept: _Kept, plan: Plan, command: Route, observation: Observation, fence: Fence) -> None:
        settles_s, refused = 0.0, False
        self._say(kept, _words(observation, command))
        try:
            self._around.discovery.apply(plan.service, command, fence)
        except OutcomeUnknown as error:
            settles_s = self._now() + error.settles_within_s
            self._say(kept, str(error), warning=True)
        except TemporaryError as error:
            settles_s, refused = self._now() + _AFTER_ERROR_S, True
            self._say(kept, str(error), warning=True)
        if kept.progress is not None:
            kept.progress = learn(kept.progress, plan, Sent(command, settles_s, refused), self._now())

    def _let_go(self, service: str, fence: Fence) -> None:
        try:
            self._around.lease.release(service, fence)
        except ZddError as error:
            logger.warning("zdd.lease_not_released: the lease of %s ends by itself: %s", service, error)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._around.clock.now()

    def _say(self, kept: _Kept, words: str, *, warning: bool = False) -> None:
        """Log it, once."""
        if words != kept.said:
            kept.said = words
            logger.log(logging.WARNING if warning else logging.INFO, "zdd.mirror: %s: %s", kept.service, words)


_TOLD = frozenset(guard.name for guard in UPKEEP) - frozenset(QUIET)


def _same(one: Intent | None, other: Intent | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.deployment, one.settled) == (other.deployment, other.settled)


def _of_use(progress: Progress, observation: Observation) -> Progress:
    """Leave out what was seen of instances that have gone: a mirror runs for ever."""
    known = {instance.id for instance in observation.instances()}
    known.update(registration.instance for registration in observation.registrations)
    gates = {key: record for key, record in progress.gates.items() if key[1].partition("@")[0] in known}
    instances = {name: record for name, record in progress.instances.items() if name in known}
    return evolve(progress, instances=instances, gates=gates)


def _words(observation: Observation, command: Route) -> str:
    before = {registration.instance: registration.weight for registration in observation.registrations}
    after = {registration.instance: registration.weight for registration in command.registrations}
    kinds = {
        "lets in": [name for name, weight in after.items() if weight and not before.get(name)],
        "takes out": [name for name, weight in before.items() if weight and name in after and not after[name]],
        "forgets": [name for name in before if name not in after],
    }
    return ", ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) or "divides the share anew"
