"""A few hundred lives with everything going wrong in them: zdd breaks no rule in any."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.simulation import ASKED_FOR, FaultClass, StrategyKind, campaign, draw, simulate

SEEDS = range(240)


@pytest.fixture(scope="module")
def figures():
    return campaign(SEEDS, jobs=2)


def test_no_rule_is_broken_in_any_life(figures):
    assert [f"seed {result.seed}: {result.violations[0]}" for result in figures.broken] == []


def test_every_strategy_is_met_as_often_as_any_other(figures):
    assert set(figures.seeds.values()) == {len(SEEDS) // len(StrategyKind)}


def test_every_class_of_faults_truly_happens_in_at_least_one_of_twenty_lives(figures):
    asked = [kind for kind in FaultClass if kind not in ASKED_FOR]
    assert {kind.value: figures.seeds_with[kind] for kind in asked if figures.seeds_with[kind] < len(SEEDS) / 20} == {}


def test_every_command_and_every_outcome_happens_at_least_once(figures):
    commands = {f"command {name}" for name in ("launch", "change", "scale", "retire", "route")}
    ends = {
        "succeeded",
        "unchanged",
        "rolled back",
        "frozen",
        "stuck",
        "interrupted",
        "killed",
        "lease lost",
        "not written",
    }
    others = {"a request without an answer", "killed at append", "killed at observe", "paused at append", "recovered"}
    assert (commands | {f"outcome {end}" for end in ends} | others) - figures.marks.keys() == set()


def test_virtual_time_is_faster_than_the_real_one(figures):
    assert figures.simulated_s > 10 * figures.seconds


def test_without_faults_every_version_that_is_well_is_deployed():
    for seed in range(8):
        scenario = draw(seed, faults=False)
        well = evolve(scenario, steps=tuple(evolve(step, gate=None) for step in scenario.steps))
        result = simulate(well)
        assert "outcome rolled back" not in result.marks
        assert result.faults == {}
        assert result.world_losses == 0
