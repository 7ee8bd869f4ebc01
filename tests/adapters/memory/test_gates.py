from __future__ import annotations

from typing import Any

from zdd.adapters.memory import HealthyGate
from zdd.model.gate import Target
from zdd.model.verdict import Result, Sample

GOOD, BAD = Sample(Result.PASSED, "good"), Sample(Result.FAILED, "bad")


def target(*instances: Any) -> Target:
    if len(instances) == 1:
        return Target("web", "1.0", "r", instances[0].id, instances[0].addresses)
    return Target("web", "1.0", "r", instances={one.id: one.addresses for one in instances})


def test_a_look_at_one_instance_is_what_the_world_says_of_it(stage: Any) -> None:
    (one,) = stage.running(1)
    gate = HealthyGate(stage.world)
    assert gate.sample(target(one)).result is Result.PASSED
    stage.world.mark(one.id, healthy=False)
    assert gate.sample(target(one)).result is Result.FAILED
    stage.world.mark(one.id, healthy=True, hangs=True)
    assert "no answer" in gate.sample(target(one)).reason
    stage.world.kill(one.id)
    assert "nothing listens" in gate.sample(target(one)).reason


def test_a_look_at_a_stage_needs_every_rising_instance(stage: Any) -> None:
    one, two = stage.running(2)
    gate = HealthyGate(stage.world, "http")
    assert gate.sample(target(one, two)).figures == {"healthy": 2.0}
    stage.world.mark(two.id, healthy=False)
    assert gate.sample(target(one, two)).result is Result.FAILED


def test_no_address_is_inconclusive(stage: Any) -> None:
    (one,) = stage.running(1)
    assert HealthyGate(stage.world, "admin").sample(target(one)).result is Result.INCONCLUSIVE


def test_it_names_the_port_it_looks_at(stage: Any) -> None:
    assert HealthyGate(stage.world, "admin").ports() == frozenset({"admin"})
    assert HealthyGate(stage.world).ports() == frozenset()
    assert str(HealthyGate(stage.world)) == "is healthy"


def test_it_concludes_from_looks_in_a_row(stage: Any) -> None:
    gate = HealthyGate(stage.world, in_a_row=2, failures=3)
    assert gate.judge([]).result is Result.INCONCLUSIVE
    assert gate.judge([GOOD]).result is Result.INCONCLUSIVE
    assert gate.judge([BAD, GOOD, GOOD]).result is Result.PASSED
    assert gate.judge([BAD, BAD]).result is Result.INCONCLUSIVE
    assert gate.judge([GOOD, BAD, BAD, BAD]).result is Result.FAILED
    assert gate.judge([BAD, BAD, GOOD, BAD]).result is Result.INCONCLUSIVE
