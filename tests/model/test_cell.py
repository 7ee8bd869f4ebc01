"""What is to be known of a cell from its instances."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState, place_key

READY, STARTING, STOPPING = InstanceState.READY, InstanceState.STARTING, InstanceState.STOPPING
HERE, THERE = Address("10.0.0.1", 80), Address("10.0.0.2", 80)


def one(name: str, revision: str = "r2", state: InstanceState = READY, **more: Any) -> Instance:
    return Instance(name, revision, state, **more)


def cell(*instances: Instance, revision: str = "r2", replicas: int = 3) -> Cell:
    return Cell("web", revision, replicas, instances)


def test_a_verdict_is_about_one_instance_of_one_revision_at_its_addresses() -> None:
    base = one("web.1", addresses={"http": HERE, "admin": THERE})
    assert base.key == one("web.1", addresses={"admin": THERE, "http": HERE}, note="other words", since_s=9.0).key
    others = [
        evolve(base, id="web.2"),
        evolve(base, revision="r1"),
        evolve(base, addresses={"http": HERE}),
        evolve(base, addresses={"http": THERE, "admin": HERE}),
    ]
    assert base.key not in [other.key for other in others]
    assert base.key == place_key("web.1", "r2", base.addresses)


def test_its_members_and_their_addresses_are_found_at_once() -> None:
    a, b, c = one("a", addresses={"http": HERE}), one("b", addresses={"http": THERE}), one("c")
    assert cell(a, b, c).members == {"a": a, "b": b, "c": c}
    assert list(cell(a, b, c).places) == [HERE, THERE]


@pytest.mark.parametrize(
    ("instance", "nowhere"),
    [
        (one("a"), True),
        (one("a", addresses={"http": HERE}), False),
        (one("a", state=STARTING), False),
        (one("a", state=STOPPING), False),
    ],
)
def test_what_is_ready_and_has_no_address_is_nowhere(instance: Instance, nowhere: bool) -> None:
    assert cell(instance).nowhere == (frozenset({"a"}) if nowhere else frozenset())


@pytest.mark.parametrize(
    ("replicas", "states", "size"),
    [(3, [], 3), (3, [READY], 3), (1, [READY, STARTING], 2), (1, [READY, STOPPING, STOPPING], 1), (0, [STOPPING], 0)],
)
def test_it_may_come_to_have_what_it_should_have_or_what_is_there(
    replicas: int, states: list[InstanceState], size: int
) -> None:
    instances = [one(f"{number}", state=state) for number, state in enumerate(states)]
    assert cell(*instances, replicas=replicas).size == size


@pytest.mark.parametrize(
    ("instances", "mixed"),
    [
        ([], False),
        ([one("a"), one("b")], False),
        ([one("a"), one("b", "r1")], True),
        ([one("a"), one("b", "r1", STOPPING)], False),
    ],
)
def test_it_is_mixed_while_another_revision_stays(instances: list[Instance], mixed: bool) -> None:
    assert cell(*instances).mixed is mixed


OLD = [one("a", "r1"), one("b", "r1"), one("c", "r1")]


@pytest.mark.parametrize(
    ("instances", "changed"),
    [
        (OLD, 0),
        ([*OLD, one("d", state=STARTING)], 1),  # starts beside the old ones
        ([evolve(OLD[0], replaced_by="d"), *OLD[1:], one("d")], 1),
        ([evolve(OLD[0], state=STOPPING), *OLD[1:], one("d")], 1),
        (OLD[1:], 1),  # an empty place: what comes is of the cell's own revision
        ([evolve(OLD[0], replaced_by="gone"), *OLD[1:]], 1),  # what took its place has ended, and comes again
        ([one("d"), one("e"), one("f")], 3),
        ([one("d"), one("e"), one("f"), one("g")], 3),  # never more than there are places
        ([], 3),
    ],
)
def test_of_what_is_changed_in_place_each_place_counts_once(instances: list[Instance], changed: int) -> None:
    assert cell(*instances).changed_to("r2") == changed


@pytest.mark.parametrize(("instances", "changed"), [([], 0), (OLD[:2], 2), ([*OLD[:2], one("d")], 2)])
def test_of_another_revision_than_its_own_only_what_is_there_counts(instances: list[Instance], changed: int) -> None:
    assert cell(*instances).changed_to("r1") == changed
