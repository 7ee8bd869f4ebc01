from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.memory import Behaviour, Blame
from zdd.errors import TemporaryError
from zdd.model.address import Address
from zdd.model.traffic import EdgeAbilities


def at(instance: Any) -> Address:
    return instance.addresses["http"]


def test_it_follows_discovery_after_its_lag(make_stage: Any) -> None:
    stage = make_stage(edge_lag_s=2.0)
    (one,) = stage.running(1)
    stage.route(100, one)
    stage.pass_s(1.9)
    assert stage.view(one).weights == {}
    stage.pass_s(0.2)
    assert stage.view(one).weights == {at(one): 100}
    assert one.sent_to


def test_each_edge_has_a_lag_of_its_own(make_stage: Any) -> None:
    stage = make_stage(edge_lag_s=2.0)
    quick = stage.world.add_edge("quick", lag_s=0.0)
    (one,) = stage.running(1)
    stage.route(100, one)
    assert quick.view(stage.service, []).weights == {at(one): 100}
    assert stage.view().weights == {}
    assert stage.world.serving() == ()
    stage.pass_s(3)
    assert stage.world.serving() == (one,)


def test_discovery_can_be_late_too(make_stage: Any) -> None:
    stage = make_stage(edge_lag_s=1.0, discovery_lag_s=2.0)
    (one,) = stage.running(1)
    stage.route(100, one)
    assert stage.discovery.registrations(stage.service) == ((), False)
    stage.pass_s(2.1)
    assert len(stage.discovery.registrations(stage.service)[0]) == 1
    assert stage.view().weights == {}
    stage.pass_s(1.0)
    assert stage.view().weights == {at(one): 100}


def test_a_shorter_lag_does_not_overtake_what_was_told_before(stage: Any) -> None:
    (one,) = stage.running(1)
    stage.edge.lag_s = 5.0
    stage.route(100, one)
    stage.edge.lag_s = 0.0
    stage.route(0, one)
    stage.pass_s(10)
    assert stage.view().weights == {}


def test_requests_are_in_flight_while_it_sends_and_end_after_it_no_longer_does(make_stage: Any) -> None:
    stage = make_stage(Behaviour(requests=3, request_s=4.0), edge_lag_s=0.0)
    (one,) = stage.running(1)
    assert stage.view(one).in_flight == {at(one): 0}
    stage.route(100, one)
    assert stage.view(one).in_flight == {at(one): 3}
    stage.route(0, one)
    assert stage.view(one).weights == {}
    stage.pass_s(3.9)
    assert stage.view(one).in_flight == {at(one): 3}
    stage.pass_s(0.2)
    assert stage.view(one).in_flight == {at(one): 0}
    assert stage.world.in_flight(one) == 0


def test_one_that_is_admitted_again_while_it_drains_is_in_use_again(make_stage: Any) -> None:
    stage = make_stage(Behaviour(request_s=4.0), edge_lag_s=0.0)
    (one,) = stage.running(1)
    stage.route(100, one)
    stage.route(0, one)
    stage.pass_s(2)
    stage.route(100, one)
    stage.pass_s(3)
    assert stage.view(one).in_flight == {at(one): 2}


def test_a_long_connection_never_ends_by_itself(make_stage: Any) -> None:
    stage = make_stage(Behaviour(long_connections=1))
    (one,) = stage.serving()
    stage.route(0, one)
    stage.pass_s(3600)
    assert stage.view(one).in_flight == {at(one): 1}


def test_nothing_is_in_flight_without_clients(stage: Any) -> None:
    stage.world.traffic = False
    (one,) = stage.serving()
    assert stage.view(one).in_flight == {at(one): 0}


def test_of_an_address_that_was_deregistered_its_count_says_nothing(stage: Any) -> None:
    one, two = stage.serving(2)
    stage.route(100, two)
    stage.pass_s(5)
    assert stage.view(one, two).in_flight == {at(two): 2}


def test_nothing_is_in_flight_where_nothing_is_left_whichever_was_forgotten_first(stage: Any) -> None:
    one, two = stage.serving(2)
    stage.route(100, two)
    stage.retire()
    stage.pass_s(60)
    stage.route(100)
    stage.pass_s(5)
    assert stage.view(one, two).in_flight == {at(one): 0, at(two): 0}


def test_one_that_can_not_be_reached_says_so_and_goes_on(stage: Any) -> None:
    (one,) = stage.running(1)
    stage.edge.cut_off()
    stage.route(100, one)
    stage.pass_s(5)
    with pytest.raises(TemporaryError, match="edge edge does not answer"):
        stage.view(one)
    assert one.sent_to
    stage.edge.reconnect()
    assert stage.view(one).weights == {at(one): 100}


def test_one_that_is_stuck_catches_up_when_it_is_loosened(stage: Any) -> None:
    (one,) = stage.serving()
    stage.edge.stick()
    stage.route(0, one)
    stage.pass_s(60)
    assert stage.view(one).weights == {at(one): 100}
    stage.edge.loosen()
    assert stage.view(one).weights == {}


def test_an_old_picture_shows_what_was(stage: Any) -> None:
    (one,) = stage.running(1)
    stage.edge.freeze_picture()
    stage.route(100, one)
    stage.pass_s(5)
    assert (stage.view(one).weights, stage.view(one).in_flight) == ({}, {at(one): 0})
    assert one.sent_to
    stage.edge.thaw_picture()
    assert stage.view(one).weights == {at(one): 100}


def test_after_a_reload_nothing_is_known_of_what_is_in_flight_until_the_old_process_has_gone(stage: Any) -> None:
    (one,) = stage.serving()
    before = stage.view(one).process
    stage.edge.reload(old_process_s=5.0)
    assert stage.view(one).process != before
    assert stage.view(one).in_flight == {}
    stage.pass_s(5.0)
    assert stage.view(one).in_flight == {at(one): 2}


def test_holding_requests_back_ends_what_is_sent_and_loses_nothing(stage: Any) -> None:
    (one,) = stage.serving()
    stage.route(100, one, held=True)
    stage.pass_s(5)
    assert (stage.view(one).held, stage.view(one).weights, one.sent_to) == (True, {}, False)
    stage.route(0, one, held=True)
    stage.pass_s(5)
    assert stage.world.lost() == ()
    stage.route(100, one)
    stage.pass_s(5)
    assert (stage.view(one).held, one.sent_to) == (False, True)


def test_an_edge_knows_only_what_it_is_able_to(stage: Any) -> None:
    plain = stage.world.add_edge("plain", abilities=EdgeAbilities(weighs=False, holds=False, counts=False))
    (one,) = stage.running(1)
    stage.route(100, one, held=True)
    stage.pass_s(5)
    view = plain.view(stage.service, [at(one)])
    assert (view.weights, view.in_flight, view.held) == ({at(one): 1}, {}, False)


def test_its_address_is_stable(stage: Any) -> None:
    assert stage.edge.addresses(stage.service) == {"http": Address("edge.web", 80)}


def test_an_edge_that_is_left_with_nobody_loses_requests(stage: Any) -> None:
    (one,) = stage.serving()
    stage.route(0, one)
    stage.pass_s(5)
    assert [entry.blame for entry in stage.world.lost()] == [Blame.GAP]


def test_an_edge_whose_instances_all_crashed_loses_nothing_more_when_they_are_forgotten(stage: Any) -> None:
    (one,) = stage.serving()
    stage.world.kill(one.id)
    stage.route(100)
    stage.pass_s(0.5)
    assert [entry.blame for entry in stage.world.lost()] == [Blame.WORLD]
