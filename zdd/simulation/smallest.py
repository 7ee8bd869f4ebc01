"""The least that has to go wrong for a rule to be broken."""

from __future__ import annotations

from attrs import evolve

from zdd.simulation.invariants import Invariant
from zdd.simulation.run import simulate
from zdd.simulation.scenario import Scenario


def smallest(scenario: Scenario, invariant: Invariant) -> Scenario:
    """Return the scenario with as little as possible left in it that still breaks this rule first.

    First whole classes of faults are left out, then faults one by one, then the last deployments.
    """
    for kind in scenario.classes:
        fewer = scenario.without([kind])
        if _breaks(fewer, invariant):
            scenario = fewer
    for trouble in scenario.troubles:
        fewer = evolve(scenario, troubles=tuple(one for one in scenario.troubles if one is not trouble))
        if _breaks(fewer, invariant):
            scenario = fewer
    while len(scenario.steps) > 1:
        last = len(scenario.steps) - 1
        left = tuple(one for one in scenario.troubles if one.step < last)
        fewer = evolve(scenario, steps=scenario.steps[:-1], troubles=left)
        if not _breaks(fewer, invariant):
            return scenario
        scenario = fewer
    return scenario


def _breaks(scenario: Scenario, invariant: Invariant) -> bool:
    violations = simulate(scenario).violations
    return bool(violations) and violations[0].invariant is invariant
