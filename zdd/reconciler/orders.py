"""What an order means to a plan that is under way. Pure."""

from __future__ import annotations

from zdd.model.evolve import evolve
from zdd.model.order import Order, OrderKind
from zdd.model.plan import Direction, Plan
from zdd.reconciler.progress import Progress


def objection(progress: Progress, plan: Plan, order: Order) -> str:
    """Return why an order has no effect now; empty if it has one."""
    if plan.direction is Direction.BACK:
        return "it is being taken back, which no order stops"
    if progress.stage >= len(plan.stages):
        return "its last stage was passed, and only clearing away was left"
    if progress.failure:
        return "it has failed already"
    paused = progress.paused
    match order.kind:
        case OrderKind.PAUSE if paused is not None:
            return f"it was {paused} already"
        case OrderKind.RESUME if paused is None:
            return "it was not paused"
        case OrderKind.PROMOTE if order.stage not in (None, progress.stage):
            return f"stage {order.stage + 1}, which it was for, is not under way" if order.stage is not None else ""
        case OrderKind.PROMOTE if paused is not None:
            return f"it was {paused}, and must be resumed first"
        case OrderKind.PROMOTE if progress.promoted:
            return "this stage was promoted already"
    return ""


def obeyed(progress: Progress, plan: Plan, order: Order, now: float) -> Progress:
    """Return the progress when an order was heeded."""
    if objection(progress, plan, order):
        return progress
    match order.kind:
        case OrderKind.PAUSE:
            return evolve(progress, paused=order, paused_s=now)
        case OrderKind.RESUME:
            return _resumed(progress, now)
        case OrderKind.PROMOTE:
            return evolve(progress, promoted=True)
        case OrderKind.ABORT:
            return evolve(progress, failure=str(order))


def _resumed(progress: Progress, now: float) -> Progress:
    """Go on. What was only waited for counts for no deadline: it begins when the stage's traffic was reached."""
    from_s = now
    if not progress.begun:
        from_s = progress.paused_s
    elif progress.reached_s is not None:
        from_s = max(progress.paused_s, progress.reached_s)
    return evolve(progress, paused=None, begun=True, stood_s=progress.stood_s + now - from_s)
