"""The rules of `zdd.interfaces.Gate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from zdd.clock import SystemClock
from zdd.interfaces import Clock, Gate, Target
from zdd.model.verdict import Result, Sample, Verdict
from zdd.testing.rules import Rule, demand, try_rules


@define(eq=False)
class _Trial:
    gate: Gate
    target: Target
    bad_target: Target | None
    clock: Clock
    looks: int

    def sample(self, target: Target) -> Sample:
        """Look as a driver does: an exception is one failed look."""
        try:
            return self.gate.sample(target)
        except Exception as error:  # noqa: BLE001 - that is the contract of `sample`
            return Sample(Result.FAILED, f"{type(error).__name__}: {error}")

    def samples(self, target: Target) -> Iterator[tuple[Sample, ...]]:
        """Look again and again, at the gate's own pace, and give all samples so far."""
        seen: tuple[Sample, ...] = ()
        for _ in range(self.looks):
            seen = (*seen, self.sample(target))
            yield seen
            end_s = self.clock.now() + self.gate.interval_s
            while self.clock.now() < end_s:
                self.clock.wait(end_s)


def _times(trial: _Trial) -> None:
    interval_s, deadline_s = trial.gate.interval_s, trial.gate.deadline_s
    demand(interval_s >= 0, f"interval_s is {interval_s!r}")
    demand(deadline_s is None or deadline_s > 0, f"deadline_s is {deadline_s!r}")


def _words(trial: _Trial) -> None:
    text = str(trial.gate)
    demand(text.strip() and "\n" not in text, f"str() of the gate is {text!r}")


def _ports(trial: _Trial) -> None:
    ports = trial.gate.ports()
    demand(isinstance(ports, frozenset), f"ports() returned {ports!r}, not a frozenset")
    demand(
        ports <= trial.target.addresses.keys(), f"it looks at {sorted(ports)}; the target has {trial.target.addresses}"
    )


def _samples(trial: _Trial) -> None:
    sample = trial.gate.sample(trial.target)
    demand(isinstance(sample, Sample) and isinstance(sample.result, Result), f"sample returned {sample!r}")
    figures = all(isinstance(value, int | float) for value in sample.figures.values())
    demand(figures, f"figures has something that is no number: {sample.figures!r}")


def _nothing_seen(trial: _Trial) -> None:
    verdict = trial.gate.judge(())
    demand(isinstance(verdict, Verdict), f"judge returned {verdict!r}")
    demand(verdict.result is Result.INCONCLUSIVE, f"without a sample it concludes {verdict.result.value}")


def _good_passes(trial: _Trial) -> None:
    verdict = Verdict(Result.INCONCLUSIVE)
    for samples in trial.samples(trial.target):
        verdict = trial.gate.judge(samples)
        if verdict.result is Result.PASSED:
            return
    demand(False, f"after {trial.looks} looks at a good target it concludes {verdict}")


def _bad_does_not_pass(trial: _Trial) -> None:
    for samples in trial.samples(trial.bad_target or trial.target):
        verdict = trial.gate.judge(samples)
        demand(verdict.result is not Result.PASSED, f"after {len(samples)} looks at a bad target it passes: {verdict}")
        demand(verdict.reason, f"after {len(samples)} looks at a bad target it says no reason")


def _pure(trial: _Trial) -> None:
    targets = [trial.target] if trial.bad_target is None else [trial.target, trial.bad_target]
    for target in targets:
        history = [(samples, trial.gate.judge(samples)) for samples in trial.samples(target)]
        for samples, before in reversed(history):
            again = trial.gate.judge(list(samples))
            demand(again == before, f"of the same {len(samples)} samples it first concludes {before}, later {again}")


GATE_RULES: tuple[Rule[_Trial], ...] = (
    Rule("its times are possible", _times),
    Rule("it says in one line what it is", _words),
    Rule("it names the ports that it looks at", _ports),
    Rule("a look at a good target is a sample", _samples),
    Rule("no samples are inconclusive", _nothing_seen),
    Rule("a good target passes", _good_passes),
    Rule("a bad target does not pass", _bad_does_not_pass, lambda trial: trial.bad_target),
    Rule("the same samples give the same verdict", _pure),
)


def check_gate(
    gate: Gate, target: Target, *, bad_target: Target | None = None, looks: int = 10, clock: Clock | None = None
) -> tuple[str, ...]:
    """Try the rules of a gate, and return the names of those that were tried.

    Args:
        gate: The gate.
        target: What passes it.
        bad_target: What does not, for example an address at which nothing listens.
        looks: How often it may look at a target before it must have passed it.
        clock: How to wait between two looks; None: really.

    Raises:
        ConformanceError: Rules are broken. It names them all, and says what was seen.
    """
    chosen = clock if clock is not None else SystemClock()

    @contextmanager
    def trials() -> Iterator[_Trial]:
        yield _Trial(gate, target, bad_target, chosen, looks)

    return try_rules("the gate", GATE_RULES, trials)
