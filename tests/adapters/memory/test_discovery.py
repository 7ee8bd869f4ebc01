from __future__ import annotations

from typing import Any

import pytest

from zdd.errors import LeaseLost
from zdd.interfaces import Fence
from zdd.model.service import Service


def test_registrations_are_exactly_what_was_applied_sorted_by_instance(stage: Any) -> None:
    one, two = stage.running(2)
    stage.route(100, two, one)
    registrations, held = stage.discovery.registrations(stage.service)
    assert [(r.instance, r.weight, r.addresses) for r in registrations] == [
        (one.id, 100, one.addresses),
        (two.id, 100, two.addresses),
    ]
    assert held is False
    stage.route(0, two, held=True)
    registrations, held = stage.discovery.registrations(stage.service)
    assert [(r.instance, r.weight) for r in registrations] == [(two.id, 0)]
    assert held is True


def test_another_service_has_registrations_of_its_own(stage: Any) -> None:
    stage.serving()
    assert stage.discovery.registrations(Service("other")) == ((), False)


def test_an_old_fence_is_refused_and_changes_nothing(stage: Any) -> None:
    (one,) = stage.serving()
    stage.discovery.claim(stage.service, Fence(5, "newer"))
    with pytest.raises(LeaseLost, match="newer"):
        stage.route(0, one)
    with pytest.raises(LeaseLost, match="newer"):
        stage.discovery.claim(stage.service, Fence(4, "older"))
    assert stage.discovery.registrations(stage.service)[0][0].weight == 100


def test_what_people_register_by_hand_is_shown_too(stage: Any) -> None:
    stage.serving()
    stage.discovery.check(stage.service)
    stage.world.register_by_hand("web", (), held=True)
    assert stage.discovery.registrations(stage.service) == ((), True)
