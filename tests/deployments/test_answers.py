"""What the world has not answered yet, or does not show yet, is waited for and never repeated blindly."""

from __future__ import annotations

from itertools import pairwise

import pytest

from zdd.adapters.memory import Behaviour, Fault
from zdd.events import CommandAnswered, CommandIntended
from zdd.model.command import Route
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())
ALL = [(RollingUpdate(), {}), (BlueGreen(), {}), (Canary(hold_s=1), {}), (Recreate(), {"overlap": "forbidden"})]


@pytest.mark.parametrize(("strategy", "settings"), ALL, ids=lambda one: str(one))
@pytest.mark.parametrize("lag_s", [0.1, 3.0])
def test_a_discovery_that_shows_a_change_late_is_waited_for(make_scene, web, strategy, settings, lag_s):
    scene = make_scene(discovery_lag_s=lag_s)
    scene.deployer().deploy(web(**settings), OLD)
    scene.deployer().deploy(web(**settings), NEW, strategy)
    assert scene.untidy(web(**settings), "2.0") == []
    routes = [e.command for e in scene.events if isinstance(e, CommandIntended) and isinstance(e.command, Route)]
    assert all(a != b for a, b in pairwise(routes))


def test_to_hold_requests_is_not_repeated_before_a_request_without_an_answer_has_settled(scene, web):
    service = web(overlap="forbidden")
    scene.deployer().deploy(service, OLD)
    begins_s = scene.world.clock.now()
    scene.world.add_fault(Fault("apply", kind="unknown", applied_after_s=2, settles_within_s=5))
    scene.deployer().deploy(service, NEW)
    sent_s = [e.at_s - begins_s for e in scene.events if isinstance(e, CommandIntended) and e.at_s >= begins_s]
    assert sent_s[0] == 0
    assert sent_s[1] >= 5
    assert scene.untidy(service, "2.0") == []


def test_to_hold_requests_is_tried_again_after_a_pause_when_discovery_says_not_now(scene, web):
    service = web(overlap="forbidden")
    scene.deployer().deploy(service, OLD)
    back_s = scene.world.clock.now() + 3

    def not_now(method, name):
        scene._count(method, name)
        return Fault(kind="temporary") if method == "apply" and scene.world.clock.now() < back_s else None

    scene.world.intercept = not_now
    scene.deployer().deploy(service, NEW)
    assert scene.untidy(service, "2.0") == []


def test_nothing_more_is_sent_after_a_request_without_an_answer_until_it_has_settled(scene, web):
    scene.world.add_fault(Fault("launch", kind="unknown", applied_after_s=3, settles_within_s=5))
    scene.deployer().deploy(web(), OLD)
    unknown = next(e for e in scene.events if isinstance(e, CommandAnswered) and e.unknown)
    after = [e for e in scene.events if isinstance(e, CommandIntended) and e.number > unknown.number]
    assert after[0].at_s >= unknown.at_s + 5
