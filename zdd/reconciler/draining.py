"""Whether an instance may be stopped, and what it is still waited for, in words, and until when. Pure."""

from __future__ import annotations

from zdd.model.cell import Instance, InstanceState
from zdd.model.traffic import EdgeView
from zdd.reconciler.learn import LOOK_AGAIN_S, drained_by_s
from zdd.reconciler.picture import Picture
from zdd.reconciler.progress import InstanceRecord


def quiet(picture: Picture, instance: Instance) -> bool:
    """Tell whether nothing is lost when this instance stops, or its drain deadline has passed."""
    if not picture.carries_traffic or instance.state is InstanceState.STOPPING:
        return True
    record, edges = picture.record(instance.id), picture.observation.edges
    if picture.weight(instance.id) > 0 or record is None:
        return False
    if instance.id not in picture.registered and record.sent_s is None:
        # It never had traffic, if every edge can say so.
        return all(view.reachable or _given_up_on(picture, view, record) for view in edges)
    if record.idle_s is not None:
        return True
    return record.cut_s is not None and all(_given_up_on(picture, view, record) for view in edges)


def _given_up_on(picture: Picture, view: EdgeView, record: InstanceRecord) -> bool:
    """Tell whether an edge let go of an instance, or could not be asked for as long as anything gets to drain."""
    if view.edge in record.gone_at:
        return True
    return not view.reachable and picture.now >= picture.given_up_s(view.edge)


def draining(picture: Picture, name: str) -> tuple[str, float]:
    """Return what an instance that may be stopped has not done yet."""
    record = picture.record(name)
    if picture.weight(name) > 0 or record is None or record.out_s is None:
        return f"{name} to lose its traffic", picture.deadline_s
    until_s = drained_by_s(record.out_s, record.gone_at, picture.observation.edges, picture.plan.service)
    slow = [view.edge for view in picture.observation.edges if view.edge not in record.gone_at]
    if slow:
        return f"{name} to be seen gone at {', '.join(slow)}", until_s
    instance = picture.instances[name]
    counts = [
        view.in_flight.get(address)
        for view in picture.observation.edges
        for address in picture.addresses(instance).values()
    ]
    if not counts or any(count is None for count in counts):
        return f"{name} to drain, what is in flight is not known", until_s
    in_flight = sum(count or 0 for count in counts)
    if not in_flight:
        return f"{name} to be idle in another look", min(until_s, picture.now + LOOK_AGAIN_S)
    return f"{name} to drain, {in_flight} in flight", until_s


def just_missing(picture: Picture, cell: str | None = None) -> tuple[str, float] | None:
    """Return what to wait for if an instance is missing only since a moment ago: a list can be short."""
    for name, record in picture.progress.instances.items():
        if record.stopped_s is None or cell not in (None, record.cell):
            continue
        if picture.observation.as_of_s < record.stopped_s + 2 * LOOK_AGAIN_S:
            return f"{name} to be gone in another look", picture.now + LOOK_AGAIN_S
    return None
