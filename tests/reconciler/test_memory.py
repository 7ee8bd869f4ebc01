"""What was derived for the last decision saves time in the next one, and changes nothing of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from attrs import evolve

import zdd.driver
from zdd.reconciler.reconcile import reconcile
from zdd.simulation import draw, simulate


@pytest.mark.parametrize("seed", range(6))
def test_the_same_is_decided_with_and_without_what_was_derived_before(seed, monkeypatch):
    decided = kept = 0

    def compared(*arguments, memory):
        nonlocal decided, kept
        decision = reconcile(*arguments, memory=memory)
        assert decision == reconcile(*arguments)
        decided += 1
        before = memory.cells.by_name if memory is not None else {}
        kept += sum(one is before.get(name) for name, one in decision.memory.cells.by_name.items())
        return decision

    monkeypatch.setattr(zdd.driver, "reconcile", compared)
    assert simulate(draw(seed).with_orders() if seed % 2 else seed).violations == ()
    assert decided > 50
    assert kept > 50


LATER_S = (-1.0, 0.0, 0.05, 2.5, 5.0, 11.0, 29.0, 31.0, 70.0, 1000.0)


@pytest.mark.parametrize("worker", [False, True], ids=["with ways in", "a worker"])
def test_time_that_passes_alone_is_not_missed(cases, worker):
    for case in cases:
        observation, plan = case.observation, case.plan
        if worker:
            revisions = {name: evolve(one, gates=()) for name, one in plan.revisions.items()}
            plan = evolve(plan, service=evolve(plan.service, exposures=()), revisions=revisions)
            fresh = tuple(evolve(one, since_s=observation.as_of_s) for one in observation.instances())
            by_id = {one.id: one for one in fresh}
            cells = tuple(evolve(c, instances=tuple(by_id[i.id] for i in c.instances)) for c in observation.cells)
            observation = evolve(observation, cells=cells)
        for before_s, after_s in [*pairwise(LATER_S), (1000.0, 0.0)]:
            now = observation.as_of_s
            memory = reconcile(observation, plan, case.progress, now + before_s).memory
            decision = reconcile(observation, plan, case.progress, now + after_s, memory=memory)
            assert decision == reconcile(observation, plan, case.progress, now + after_s), str(case)
