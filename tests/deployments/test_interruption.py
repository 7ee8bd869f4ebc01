"""A deployer that ends at any call, by Ctrl-C or by kill -9, leaves nothing that the next one does not finish."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, Blame
from zdd.errors import ConfigurationError, DeploymentFailed, DeploymentInterrupted
from zdd.events import CommandAnswered, CommandIntended, DeploymentStarted, Outcome
from zdd.model.command import Route
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen
from zdd.strategies.canary import Canary
from zdd.strategies.recreate import Recreate
from zdd.strategies.rolling_update import RollingUpdate

OLD, NEW = Release("1.0", Behaviour()), Release("2.0", Behaviour())

STRATEGIES = {
    "rolling": (RollingUpdate(), {}),
    "blue/green": (BlueGreen(keep_s=1), {}),
    "canary": (Canary(hold_s=1), {}),
    "recreate": (Recreate(), {"overlap": "forbidden"}),
}


def resumed(deployer, service, strategy):
    last = deployer.history(service.name)[-1]
    if last.to_version == "1.0":  # it ended before anything of the second deployment was written down
        deployer.deploy(service, NEW, strategy)
    else:
        deployer.resume(service.name)


def deployed_again(deployer, service, strategy):
    deployer.deploy(service, NEW, strategy)


def calls_needed(scene, service, strategy):
    scene.deployer().deploy(service, OLD)
    with scene.ended_at_call(0, KeyboardInterrupt):
        scene.deployer().deploy(service, NEW, strategy)
        return scene.calls


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("go_on", [resumed, deployed_again])
def test_the_next_deployer_finishes_wherever_the_first_one_ended(make_scene, web, killed, name, go_on):
    strategy, settings = STRATEGIES[name]
    service = web(**settings)
    end = killed if go_on is resumed else KeyboardInterrupt
    wrong = {}
    for number in range(1, calls_needed(make_scene(), service, strategy) + 1):
        scene = make_scene()
        scene.deployer().deploy(service, OLD)
        with scene.ended_at_call(number, end), pytest.raises((end, DeploymentInterrupted)):
            scene.deployer().deploy(service, NEW, strategy)
        scene.pass_s(16)  # longer than the lease of a deployer that was killed
        try:
            go_on(scene.deployer(), service, strategy)
        except ConfigurationError as refusal:
            wrong[number] = str(refusal)
        else:
            wrong[number] = [*scene.untidy(service, "2.0"), *scene.world.lost(Blame.GAP)]
    assert not {number: what for number, what in wrong.items() if what}


def test_a_rolling_update_goes_on_when_a_changed_instance_had_no_traffic_yet(scene, web):
    service = web()
    scene.deployer().deploy(service, OLD)

    def interrupt(method, name):
        if any(one.cell == "web" for one in scene.of_version("2.0")):
            scene.world.intercept = None
            raise KeyboardInterrupt

    scene.world.intercept = interrupt
    with pytest.raises(DeploymentInterrupted):
        scene.deployer().deploy(service, NEW)
    scene.deployer().resume("web")
    assert scene.untidy(service, "2.0") == []


def test_an_edge_that_lags_is_not_believed_to_hold_requests_when_they_went_on_before_it_did(make_scene, web):
    scene, service = make_scene(edge_lags_s=(2.0,)), web(replicas=2, cells=2, overlap="forbidden")
    scene.deployer().deploy(service, OLD)
    scene.pass_s(60)
    scene.after_s(0.5, lambda: scene.deployer().abort("web"))
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(service, Release("1.5", Behaviour()), Recreate())
    began_s = scene.world.clock.now()
    scene.deployer().deploy(service, NEW, Recreate())
    assert scene.untidy(service, "2.0") == []
    assert scene.world.clock.now() - began_s < 20


@pytest.mark.parametrize(("strategy", "number"), [(BlueGreen(), 1), (Canary((50, 100), hold_s=1), 2)], ids=str)
def test_what_an_edge_that_lags_has_not_yet_had_of_what_is_taken_back_is_not_stopped(make_scene, web, strategy, number):
    scene, service = make_scene(edge_lags_s=(3.0,)), web(replicas=2, cells=2, drain_deadline_s=20, start_deadline_s=30)
    scene.deployer().deploy(service, OLD)
    scene.pass_s(60)
    told = []

    def watch(event):
        if isinstance(event, DeploymentStarted):
            told.append([])
        if isinstance(event, CommandIntended) and isinstance(event.command, Route):
            told[-1].append(event.number)
        if isinstance(event, CommandAnswered) and event.number in told[-1]:
            if len(told) == 1 and len(told[0]) == number:
                scene.deployer().abort("web")
            elif len(told) == 2:
                raise KeyboardInterrupt

    with pytest.raises(DeploymentInterrupted):
        scene.deployer(None, watch).deploy(service, NEW, strategy)
    assert scene.deployer().resume("web").outcome is Outcome.ROLLED_BACK
    assert scene.untidy(service, "1.0") == []
