"""What became of a life, in words for the person who has to find out why."""

from __future__ import annotations

from zdd.simulation.run import Result
from zdd.simulation.scenario import Scenario
from zdd.simulation.smallest import smallest
from zdd.simulation.trouble import FaultClass


def told(scenario: Scenario, result: Result) -> str:
    """Return what a life was, and if a rule was broken: which, what came before, and the least that breaks it."""
    service = scenario.service
    shape = f"{service.replicas} replicas, floor {service.agreed_floor}, {len(service.exposures)} exposures"
    around = f"{len(scenario.edge_lags_s)} edges, {len(scenario.steps)} deployments"
    spent = f"{result.simulated_s:.0f} simulated seconds, {result.deployments} deployers, {result.commands} commands"
    lines = [
        f"seed {scenario.seed}: {scenario.kind.value}, {shape}, {around}",
        f"  {spent}, trace {result.trace[:16]}",
        *(f"  {trouble}" for trouble in scenario.troubles),
    ]
    if not result.violations:
        return "\n".join([*lines, "No rule was broken."])
    first = result.violations[0]
    ordered = FaultClass.ORDERED in scenario.classes
    least = smallest(scenario, first.invariant)
    return "\n".join(
        [
            *lines,
            f"BROKEN  {first}",
            "before it:",
            *(f"  {line}" for line in result.last),
            f"the least that breaks it: {len(least.troubles)} faults in {len(least.steps)} deployments",
            *(f"  {trouble}" for trouble in least.troubles),
            f"again: python -m zdd.simulation --seed {scenario.seed}" + (" --orders" if ordered else ""),
        ]
    )
