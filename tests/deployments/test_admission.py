"""Only an instance whose gates say yes gets traffic, and only such a one counts as capacity."""

from __future__ import annotations

import pytest

from zdd.adapters.memory import Behaviour, What
from zdd.errors import DeploymentFailed
from zdd.model.release import Release
from zdd.strategies.blue_green import BlueGreen


def test_an_instance_that_fails_its_gate_again_while_it_waits_for_the_others_gets_no_traffic(scene, web):
    service = web(start_deadline_s=60)
    scene.deployer().deploy(service, Release("1.0", Behaviour()))
    scene.world.set_behaviour("2.0", Behaviour(startup_s=1))
    scene.after_s(0.5, lambda: scene.world.set_behaviour("2.0", Behaviour(startup_s=20)))
    scene.after_s(0.6, lambda: scene.world.kill(scene.of_version("2.0")[-1].id))  # its replacement takes 20 s
    scene.after_s(5, lambda: scene.world.mark(scene.of_version("2.0")[0].id, healthy=False))
    sent_to_sick = []

    def look(entry):
        if entry.what is What.SENDING and not scene.world.cells.existing[entry.instance].truly_healthy:
            sent_to_sick.append(entry)

    scene.world.observe_changes(look)
    with pytest.raises(DeploymentFailed):
        scene.deployer().deploy(service, Release("2.0", Behaviour()), BlueGreen())
    assert sent_to_sick == []
    assert scene.untidy(service, "1.0") == []
