"""Whoever deploys in a simulated life: starts a deployer, and another one when that has ended before its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve

from zdd.adapters.memory import Behaviour
from zdd.deployer import Deployer
from zdd.errors import (
    AdapterError,
    ConfigurationError,
    DeploymentError,
    DeploymentInProgress,
    DeploymentInterrupted,
    JournalError,
    LeaseLost,
)
from zdd.events import DeploymentStarted, Outcome
from zdd.model.release import Release
from zdd.report import Report
from zdd.simulation.cast import Actor
from zdd.simulation.ending import check_ending, check_events
from zdd.simulation.invariants import Invariant
from zdd.simulation.play import Killed, Play
from zdd.simulation.process import Process
from zdd.simulation.scenario import Means, Step, StrategyKind
from zdd.simulation.surroundings import StageGate
from zdd.simulation.trouble import JOURNAL_FAULTS, FaultClass
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

ATTEMPTS_MOST = 8
SLACK_S = 60.0
"""What a deployment may take beyond the deadlines of its plans: looks that fail, and the wait before the first one."""


def strategy_of(step: Step) -> Any:
    """Return the strategy of a step."""
    gates = () if step.gate is None else (StageGate(step.gate),)
    if step.strategy is StrategyKind.BLUE_GREEN:
        return BlueGreen(step.hold_s, gates=gates, on_failure=step.on_failure)
    if step.strategy is StrategyKind.CANARY:
        return Canary(step.shares, gates=gates, hold_s=step.hold_s, on_failure=step.on_failure)
    if step.strategy is StrategyKind.RECREATE:
        return Recreate()
    return RollingUpdate(step.batch or None, gates=gates, hold_s=step.hold_s, on_failure=step.on_failure)


@define(eq=False)
class Operator:
    """Deploys what a scenario says, and starts another deployer when one was killed, paused or interrupted."""

    play: Play
    actor: Actor

    def step(self, step: Step, behaviour: Behaviour) -> None:
        """Deploy what a step says, with as many processes as that takes."""
        means = step.means
        for attempt in range(ATTEMPTS_MOST):
            outcome = self.once(means, step, behaviour)
            self.play.watch.marks.add(f"outcome {outcome}")
            if outcome in ("killed", "lease lost", Outcome.INTERRUPTED.value, "not seen", "not written"):
                means = step.retries[attempt]
                self.actor.sleep(step.pause_s)
            elif outcome == "in progress":
                self.actor.sleep(3.0)
            else:
                return

    def once(self, means: Means, step: Step, behaviour: Behaviour) -> str:
        """Run one deployer, and return how it ended."""
        play = self.play
        deployer, process = play.deployer(self.actor)
        service, strategy = play.scenario.service, strategy_of(step)
        began_s = play.world.clock.now()

        def work() -> Report:
            if means is Means.DEPLOY:
                return deployer.deploy(service, Release(step.version, behaviour), strategy)
            if means is Means.ROLLBACK:
                return deployer.rollback(service.name, None, strategy)
            return self._recover(deployer, process) if play.taken_over else deployer.resume(service.name)

        report, outcome = self._run(work, process, means)
        process.ended = True
        check_events(play, process, report)
        if report is not None:
            self._check_time(process, began_s)
            check_ending(play, process, report)
        return outcome

    def _recover(self, deployer: Deployer, process: Process) -> Report:
        """Let a machine that has only the journal finish or undo what another one left."""
        service = self.play.scenario.service.name
        found = deployer.recover()
        if not found:
            raise ConfigurationError("nothing to resume")
        (entry,) = found
        self.play.watch.marks.add("recovered" if entry.report is not None else "not recovered")
        if entry.report is not None:
            return entry.report
        if process.unwritten:
            raise JournalError(entry.reason)
        if process.plans:
            raise LeaseLost(entry.reason)
        holder = self.play.lease.holder(service)
        if holder is not None:
            raise DeploymentInProgress(entry.reason, holder=holder.name, since_s=holder.since_s)
        return deployer.resume(service)  # it was left to a person, or can't be seen: this is the person

    def _run(self, work: Callable[[], Report], process: Process, means: Means) -> tuple[Report | None, str]:
        try:
            report = work()
        except DeploymentInterrupted as error:
            return error.report, Outcome.INTERRUPTED.value
        except DeploymentError as error:
            report = error.report
            if not error.next_steps:
                self.play.watch.say(Invariant.HONEST, "an error has no next steps")
        except Killed:
            return None, "killed"
        except LeaseLost:
            return None, "lease lost"
        except DeploymentInProgress:
            return None, "in progress"
        except KeyboardInterrupt:
            return None, Outcome.INTERRUPTED.value
        except ConfigurationError as error:
            return None, self._refused(str(error), means)
        except (AdapterError, JournalError) as error:
            if isinstance(error, JournalError) and not set(JOURNAL_FAULTS).isdisjoint(self.play.scenario.classes):
                return None, "not written"
            if process.commands:
                self.play.watch.say(Invariant.HONEST, f"ended with {error!r} after commands were sent")
            return None, "not seen"
        except Exception as error:  # noqa: BLE001 - whatever comes out of zdd that is not its own is a finding
            self.play.watch.say(Invariant.HONEST, f"{means.value} raised {type(error).__name__}: {error}")
            return None, "raised"
        if report.outcome is None:
            return None, "told to go on"  # another one's deployment was paused
        return report, report.outcome.value

    def _refused(self, message: str, means: Means) -> str:
        known = (
            "nothing to resume",
            "no unfinished",
            "no earlier revision",
            "was never deployed",
            "use a batch of",
            "by somebody else meanwhile",
        )
        if not any(text in message for text in known):
            self.play.watch.say(Invariant.RESUMABLE, f"{means.value} is refused: {message}")
        return "refused"

    def _check_time(self, process: Process, began_s: float) -> None:
        """Check that it ended within the deadlines of its own plans."""
        service = self.play.scenario.service
        paused_s = [one.for_s + 25.0 for one in self.play.scenario.troubles if one.kind is FaultClass.ORDERED]
        allowed_s = SLACK_S + sum(paused_s)
        for event in process.events:
            if isinstance(event, DeploymentStarted):
                allowed_s += sum(stage.deadline_s for stage in event.plan.stages) + 30.0
                allowed_s += service.drain_deadline_s + service.stop_grace_s + service.settle_s
        took_s = self.play.world.clock.now() - began_s
        if took_s > allowed_s and FaultClass.DEPLOYER_PAUSED not in self.play.scenario.classes:
            self.play.watch.say(Invariant.ENDS, f"a deployment took {took_s:.0f} s, its plans allow {allowed_s:.0f} s")

    def heal(self) -> None:
        """Bring the service to a version that is well, now that nothing goes wrong any more; and do so twice."""
        play = self.play
        play.heal()
        kind = StrategyKind.RECREATE if play.scenario.kind is StrategyKind.RECREATE else StrategyKind.ROLLING
        last = evolve(
            play.scenario.steps[-1], version="9.0", means=Means.DEPLOY, strategy=kind, batch=0, gate=None, hold_s=0.0
        )
        self.actor.sleep(2 * 36.0)
        outcome = self.once(Means.RESUME, last, Behaviour())
        play.watch.marks.add(f"outcome {outcome}")
        if outcome in (Outcome.INTERRUPTED.value, "killed", "lease lost", "in progress", "not seen", "not written"):
            play.watch.say(Invariant.ENDS, f"with faults off, going on ended as: {outcome}")
        outcome = self.once(Means.DEPLOY, last, Behaviour())
        play.watch.marks.add(f"outcome {outcome}")
        if outcome != Outcome.SUCCEEDED.value:
            play.watch.say(Invariant.ENDS, f"with faults off, a deployment of a healthy version ended as: {outcome}")
            return
        outcome = self.once(Means.DEPLOY, last, Behaviour())
        fine = (Outcome.UNCHANGED.value, Outcome.SUCCEEDED.value)  # the latter while an old one is still stopping
        if outcome not in fine or play.processes[-1].commands:
            commands = play.processes[-1].commands
            play.watch.say(Invariant.NOT_REPEATED, f"the same again: {outcome}, {commands} commands")
        play.watch.marks.add(f"outcome {outcome}")
