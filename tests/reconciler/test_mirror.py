"""The registrations that should exist: each cell's share, exactly divided over the instances that may have it."""

from __future__ import annotations

import pytest
from attrs import evolve

from zdd.model.address import Address
from zdd.model.cell import Cell, Instance, InstanceState
from zdd.model.release import Revision
from zdd.model.traffic import CellShare, Registration, TrafficIntent
from zdd.reconciler.mirror import mirror, reached_at

REVISIONS = {"r1": Revision("r1", "1.0", {}, (), ("http",)), "r2": Revision("r2", "2.0", {}, (), ("http", "admin"))}


def address(number, port=0):
    return Address(f"10.0.0.{number}", 8000 + port)


def instance(number, revision="r1", state=InstanceState.READY, ports=("http",)):
    return Instance(f"web.{number}", revision, state, {name: address(number, i) for i, name in enumerate(ports)})


def cell(*instances, name="web", revision="r1", replicas=None):
    return Cell(name, revision, len(instances) if replicas is None else replicas, instances)


def intent(share=1_000_000, revision="r1", replicas=3, ports=("http",), name="web"):
    return TrafficIntent("web", ports, {name: CellShare(revision, replicas, share)})


def registered(number, weight, revision="r1"):
    return Registration(f"web.{number}", "web", revision, "1.0", {"http": address(number)}, weight)


def weights(meant, place, *known, proven=(), condemned=()):
    by_instance = {one.instance: one for one in known}
    found = mirror(meant, place, by_instance, proven=proven, condemned=condemned, revisions=REVISIONS)
    return {name: one.weight for name, one in found.items()}


THREE = cell(instance(1), instance(2), instance(3))
ALL = ("web.1", "web.2", "web.3")


# -- how much ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1_000_000, 1, 2, 3, 4, 999_999])
def test_a_share_is_divided_exactly_and_as_evenly_as_can_be(share):
    found = weights(intent(share), THREE, proven=ALL)
    assert sum(found.values()) == share
    assert max(found.values()) - min(found.values()) <= 1


def test_the_instances_that_are_left_have_the_whole_share():
    assert weights(intent(900), cell(instance(1), replicas=3), proven=ALL) == {"web.1": 900}


def test_an_instance_that_is_not_proven_yet_is_proposed_and_takes_nothing_from_the_others():
    found = weights(intent(900), THREE, proven=("web.1", "web.2"))
    assert found == {"web.1": 450, "web.2": 450, "web.3": 300}


def test_an_instance_that_has_traffic_counts_though_it_is_not_proven():
    found = weights(intent(900, replicas=2), cell(instance(1), instance(2)), registered(1, 5), proven=("web.2",))
    assert found == {"web.1": 450, "web.2": 450}


# -- who has none ------------------------------------------------------------------------------------------------------


def test_one_that_failed_all_its_time_gets_none_and_its_share_goes_to_the_others():
    found = weights(intent(900), THREE, registered(3, 300), proven=ALL, condemned=("web.3",))
    assert found == {"web.1": 450, "web.2": 450, "web.3": 0}


@pytest.mark.parametrize("state", [InstanceState.STARTING, InstanceState.FAILED, InstanceState.STOPPING])
def test_one_that_is_not_ready_gets_none(state):
    place = cell(instance(1), instance(2, state=state))
    assert weights(intent(900, replicas=2), place, proven=ALL) == {"web.1": 900}
    assert weights(intent(900, replicas=2), place, registered(2, 450), proven=ALL) == {"web.1": 900, "web.2": 0}


def test_one_of_another_revision_gets_none():
    place = cell(instance(1), instance(2, "r2"))
    assert weights(intent(900, replicas=2), place, registered(2, 9, "r2"), proven=ALL) == {"web.1": 900, "web.2": 0}


@pytest.mark.parametrize(
    "meant",
    [intent(0), intent(900, revision="r2"), intent(900, replicas=2), intent(900, name="web-2")],
    ids=["without a share", "to be changed", "to have fewer", "not in the plan"],
)
def test_a_cell_that_is_to_have_none_or_to_stop_instances_first_goes_out_whole(meant):
    assert weights(meant, THREE, registered(1, 5), registered(2, 5), proven=ALL) == {"web.1": 0, "web.2": 0}


def test_what_is_out_stays_registered_as_it_was():
    known = evolve(registered(1, 5), version="as it was registered")
    found = mirror(intent(0), THREE, {"web.1": known}, proven=ALL, condemned=(), revisions=REVISIONS)
    assert found == {"web.1": evolve(known, weight=0)}


def test_what_is_no_longer_listed_is_forgotten():
    assert weights(intent(900, replicas=1), cell(instance(1)), registered(2, 450), proven=ALL) == {"web.1": 900}


def test_a_service_without_ways_in_has_no_registrations():
    assert weights(intent(900, ports=()), THREE, registered(1, 5), proven=ALL) == {}


# -- where -------------------------------------------------------------------------------------------------------------


def test_a_registration_says_whose_it_is_and_where():
    found = mirror(intent(9), THREE, {}, proven=ALL, condemned=(), revisions=REVISIONS)
    assert found["web.2"] == Registration("web.2", "web", "r1", "1.0", {"http": address(2)}, 3)


def test_only_the_ports_of_the_ways_in_are_registered():
    assert reached_at(instance(1, "r2", ports=("http", "admin")), ("http",), REVISIONS["r2"]) == {"http": address(1)}


def test_an_older_revision_serves_without_a_port_that_was_added_after_it():
    assert reached_at(instance(1), ("http", "admin"), REVISIONS["r1"]) == {"http": address(1)}


def test_an_instance_is_not_reached_while_a_port_that_its_revision_has_is_not_known():
    assert reached_at(instance(1, "r2"), ("http", "admin"), REVISIONS["r2"]) == {}
    place = cell(instance(1, "r2"), revision="r2")
    meant = intent(900, revision="r2", replicas=1, ports=("http", "admin"))
    assert weights(meant, place, proven=ALL) == {}


@pytest.mark.parametrize("revision", [None, Revision("r7", "unknown", {})], ids=["unknown", "without ports"])
def test_a_revision_of_which_the_ports_are_not_known_must_have_them_all(revision):
    assert reached_at(instance(1), ("http", "admin"), revision) == {}
    assert reached_at(instance(1), ("http",), revision) == {"http": address(1)}
