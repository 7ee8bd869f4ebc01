"""What a person does behind the deployer's back is what a person would: on what is there, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import MemoryControl, MemoryWorld
from zdd.events import DeploymentStarted, StageEntered
from zdd.model.order import OrderKind
from zdd.model.service import Service
from zdd.simulation.hands import order_by_hand, register_by_hand, scale_by_hand


@pytest.mark.parametrize(("pick", "replicas"), [(0, 4), (1, 2), (2, 5)])
def test_a_cell_is_made_larger_or_smaller(life: Any, pick: int, replicas: int) -> None:
    assert scale_by_hand(life.world, life.service, pick, set())
    assert life.world.cells.observe("web")[0].replicas == replicas


@pytest.mark.parametrize(("pick", "weight"), [(0, 0), (3, 1), (6, None)])
def test_a_registration_is_taken_out_changed_or_dropped_and_whose_it_was_is_noted(
    life: Any, pick: int, weight: int | None
) -> None:
    before, _ = life.world.registered("web")
    touched: set[str] = set()
    assert register_by_hand(life.world, life.service, pick, touched)
    after = {one.instance: one.weight for one in life.world.registered("web")[0]}
    (name,) = touched
    assert after.pop(name, None) == weight
    assert after == {one.instance: one.weight for one in before if one.instance != name}


def test_where_discovery_is_slow_all_may_be_undone_by_it(life: Any) -> None:
    life.world.discovery_lag_s = 2.0
    touched: set[str] = set()
    register_by_hand(life.world, life.service, 0, touched)
    assert touched == {one.id for one in life.world.instances("web")}


def test_where_nothing_is_nobody_can_do_anything() -> None:
    world, service = MemoryWorld(), Service("web")
    assert not scale_by_hand(world, service, 0, set())
    assert not register_by_hand(world, service, 0, set())
    assert not order_by_hand(MemoryControl(), service, (), OrderKind.PAUSE, 1.0)


@pytest.mark.parametrize(("kind", "stage"), [(OrderKind.PAUSE, None), (OrderKind.PROMOTE, 1)])
def test_an_order_is_given_to_the_last_deployment_and_a_promotion_names_its_stage(
    life: Any, kind: OrderKind, stage: int | None
) -> None:
    began = DeploymentStarted(
        at_s=1.0, service="web", deployment="d1", plan=life.plan(), from_version="r1", to_version="r2", actor="ann"
    )
    entered = [
        StageEntered(at_s=2.0 + n, service="web", deployment="d1", stage=n, stages=2, title="replace") for n in (0, 1)
    ]
    control = MemoryControl()
    assert order_by_hand(control, life.service, (began, *entered), kind, 9.0)
    (order,) = control.orders("web", "d1")
    assert (order.kind, order.stage, order.at_s) == (kind, stage, 9.0)
