"""What a person does behind the deployer's back."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from zdd.adapters.memory import MemoryControl, MemoryWorld
from zdd.events import Event, StageEntered
from zdd.history import read_history
from zdd.model.order import Order, OrderKind
from zdd.model.service import Service


def scale_by_hand(world: MemoryWorld, service: Service, pick: int, by_hand: set[str]) -> bool:  # noqa: ARG001
    """Let a person scale a cell. Return whether there was one."""
    cells = world.cells.observe(service.name)
    if not cells:
        return False
    cell = cells[pick % len(cells)]
    world.scale_by_hand(service.name, cell.name, max(0, cell.replicas + (1, -1, 2)[pick % 3]))
    return True


def register_by_hand(world: MemoryWorld, service: Service, pick: int, by_hand: set[str]) -> bool:
    """Let a person take a registration out, change its weight, or drop it. Return whether there was one."""
    registrations, held = world.registered(service.name)
    if not registrations:
        return False
    chosen = registrations[pick % len(registrations)]
    others = tuple(one for one in registrations if one is not chosen)
    weight = (0, 1, None)[pick // 3 % 3]
    by_hand.add(chosen.instance)
    if world.discovery_lag_s:  # what it was told and does not show yet is undone by this, for all of them
        by_hand.update(one.instance for one in registrations)
        by_hand.update(one.id for one in world.instances(service.name))
    changed = () if weight is None else (evolve(chosen, weight=weight),)
    world.register_by_hand(service.name, (*others, *changed), held=held)
    return True


def order_by_hand(
    control: MemoryControl, service: Service, events: Sequence[Event], kind: OrderKind, now_s: float
) -> bool:
    """Let a person give an order to the last deployment, even if it has ended. Return whether there was one."""
    last = read_history(events).last  # one that ended before it began has said nothing but that
    if last is None:
        return False
    stages = [event.stage for event in events if isinstance(event, StageEntered)]
    stage = stages[-1] if stages and kind is OrderKind.PROMOTE else None
    control.send(service.name, Order(kind, last.id, "ana@desk:1", now_s, stage))
    return True
