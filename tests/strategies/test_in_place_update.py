"""`InPlaceUpdate`: batch after batch of a cell that serves."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd import ConfigurationError, HttpGate, InPlaceUpdate
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.in_place import InPlace, UpdateOrder


def changes(strategy: InPlaceUpdate, situation: Any) -> list[InPlace | None]:
    return [goal.in_place for stage in strategy.stages(situation) for goal in stage.goals]


def test_each_batch_is_a_stage_with_its_gates_and_hold_time(situation: Any) -> None:
    gate = HttpGate("/health")
    stages = InPlaceUpdate(batch=2, gates=[gate], hold_s=5.0).stages(
        situation(("web", "old", 5, None), replicas=5, parts=1)
    )
    assert [stage.title for stage in stages] == [
        "replace 2 of 5 in place, 2 of 5 are 2.0 then",
        "replace 2 of 5 in place, 4 of 5 are 2.0 then",
        "replace 1 of 5 in place, 5 of 5 are 2.0 then",
    ]
    assert [stage.goals[0].in_place for stage in stages] == [InPlace(2, 2), InPlace(4, 2), InPlace(5, 2)]
    assert all((stage.gates, stage.hold_s) == ((gate,), 5.0) for stage in stages)


@pytest.mark.parametrize(("batch", "replicas", "count"), [("25%", 4, 1), ("50%", 5, 2), ("1%", 4, 1), (9, 4, 4)])
def test_a_batch_is_a_number_or_a_part_of_the_replicas(
    batch: int | str, replicas: int, count: int, situation: Any
) -> None:
    asked = situation(("web", "old", replicas, None), replicas=replicas, parts=1)
    assert changes(InPlaceUpdate(batch), asked)[0] == InPlace(count, count)


@pytest.mark.parametrize("batch", [0, -1, 1.5, "0%", "25", "101%", "many", "-5%", True])
def test_another_batch_is_refused(batch: Any) -> None:
    with pytest.raises(ConfigurationError, match="batch of InPlaceUpdate"):
        InPlaceUpdate(batch)


def test_only_what_starts_first_needs_room(situation: Any) -> None:
    asked = situation(("web", "old", 4, None), replicas=4, parts=1)
    assert InPlaceUpdate(2).surge(asked) == 2
    stopping = InPlaceUpdate(2, "stop-first")  # type: ignore[arg-type]
    assert stopping.surge(asked) == 0
    assert changes(stopping, asked)[-1] == InPlace(4, 2, UpdateOrder.STOP_FIRST)
    assert str(stopping) == "InPlaceUpdate(batch=2, order='stop-first')"


def test_a_first_deployment_starts_everything(situation: Any, steps: Any) -> None:
    asked = situation(replicas=3, parts=1)
    assert steps(InPlaceUpdate(), asked) == ["web: 3 new 100 %"]
    assert InPlaceUpdate().surge(asked) == 0


def test_cells_are_changed_one_after_the_other(situation: Any) -> None:
    asked = situation(("web", "old", 2, None), ("web-2", "old", 2, None), replicas=4, parts=2)
    assert [stage.goals[0].cell for stage in InPlaceUpdate().stages(asked)] == ["web", "web", "web-2", "web-2"]
    assert InPlaceUpdate().stages(asked)[0].title == "web: replace 1 of 2 in place, 1 of 2 are 2.0 then"


def test_what_is_half_done_is_gone_on_with(situation: Any) -> None:
    asked = situation(("web", "new", 4, None), replicas=4, parts=1)
    ready = InstanceState.READY
    mixed = [Instance("a", "new", ready), *(Instance(name, "old", ready) for name in "bcd")]
    asked = evolve(asked, cells=(Cell("web", "new", 4, tuple(mixed)),))
    assert changes(InPlaceUpdate(), asked) == [InPlace(2), InPlace(3), InPlace(4)]
    last = [*(Instance(name, "new", ready) for name in "abcd"), Instance("e", "old", ready, replaced_by="d")]
    asked = evolve(asked, cells=(Cell("web", "new", 4, tuple(last)),))
    assert changes(InPlaceUpdate(), asked) == [InPlace(4)]


def test_nothing_is_to_be_done_where_the_target_runs(situation: Any, steps: Any) -> None:
    assert steps(InPlaceUpdate(), situation(("web", "new", 4, None), replicas=4, parts=1)) == [""]
    assert steps(InPlaceUpdate(), situation(("web", "new", 4, 0), replicas=4, parts=1)) == ["web: 4 new 100 %"]


def test_a_cell_grows_before_it_is_changed(situation: Any, steps: Any) -> None:
    asked = situation(("web", "old", 2, None), replicas=3, parts=1)
    assert steps(InPlaceUpdate(), asked)[:2] == ["web: 3 old 100 %", "web: 3 new 100 %"]


def test_instances_that_serve_are_not_stopped_for_their_number(situation: Any) -> None:
    with pytest.raises(ConfigurationError, match="web would lose instances that serve: deploy with 4 replicas"):
        InPlaceUpdate().stages(situation(("web", "old", 4, None), replicas=2, parts=1))


def test_a_floor_that_it_can_not_keep_is_refused(situation: Any) -> None:
    asked = situation(("web", "old", 4, None), replicas=4, parts=1, floor=4)
    with pytest.raises(ConfigurationError, match=r"leaves 3 of 4 instances of web useful.*use a floor of 3"):
        InPlaceUpdate().stages(asked)


def test_singletons_are_refused(situation: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"use Recreate\(\)"):
        InPlaceUpdate().stages(situation(("web", "old", 1, None), replicas=1, parts=1, overlap="forbidden"))
