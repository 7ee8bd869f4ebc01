"""Orders to a deployment that is under way: who may be told what, and the words where nobody can be."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from zdd.errors import ConfigurationError, DeploymentInProgress
from zdd.events import DeploymentEnded, DeploymentStarted, Event, Ordered, Outcome, StageEntered
from zdd.history import OPEN_OUTCOMES, Deployment, read_history
from zdd.interfaces import Holder
from zdd.model.order import Order, OrderKind
from zdd.surroundings import Surroundings
from zdd.wording import change, date_and_time, printable

BEGINS_WITHIN_S = 1.0
"""By how much the clocks of lease and journal may differ: a deployment begins after its lease was taken."""

_DO = {
    OrderKind.PAUSE: "be paused",
    OrderKind.RESUME: "be resumed",
    OrderKind.PROMOTE: "be promoted",
    OrderKind.ABORT: "be aborted",
}


@frozen
class Standing:
    """The orders that stand for a deployment, those that its deployer has not read yet among them.

    Attributes:
        paused: The order by which it is paused; None: it is not.
        aborted: The order by which it is to be taken back; None: there is none.
        promoted: The last order to promote; None: there is none.
    """

    paused: Order | None = None
    aborted: Order | None = None
    promoted: Order | None = None


def standing(around: Surroundings, service: str, deployment: str, events: Sequence[Event]) -> Standing:
    """Return the orders that stand for a deployment, by its journal and by what was sent since.

    Raises:
        AdapterError: What was sent can't be read.
    """
    heard = [event for event in events if isinstance(event, Ordered) and event.deployment == deployment]
    sent = around.control.orders(service, deployment) if around.control is not None else ()
    known = [event.order for event in heard]
    paused = aborted = promoted = None
    for order in [*(event.order for event in heard if not event.note), *(one for one in sent if one not in known)]:
        match order.kind:
            case OrderKind.PAUSE:
                paused = paused or order
            case OrderKind.RESUME:
                paused = None
            case OrderKind.ABORT:
                aborted = aborted or order
            case OrderKind.PROMOTE:
                promoted = order
    return Standing(paused, aborted, promoted)


def give_order(around: Surroundings, service: str, kind: OrderKind, by: str) -> Order:
    """Send an order to the deployment of a service that is under way, and return it; or the same one that stands.

    Raises:
        ConfigurationError: Nothing is under way, or this can't be ordered now. The message says what to do instead.
        DeploymentInProgress: Somebody has only just begun; or, to resume: it is not paused.
        JournalError: The journal can't be read.
        AdapterError: The order can't be sent.
    """
    if around.control is None:
        raise ConfigurationError(
            f"no order can be given to {service}: this deployer has nothing to send it with. Give "
            "Deployer(…, control=…), and the same to the deployer that is to obey"
        )
    events = around.journal.read(service)
    last = read_history(events).last
    holder = around.lease.holder(service)
    if holder is None:
        raise ConfigurationError(_nothing_runs(service, kind, last))
    if last is None or not _is_under_way(last, events, holder):
        raise DeploymentInProgress(
            f"{printable(holder.name)} has had the lease of {service} since {date_and_time(holder.since_s)}, but no "
            "deployment has begun yet: try again in a moment",
            holder=holder.name,
            since_s=holder.since_s,
        )
    stage = _stage(events, last.id)
    stands = standing(around, service, last.id, events)
    already = _refuse_or_find(last, kind, stands, stage, holder)
    if already is not None:
        return already
    order = Order(kind, last.id, by, around.clock.now(), stage if kind is OrderKind.PROMOTE else None)
    around.control.send(service, order)
    return order


def _refuse_or_find(last: Deployment, kind: OrderKind, stands: Standing, stage: int, holder: Holder) -> Order | None:
    """Return the order that already does what this one would; refuse one that can't be obeyed."""
    service = last.plan.service.name
    who = f"{_named(last)}, which {printable(holder.name)} runs"
    if stands.aborted is not None and kind is OrderKind.ABORT and not last.went_back:
        return stands.aborted
    refusal = ""
    if last.went_back:
        refusal = f"is being taken back: it can't {_DO[kind]}. Wait until it has ended"
    elif last.passed:
        then = f"When it has ended, deployer.rollback({service!r}) goes back"
        refusal = f"has passed its last stage and only clears away: it can't {_DO[kind]}. {then}"
    elif stands.aborted is not None:
        refusal = f"was {stands.aborted}: it can't {_DO[kind]} any more"
    if refusal and kind is OrderKind.RESUME:
        raise DeploymentInProgress(f"{who}, {refusal}", holder=holder.name, since_s=holder.since_s)
    if refusal:
        raise ConfigurationError(f"{who}, {refusal}")
    match kind:
        case OrderKind.PAUSE:
            return stands.paused
        case OrderKind.RESUME if stands.paused is None:
            since = date_and_time(holder.since_s)
            raise DeploymentInProgress(
                f"{_named(last)}, is being deployed by {printable(holder.name)} since {since} and is not paused",
                holder=holder.name,
                since_s=holder.since_s,
            )
        case OrderKind.PROMOTE if stands.paused is not None:
            raise ConfigurationError(
                f"{who}, was {stands.paused}: deployer.resume({service!r}) first, then it can be promoted"
            )
        case OrderKind.PROMOTE if stands.promoted is not None and stands.promoted.stage == stage:
            return stands.promoted
    return None


def _nothing_runs(service: str, kind: OrderKind, last: Deployment | None) -> str:
    none = f"nothing of {service} is being deployed, so nothing can {_DO[kind]}"
    if last is None:
        return f"{none}: it was never deployed"
    if last.ended_s is None:
        how = "has no end on record, and nobody holds its lease: its deployer has ended"
    else:
        how = f"{last.outcome.value if last.outcome else 'ended'} at {date_and_time(last.ended_s)}"
    back = f"deployer.rollback({service!r}) goes back"
    steps = ""
    if last.outcome in OPEN_OUTCOMES:
        steps = f"; deployer.resume({service!r}) goes on with it, {back}"
    elif last.outcome is Outcome.ROLLED_BACK:  # going back from there would leave what is as it should be
        steps = f"; {last.from_version} serves as before, and nothing needs to be done" if last.from_version else ""
    elif last.plan.beside:
        steps = f"; {last.from_version} serves, and {last.to_version} stands by"
    elif last.from_version:
        steps = f"; {back}"
    return f"{none}: {_named(last)}, {how}{steps}"


def _named(last: Deployment) -> str:
    return f"{printable(last.id)} ({change(last.from_version, last.to_version, beside=last.plan.beside)})"


def _is_under_way(last: Deployment, events: Sequence[Event], holder: Holder) -> bool:
    """Tell whether the holder of the lease is the one that runs this deployment, and not one that comes after it."""
    marks = [event for event in events if isinstance(event, DeploymentStarted | DeploymentEnded)]
    begun = next((mark for mark in reversed(marks) if mark.deployment == last.id), None)
    if not isinstance(begun, DeploymentStarted):
        return False
    return begun.actor == holder.name and begun.at_s >= holder.since_s - BEGINS_WITHIN_S


def _stage(events: Sequence[Event], deployment: str) -> int:
    entered = [event.stage for event in events if isinstance(event, StageEntered) and event.deployment == deployment]
    return entered[-1] if entered else 0
