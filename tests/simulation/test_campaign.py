"""The figures of many lives: what is counted, what is told, and that a broken rule can be played again."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from zdd.simulation import FaultClass, StrategyKind, campaign, draw, simulate
from zdd.simulation.campaign import Figures
from zdd.simulation.invariants import Invariant, Violation
from zdd.simulation.run import Result

GOOD = Result(
    seed=3,
    kind=StrategyKind.ROLLING,
    violations=(),
    trace="a",
    simulated_s=1800.0,
    faults={FaultClass.SLOW: 2},
    commands=10,
    deployments=3,
    world_losses=1,
    marks=frozenset({"went back"}),
)
BROKEN = evolve(
    GOOD, seed=7, violations=(Violation(Invariant.TIDY, 4.0, "a cell is left"),), faults={FaultClass.ORDERED: 1}
)


def figures(*results: Result, **known: Any) -> Figures:
    found = Figures(**known)
    for one in results:
        found.add(one)
    return found


def test_everything_is_added_up() -> None:
    found = figures(GOOD, GOOD, BROKEN, seconds=3.0)
    assert (found.total, found.seeds, found.broken) == (3, {StrategyKind.ROLLING: 3}, [BROKEN])
    assert (found.simulated_s, found.commands, found.deployments, found.world_losses) == (5400.0, 30, 9, 3)
    assert found.faults == {FaultClass.SLOW: 4, FaultClass.ORDERED: 1}
    assert found.seeds_with == {FaultClass.SLOW: 2, FaultClass.ORDERED: 1}
    assert found.marks == {"went back": 3}


def test_a_person_reads_each_class_of_faults_and_how_to_play_again_what_broke_a_rule() -> None:
    lines = list(figures(GOOD, BROKEN, seconds=2.0).lines())
    assert lines[0] == f"2 seeds: 2 {StrategyKind.ROLLING.value}"
    assert lines[1] == "1.0 simulated hours in 2 s"
    assert lines[2] == "6 deployers (3 a second), 20 commands checked"
    assert all(any(line.split("  ")[1] == kind.value for line in lines if line.startswith("  ")) for kind in FaultClass)
    again = "  python -m zdd.simulation --seed 7 --orders: "
    assert lines[-2] == "1 seeds in which a rule was broken"
    assert lines[-1].startswith(again)
    assert "a cell is left" in lines[-1]


def test_without_a_life_there_are_figures_too() -> None:
    assert next(figures().lines()).startswith("0 seeds")


def test_lives_are_played_as_they_would_be_alone_in_whatever_form_they_are_given() -> None:
    alone = simulate(0)
    found = campaign([0, draw(0)])
    assert found.total == 2
    assert (found.commands, found.deployments) == (2 * alone.commands, 2 * alone.deployments)
