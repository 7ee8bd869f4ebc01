"""The deployer with a wait of its drain taken away, to show that the clients notice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from attrs import evolve

from zdd import driver
from zdd.reconciler.guard import Guard
from zdd.reconciler.guards import GUARDS
from zdd.reconciler.picture import Picture
from zdd.reconciler.proposals import Proposal, Tally, victims
from zdd.reconciler.reconcile import reconcile


def _drained_without_idle(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    """Wait until every edge has let go of it, whatever is in flight there."""
    for name in victims(picture, proposal):
        record = picture.record(name)
        gone = record is not None and all(view.edge in record.gone_at for view in picture.observation.edges)
        if picture.carries_traffic and (picture.weight(name) > 0 or not gone):
            return f"{name} to be seen gone"
    return None


def _drained_without_gone(picture: Picture, proposal: Proposal, tally: Tally) -> str | None:
    """Wait until discovery was told and nothing is in flight right now, wherever the edges still send requests."""
    for name in victims(picture, proposal):
        places = picture.addresses(picture.instances[name]).values()
        counts = [view.in_flight.get(place) for view in picture.observation.edges for place in places]
        if picture.carries_traffic and (picture.weight(name) > 0 or any(count != 0 for count in counts)):
            return f"{name} to have nothing in flight"
    return None


WAITS: dict[str, Callable[[Picture, Proposal, Tally], str | None]] = {
    "gone": _drained_without_gone,
    "idle": _drained_without_idle,
}


@contextmanager
def without(wait: str) -> Iterator[None]:
    """Have every deployer of this process work without one of the waits."""
    reduced = tuple(_reduced(guard, WAITS[wait]) for guard in GUARDS)
    with mock.patch.object(driver, "reconcile", functools.partial(reconcile, guards=reduced)):
        yield


def _reduced(guard: Guard, check: Callable[[Picture, Proposal, Tally], str | None]) -> Guard:
    return evolve(guard, check=check) if guard.name == "drained" else guard
