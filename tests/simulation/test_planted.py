"""A bug that is planted is found, by a rule with a name, within a stated number of seeds."""

from __future__ import annotations

import pytest

from zdd.reconciler.guards import GUARDS
from zdd.simulation import draw, simulate, smallest, told

QUICK = (
    "no guard drained",
    "no guard judged",
    "no guard floor",
    "no guard seen-before-out",
    "no guard ceiling",
    "no guard edges-followed",
    "no guard fall-before-rise",
    "no guard complete-before-release",
    "a proof never expires",
    "an older list is believed at once",
    "what was told to stop may get traffic again",
    "stopped before drained",
    "starting counts as useful",
    "an unknown outcome counts as none",
    "going back leads to what failed",
    "inconclusive promotes",
    "nothing is deregistered",
    "the lease is not renewed",
    "some intentions are not written",
    "what can't be written down is done all the same",
)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found_within_sixty_lives(planted, name):
    bug = next(one for one in planted.ALL if one.name == name)
    found = planted.search(bug, range(60))
    assert found is not None, f"{name} was not found"
    assert found[2] in {invariant.value for invariant in bug.expected}


def test_every_guard_can_be_taken_away(planted):
    names = {bug.name for bug in planted.ALL}
    assert {f"no guard {guard.name}" for guard in GUARDS} <= names


def test_planting_is_undone(planted):
    before = simulate(3)
    with planted.planted(next(one for one in planted.ALL if one.name == "stopped before drained")):
        assert simulate(3).trace != before.trace
    assert simulate(3) == before


def test_what_is_broken_is_told_with_the_least_that_breaks_it_and_the_line_that_plays_it_again(planted):
    bug = next(one for one in planted.ALL if one.name == "an unknown outcome counts as none")
    _, seed, _ = planted.search(bug, range(60))
    scenario = draw(seed)
    with planted.planted(bug):
        result = simulate(scenario)
        text = told(scenario, result)
        least = smallest(scenario, result.violations[0].invariant)
        assert simulate(least).violations[0].invariant is result.violations[0].invariant
    assert len(least.troubles) <= len(scenario.troubles)
    assert f"BROKEN  {result.violations[0]}" in text
    assert f"python -m zdd.simulation --seed {seed}" in text
    assert 0 < len(result.last) <= 30
