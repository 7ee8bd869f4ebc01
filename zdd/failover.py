"""`Failover`: what takes the place of a service's release when it dies, and how long it is looked at before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen

from zdd.errors import AdapterError, ConfigurationError, DeploymentInProgress
from zdd.gates.looks import check_gate, look
from zdd.history import History
from zdd.model.action import Action, action_tuple, check_actions
from zdd.model.cell import InstanceState
from zdd.model.gate import Gate, Target, shown
from zdd.model.names import check_flag, check_number
from zdd.model.observation import Observation
from zdd.model.release import Release, Revision
from zdd.model.verdict import Result
from zdd.operations import Operations
from zdd.report import Report
from zdd.request import judgeable
from zdd.strategies.stand_by import StandBy
from zdd.strategies.switch_over import SwitchOver
from zdd.switches import refuse_no_switch

logger = logging.getLogger("zdd")


def _release(value: Any) -> Release:
    if not isinstance(value, Release):
        raise ConfigurationError(f"standby {value!r} of Failover: use a zdd.Release")
    return value


def _gate(value: Any) -> Gate | None:
    return None if value is None else check_gate("the gate of Failover", value)


@frozen
class Failover:
    """A release in reserve, and when it takes the place of the one that serves, the primary.

    A cold standby is started when the primary is seen gone. A warm one runs beside it all the time, proven by its gates
    and without traffic, and must not write by itself: what opens it for that belongs into `actions`.

    Attributes:
        standby: What runs instead.
        warm: It runs already, see `Deployer.stand_by`.
        actions: What is done when the primary is seen gone, or a person said that it is cut off, and before the standby
            gets traffic: promoting a replica, for example. Each is safe to run twice.
        return_after_s: While the standby serves, a watch asks `healthy`; when that has passed in every look for so many
            seconds, it goes back as by `fail_back`. After each such return the next one takes twice as long. None: it
            goes back only when it is told.
        healthy: Whether the primary could serve again: its machine answers, its data have caught up. It is asked about
            the service as a whole, at no address. Needed for `return_after_s`.
        return_actions: As `actions`, for going back by itself.
        gate: What a watch asks each instance that has traffic, at its own address. None: the gates of its release.
        failures: So many looks in a row in which no instance passed make a watch switch.
        interval_s: Seconds between two looks.
        deadline_s: Seconds that a switch may take before it stops and asks. None: as long as everything that the
            service states may take.

    Raises:
        ConfigurationError: It is no release or no gate, or a number is out of bounds.
    """

    standby: Release = field(converter=_release)
    gate: Gate | None = field(default=None, kw_only=True, converter=_gate)
    failures: int = field(default=3, kw_only=True)
    interval_s: float = field(default=1.0, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)
    warm: bool = field(default=False, kw_only=True)
    actions: tuple[Action, ...] = field(default=(), kw_only=True, converter=action_tuple)
    return_after_s: float | None = field(default=None, kw_only=True)
    healthy: Gate | None = field(default=None, kw_only=True, converter=_gate)
    return_actions: tuple[Action, ...] = field(default=(), kw_only=True, converter=action_tuple)

    def __attrs_post_init__(self) -> None:
        check_flag("warm of Failover", self.warm)
        check_number("failures of Failover", self.failures, least=1, whole=True)
        check_number("interval_s of Failover", self.interval_s, least=0.01, most=3600)
        if self.deadline_s is not None:
            check_number("deadline_s of Failover", self.deadline_s, least=0)
        if self.return_after_s is not None:
            check_number("return_after_s of Failover", self.return_after_s, least=0)
            if self.healthy is None:
                raise ConfigurationError("return_after_s of Failover needs healthy=…, a gate that asks for the primary")


@define
class PrimaryWatch:
    """Looks at what serves, and counts in how many looks in a row nothing of it passed.

    Attributes:
        service: The service's name.
        failover: What to ask, and how many looks must fail.
        deployment: The id of the last deployment: after another one the count begins anew.
        observe: Looks at the service.
        revisions: What is known to run, by id.
        failed: How many looks in a row have failed up to now.
        reason: What the last one that failed said.
    """

    service: str
    failover: Failover
    deployment: str
    observe: Callable[[], Observation]
    revisions: Mapping[str, Revision]
    failed: int = 0
    reason: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the standby is to take over."""
        return self.failed >= self.failover.failures

    def look(self) -> None:
        """Look once.

        Raises:
            ConfigurationError: What serves has no gate that could be asked.
            AdapterError: It can't be observed.
        """
        targets = self._targets(self.observe())
        self.reason = f"nothing of {self.service} has traffic"
        for target, gates in targets:
            for gate in gates:
                sample = look(gate, target)
                if sample.result.value != "passed":
                    self.reason = f"{target.instance}: {shown(gate)}: {sample.reason}"
                    break
            else:
                self.failed = 0
                return
        self.failed += 1
        logger.warning("zdd.failover: look %d of %d failed: %s", self.failed, self.failover.failures, self.reason)

    def _targets(self, observation: Observation) -> list[tuple[Target, tuple[Gate, ...]]]:
        """Return what has traffic and still exists; of a service without ways in, what the orchestrator calls ready."""
        serving = {one.instance for one in observation.registrations if one.weight}
        found = []
        for instance in observation.instances():
            exposed = bool(observation.registrations or observation.edges)
            if instance.id not in serving and (exposed or instance.state is not InstanceState.READY):
                continue
            known = self.revisions.get(instance.revision)
            gates = (self.failover.gate,) if self.failover.gate is not None else known.gates if known else ()
            if not gates:
                raise ConfigurationError(
                    f"{self.service} has no gate that could tell whether it is alive: give Failover(…, gate=…)"
                )
            version = known.version if known is not None else ""
            target = Target(self.service, version, instance.revision, instance.id, instance.addresses)
            found.append((target, gates))
        return found


@define
class Seen:
    """What a watch has seen so far.

    Attributes:
        primary: What looks at the primary; None: it begins anew.
        healthy_since_s: Since when the primary could serve again, in every look; None: it could not in the last one.
        returns: How often this watch went back by itself.
        report: The report of its last switch.
    """

    primary: PrimaryWatch | None = None
    healthy_since_s: float | None = None
    returns: int = 0
    report: Report | None = None

    def nothing(self) -> None:
        """Begin anew: nothing can be concluded from what was seen."""
        self.primary, self.healthy_since_s = None, None


@frozen
class Switching:
    """Puts standbys in the place of primaries, and back.

    Attributes:
        operations: What a deployer does.
    """

    operations: Operations

    def fail_over(self, service: str, failover: Failover, *, cut_off_confirmed: bool) -> Report:
        """Put the standby in the place of what serves, at once."""
        check_failover(failover)
        last = self.operations.history(service).last
        if last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to fail over from")
        strategy = SwitchOver(failover.deadline_s, cut_off_confirmed=cut_off_confirmed, actions=failover.actions)
        return self.operations.deploy(self.operations.request(last.plan.agreed, failover.standby, strategy))

    def stand_by(self, service: str, failover: Failover) -> Report:
        """Start the standby beside what serves."""
        check_failover(failover)
        last = self.operations.history(service).last
        if last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to stand by for")
        return self.operations.deploy(self.operations.request(last.plan.agreed, failover.standby, StandBy()))

    def fail_back(self, service: str, to: str | None, *, cut_off_confirmed: bool) -> Report:
        """Put back what served before a switch."""
        history = self.operations.history(service)
        refuse_no_switch(service, history, to)
        return self._back_to(history, to, SwitchOver(cut_off_confirmed=cut_off_confirmed))

    def _back_to(self, history: History, to: str | None, strategy: SwitchOver) -> Report:
        agreed = history.deployments[-1].plan.agreed
        return self.operations.deploy(self.operations.request_again(agreed, history.find(to), strategy))

    def watch(self, service: str, failover: Failover, for_s: float) -> Report | None:
        """Look until the primary has failed, then switch; return None when the time is over.

        While somebody works on the service, or it can't be observed, nothing is counted: the count begins anew. With
        `return_after_s` it goes on after a switch, and returns the report of the last one.
        """
        check_failover(failover)
        check_number("for_s of the watch", for_s, least=0)
        clock = self.operations.around.clock
        until_s = clock.now() + for_s
        seen = Seen()
        while clock.now() < until_s:
            next_s = min(until_s, clock.now() + failover.interval_s)
            try:
                report = self._look(service, failover, seen)
            except (AdapterError, DeploymentInProgress) as error:
                logger.warning("zdd.failover_waits: nothing is concluded of %s: %s", service, error)
                seen.nothing()
            else:
                seen.report = report if report is not None else seen.report
                if report is not None and failover.return_after_s is None:
                    return report
            while clock.now() < next_s:
                clock.wait(next_s)
        return seen.report

    def _look(self, service: str, failover: Failover, seen: Seen) -> Report | None:
        """Look once, and switch if it is time."""
        holder = self.operations.around.lease.holder(service)
        if holder is not None and not holder.is_mirror:
            seen.nothing()
            return None
        history = self.operations.history(service)
        if failover.return_after_s is not None and history.unfinished is None:
            if serves_already(history, failover.standby):
                return self._look_back(service, failover, history, seen)
            seen.healthy_since_s = None
        seen.primary = self._primary(service, failover, seen.primary)
        if seen.primary is None:
            return self.operations.finish(service)
        seen.primary.look()
        if seen.primary.has_failed and seen.primary is self._primary(service, failover, seen.primary):
            return self.fail_over(service, failover, cut_off_confirmed=False)
        return None

    def _look_back(self, service: str, failover: Failover, history: History, seen: Seen) -> Report | None:
        """Ask whether the primary could serve again, and go back if it could for long enough."""
        assert failover.healthy is not None  # noqa: S101 - Failover refuses it
        assert failover.return_after_s is not None  # noqa: S101 - it is why this is called
        seen.primary, now = None, self.operations.around.clock.now()
        primary = history.find(None)
        sample = look(failover.healthy, Target(service, primary.version, primary.id, "", {}))
        if sample.result is not Result.PASSED:
            seen.healthy_since_s = None
            return None
        if seen.healthy_since_s is None:
            seen.healthy_since_s = now
        if now < seen.healthy_since_s + failover.return_after_s * 2**seen.returns:
            return None
        seen.returns, seen.healthy_since_s = seen.returns + 1, None
        logger.warning("zdd.failover: %s goes back to %s", service, primary.version)
        return self._back_to(history, primary.id, SwitchOver(actions=failover.return_actions))

    def _primary(self, service: str, failover: Failover, before: PrimaryWatch | None) -> PrimaryWatch | None:
        """Return what looks at the primary: the same as before, unless somebody has deployed since.

        None: an earlier switch is to be finished first.
        """
        history = self.operations.history(service)
        if before is not None and history.last is not None and before.deployment == history.last.id:
            return before
        if history.last is None:
            raise ConfigurationError(f"{service} was never deployed, so there is nothing to watch")
        if history.unfinished is not None and isinstance(history.unfinished.strategy, SwitchOver):
            return None
        if serves_already(history, failover.standby):
            raise ConfigurationError(
                f"the standby {failover.standby.version} of {service} serves already: call fail_back to go back"
            )
        if failover.warm:
            self.stand_by(service, failover)
            history = self.operations.history(service)
        last = history.deployments[-1]
        agreed = last.plan.agreed
        self.operations.request(agreed, failover.standby, SwitchOver())  # it is refused now, and not after a failure
        observe = partial(self.operations.observe, agreed)
        known, _ = judgeable(history, agreed, observe())
        return PrimaryWatch(service, failover, last.id, observe, known.revisions)


def check_failover(failover: object) -> None:
    """Raise `ConfigurationError` if it is something else, or one of its actions can't be run."""
    if not isinstance(failover, Failover):
        raise ConfigurationError(f"failover {failover!r}: use a zdd.Failover(standby)")
    check_actions((*failover.actions, *failover.return_actions))


def serves_already(history: History, standby: Release) -> bool:
    """Tell whether the last deployment with success brought this very release."""
    served = history.served()
    return bool(served) and served[-1].digest == digest_of(standby, served[-1])


def digest_of(release: Release, like: Revision) -> str:
    """Return the digest that a release has as a revision with the same ports."""
    revision = Revision("planned", release.version, release.workload, (), like.ports, release.changes_data)
    return revision.digest
