"""Whether the edges show the traffic as discovery was told. Pure."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from zdd.model.address import Address
from zdd.model.traffic import EdgeView

if TYPE_CHECKING:
    from zdd.reconciler.picture import Picture

SHARE_TOLERANCE = 0.1
"""By what part of itself an edge's own share may differ from the one wanted: edges round weights."""

SHARE_LEAST = 0.005
"""And by how much of all traffic, where the share is small."""


def edges_unlike(picture: Picture) -> tuple[str, ...]:
    """Return the edges that do not divide the traffic as discovery was told, as far as they are waited for."""
    edges = picture.observation.edges
    return tuple(view.edge for view in edges if not _shows(picture, view) and not _done_without(picture, view))


def _done_without(picture: Picture, view: EdgeView) -> bool:
    """Tell whether an edge is no longer waited for: it could not be asked for the whole drain deadline.

    It has shown all that is to serve before; that it has let go of the rest stays unproven. Which share it gives to
    whom matters as long as there are two revisions, so then it is waited for.
    """
    if view.reachable or picture.observation.held or picture.now < picture.given_up_s(view.edge):
        return False
    told = {name: one for name, one in picture.registered.items() if one.weight > 0}
    records = [picture.record(name) for name in told]
    seen = all(record is not None and view.edge in record.seen_at for record in records)
    return seen and len({one.revision for one in told.values()}) <= 1


def _shows(picture: Picture, view: EdgeView) -> bool:
    if not view.reachable or view.held != picture.observation.held:
        return False
    if view.held:
        return True
    wanted, shown = picture.discovered.told, view.weights
    if wanted == shown:
        return True
    if wanted.keys() != shown.keys():
        if _matter(picture, wanted.keys() ^ shown.keys()):
            return False
        wanted = {address: weight for address, weight in wanted.items() if address in shown}
        shown = {address: weight for address, weight in shown.items() if address in wanted}
    total, whole = sum(wanted.values()), sum(shown.values())
    return all(
        abs(weight / total - shown[address] / whole) <= max(SHARE_LEAST, SHARE_TOLERANCE * weight / total)
        for address, weight in wanted.items()
    )


def _matter(picture: Picture, addresses: Set[Address]) -> bool:
    """Tell whether an edge is waited for because of addresses that only it or only discovery knows.

    Not if each is of something that is gone, in a cell that comes and goes.
    """
    if not picture.passing:
        return True
    for registration in picture.observation.registrations:
        gone = registration.cell in picture.passing and registration.instance not in picture.instances
        if not gone and not addresses.isdisjoint(registration.addresses.values()):
            return True
    return not all(cell.places.keys().isdisjoint(addresses) for cell in picture.observation.cells)
