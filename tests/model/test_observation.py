"""One look at everything: what is found in it, and where an instance is of which the orchestrator says so no more."""

from __future__ import annotations

from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.observation import Observation, with_known_addresses
from zdd.model.traffic import Registration

HERE, THERE = {"http": Address("10.0.0.1", 80)}, {"http": Address("10.0.0.2", 80)}


def instance(name: str, **known: object) -> Instance:
    return Instance(name, "r1", InstanceState.READY, **known)  # type: ignore[arg-type]


def cell(*instances: Instance) -> Cell:
    return Cell(instances[0].id.split(".")[0], "r1", len(instances), instances)


def registered(name: str) -> Registration:
    return Registration(name, name.split(".")[0], "r1", "1.0", HERE, 100)


def test_cells_are_found_by_name_and_instances_in_the_order_of_the_cells() -> None:
    first, second = cell(instance("web.1"), instance("web.2")), cell(instance("web-2.1"))
    seen = Observation(1.0, (first, second))
    assert seen.cell("web-2") is second
    assert seen.cell("web-3") is None
    assert [one.id for one in seen.instances()] == ["web.1", "web.2", "web-2.1"]


def test_an_instance_whose_address_was_lost_is_where_it_was_registered() -> None:
    lost = instance("web.1", address_lost=True)
    (found,) = with_known_addresses([cell(lost)], [registered("web.1")])
    assert found.instances == (evolve(lost, addresses=HERE, address_lost=False),)


def test_what_the_orchestrator_says_counts_more_than_what_discovery_knows() -> None:
    there = cell(instance("web.1", addresses=THERE))
    assert with_known_addresses([there], [registered("web.1")]) == (there,)


def test_of_one_that_nobody_registered_it_stays_unknown() -> None:
    both = cell(instance("web.1", address_lost=True), instance("web.2", address_lost=True))
    (found,) = with_known_addresses([both], [registered("web.2")])
    assert [one.addresses for one in found.instances] == [{}, HERE]
    assert [one.address_lost for one in found.instances] == [True, False]


def test_a_cell_of_which_nothing_is_lost_stays_the_very_same() -> None:
    """What is derived of a cell is kept as long as it is the same object."""
    whole, lost = cell(instance("web.1", addresses=THERE)), cell(instance("web-2.1", address_lost=True))
    found = with_known_addresses([whole, lost], [registered("web-2.1")])
    assert found[0] is whole
    assert found[1] is not lost
