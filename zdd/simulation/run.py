"""`simulate`: play the life that a seed stands for, and say what was broken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import evolve, frozen

from zdd.events import Outcome
from zdd.simulation.cast import Actor
from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.operator import Operator
from zdd.simulation.play import Circles, Play
from zdd.simulation.scenario import Means, Scenario, Step, StrategyKind, draw
from zdd.simulation.trouble import FaultClass, Trouble

EVENTS_SHOWN = 30


@frozen
class Result:
    """What became of one seed.

    Attributes:
        seed: The seed.
        kind: Which strategy it was about.
        violations: What zdd broke, in order; empty: nothing.
        trace: A digest of everything that happened.
        simulated_s: How long it took in virtual seconds.
        faults: Class → how often a fault of that class happened.
        commands: How many commands were checked.
        deployments: How many deployers' processes there were.
        world_losses: Requests that were lost by the world's doing or a person's.
        marks: What happened at least once.
        last: The last things that happened, in words; empty when nothing was broken.
    """

    seed: int
    kind: StrategyKind
    violations: tuple[Violation, ...]
    trace: str
    simulated_s: float
    faults: Mapping[FaultClass, int]
    commands: int
    deployments: int
    world_losses: int
    marks: frozenset[str]
    last: tuple[str, ...] = ()


def simulate(scenario: Scenario | int) -> Result:
    """Play a scenario, or the one that a seed stands for: with faults first, then without, until it must have ended."""
    if isinstance(scenario, int):
        scenario = draw(scenario)
    play = Play(scenario)
    try:
        if play.cast is None:
            _live(play, Actor(play.world.clock))
        else:
            play.cast.enter(lambda actor: _live(play, actor))
            _others(play)
            play.cast.run()
    except Circles:
        play.watch.say(Invariant.ENDS, f"{play.calls} calls were made, and nothing moves on")
    return _result(play)


def _live(play: Play, actor: Actor) -> None:
    """Deploy a first version with nothing going wrong, then everything else, then heal."""
    operator, scenario = Operator(play, actor), play.scenario
    first = evolve(scenario.steps[0], version="1.0", means=Means.DEPLOY, gate=None, hold_s=0.0)
    outcome = operator.once(Means.DEPLOY, first, scenario.behaviour)
    if outcome != Outcome.SUCCEEDED.value:
        play.watch.say(Invariant.ENDS, f"with nothing going wrong, the first deployment ended as: {outcome}")
        return
    for number, step in enumerate(scenario.steps):
        play.begin(number)
        operator.step(step, play.behaviour(number))
        if play.watch.violations:
            return
    if play.cast is not None:
        while any(not other.done and other is not actor for other in play.cast.actors):
            actor.sleep(10.0)
    operator.heal()


def _others(play: Play) -> None:
    """Let others deploy too: at times of their own, or while the first deployer is paused."""
    troubles = [
        one for one in play.scenario.troubles if one.kind in (FaultClass.SECOND_DEPLOYER, FaultClass.DEPLOYER_PAUSED)
    ]
    for number, trouble in enumerate(troubles[:3]):
        _enter(play, trouble, number)


def _enter(play: Play, trouble: Trouble, number: int) -> None:
    steps = play.scenario.steps
    own = evolve(steps[trouble.step], version=f"5.{number}", means=(Means.RESUME, Means.DEPLOY)[trouble.pick % 2])
    first_s = 3.0 + trouble.after_s + 20.0 * trouble.step
    if play.cast is not None:
        play.cast.enter(lambda actor: _deploy_too(play, actor, trouble, own), first_s)


def _deploy_too(play: Play, actor: Actor, trouble: Trouble, step: Step) -> None:
    if play.healed:
        return
    if trouble.kind is FaultClass.SECOND_DEPLOYER:
        play.happened[trouble.kind] += 1
    Operator(play, actor).step(step, play.scenario.behaviour)


def _result(play: Play) -> Result:
    log, clock = play.world.log, play.world.clock
    digest = hashlib.sha256()
    for entry in log:
        line = (entry.at_s, entry.what.value, entry.instance, entry.cell, entry.edge, entry.requests, entry.note)
        digest.update(repr(line).encode())
    watch = play.watch
    last: tuple[str, ...] = ()
    if watch.violations:
        last = tuple(_lines(play)[-EVENTS_SHOWN:])
    return Result(
        play.scenario.seed,
        play.scenario.kind,
        tuple(watch.violations),
        digest.hexdigest(),
        clock.now() - watch.began_s,
        dict(play.happened),
        watch.commands,
        len(play.processes),
        watch.world_losses,
        frozenset(watch.marks),
        last,
    )


def _lines(play: Play) -> list[str]:
    began_s = play.watch.began_s
    lines = [
        (
            entry.at_s,
            f"{entry.at_s - began_s:8.2f}  world      {entry.what.value} {entry.instance or entry.cell} {entry.edge} "
            f"{entry.blame.value if entry.blame else ''} {entry.note}".rstrip(),
        )
        for entry in play.world.log
    ]
    for process in play.processes:
        for event in process.events:
            text = f"{event.at_s - began_s:8.2f}  deployer {process.number} {_words(event)}"
            lines.append((event.at_s, text))
    until_s = began_s + play.watch.violations[0].at_s
    return [text for at_s, text in sorted(lines, key=lambda line: line[0]) if at_s <= until_s]


def _words(event: object) -> str:
    names = [name for name in getattr(type(event), "__slots__", ()) if not name.startswith("_")]
    hidden = ("at_s", "service", "deployment", "plan", "actor", "strategy", "figures")
    shown = ", ".join(f"{name}={getattr(event, name)!r}" for name in names if name not in hidden)
    return f"{type(event).__name__}({shown})"
