"""What an instance truly is, what its orchestrator shows of it, and which instances of a cell count."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory.behaviour import Behaviour
from zdd.adapters.memory.instance import MemoryCell, MemoryInstance
from zdd.model.address import Address
from zdd.model.cell import InstanceState
from zdd.model.release import Revision
from zdd.model.service import Service

HERE = {"http": Address("10.0.0.1", 80)}


def instance(
    name: str = "web.1", revision: str = "r1", behaviour: Behaviour | None = None, **is_: Any
) -> MemoryInstance:
    how = behaviour or Behaviour()
    return MemoryInstance(
        name, "web", "web", revision, "1.0", how, HERE, 0.0, 0, **{"state": InstanceState.READY, **is_}
    )


def cell(*instances: MemoryInstance, revision: str = "r1", in_place: bool = False) -> MemoryCell:
    found = {one.id: one for one in instances}
    of = Revision(revision, revision, Behaviour().specification())
    return MemoryCell(Service("web"), "web", of, len(found), in_place=in_place, instances=found)


@pytest.mark.parametrize(
    ("behaviour", "is_", "healthy"),
    [
        (Behaviour(), {}, True),
        (Behaviour(), {"healthy": False}, False),
        (Behaviour(), {"hangs": True}, False),
        (Behaviour(errors_under_traffic=True), {}, True),
        (Behaviour(errors_under_traffic=True), {"edges": {"edge": 1}}, False),
        (Behaviour(), {"edges": {"edge": 1}}, True),
    ],
)
def test_whether_it_answers_as_it_should(behaviour: Behaviour, is_: dict[str, Any], healthy: bool) -> None:
    assert instance(behaviour=behaviour, **is_).truly_healthy is healthy


@pytest.mark.parametrize(
    ("is_", "addresses", "lost", "note"),
    [
        ({"state": InstanceState.STARTING}, {}, False, ""),
        ({}, HERE, False, ""),
        ({"state": InstanceState.STOPPING}, HERE, False, ""),
        ({"state": InstanceState.STARTING, "address_lost": True}, {}, False, ""),
        ({"address_lost": True}, {}, True, "its address was lost"),
        ({"address_lost": True, "note": "no route"}, {}, True, "no route"),
    ],
)
def test_where_it_is_is_shown_when_it_has_started_and_is_lost_only_then(
    is_: dict[str, Any], addresses: object, lost: bool, note: str
) -> None:
    shown = instance(**is_).shown()
    assert (shown.addresses, shown.address_lost, shown.note) == (addresses, lost, note)


def test_what_was_told_to_stop_does_not_stay() -> None:
    stays, goes = instance("web.1"), instance("web.2", state=InstanceState.STOPPING)
    assert cell(stays, goes).staying() == [stays]


def test_of_a_cell_that_is_changed_at_once_those_of_its_revision_count() -> None:
    old, new = instance("web.1", "r1"), instance("web.2", "r2")
    changed = cell(old, new, revision="r2")
    assert [changed.counts(one) for one in (old, new)] == [False, True]


def test_of_a_cell_that_is_changed_in_place_each_place_counts_once() -> None:
    old, untouched = instance("web.1", "r1", replaced_by="web.3"), instance("web.2", "r1")
    new = instance("web.3", "r2", in_place_of="web.1")
    changed = cell(old, untouched, new, revision="r2", in_place=True)
    assert [changed.counts(one) for one in (old, untouched, new)] == [True, True, False]
    assert changed.released(new) is old
    assert (new.in_place_of, old.replaced_by) == ("", "")
    assert changed.counts(new)
    assert changed.released(untouched) is None


def test_a_cell_shows_the_very_same_until_it_has_changed() -> None:
    """What looks at it again and again compares by identity first."""
    one = instance("web.2")
    of = cell(one, instance("web.1"))
    before = of.shown()
    assert [shown.id for shown in before.instances] == ["web.1", "web.2"]
    assert of.shown() is before
    one.state = InstanceState.STOPPING
    of.changed()
    assert [shown.state for shown in of.shown().instances] == [InstanceState.READY, InstanceState.STOPPING]
