"""A service whose networks stand at the top level of its specification, as old clients wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from zdd.adapters.swarm.networks import as_permitted, check_networks, in_template, networks_of
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.errors import ConfigurationError
from zdd.interfaces import Fence
from zdd.model.command import Change, Launch, Scale
from zdd.model.in_place import InPlace
from zdd.model.release import Revision
from zdd.model.service import Service

ONE = Fence(1, "first deployer")
BACK = {"Target": "back", "Aliases": ["shop"]}
OLD: dict[str, Any] = {"Name": "web", "TaskTemplate": {"ContainerSpec": {}}, "Networks": [BACK]}
NEW: dict[str, Any] = {"Name": "web", "TaskTemplate": {"ContainerSpec": {}, "Networks": [BACK]}}
BOTH: dict[str, Any] = {**NEW, "Networks": [{"Target": "front"}]}
NONE: dict[str, Any] = {"Name": "web", "TaskTemplate": {"ContainerSpec": {}}}


def test_what_is_made_has_them_in_the_template() -> None:
    assert in_template(OLD) == in_template(BOTH) == in_template(NEW) == NEW
    assert in_template(NONE) == NONE
    assert OLD["Networks"] == [BACK], "what was given was changed"


@pytest.mark.parametrize("before", [OLD, BOTH])
def test_they_stay_as_they_are_as_long_as_the_template_does(before: dict[str, Any]) -> None:
    labelled = {**before, "Labels": {"a": "b"}}
    assert as_permitted(before, labelled) == labelled
    assert as_permitted(before, {**labelled, "Networks": None}) == labelled
    moved = {**NEW, "TaskTemplate": {"Networks": [BACK, {"Target": "more"}]}}
    assert as_permitted(before, moved) == moved


def test_none_are_added_where_there_were_none() -> None:
    assert as_permitted(NEW, BOTH) == NEW


def test_a_release_that_has_none_is_refused_and_names_the_way_out() -> None:
    there = {"web": {"Spec": OLD}}
    with pytest.raises(ConfigurationError, match=r"of shop .*\(back\).*--network-rm <network> web"):
        check_networks("shop", NONE, there)
    for stated in (None, OLD, NEW):
        check_networks("shop", stated, there)
    for spec in (NEW, NONE, BOTH):
        check_networks("shop", NONE, {"web": {"Spec": spec}})


def attached(swarm: Any, name: str) -> list[list[str]]:
    """Return the networks of the tasks that run."""
    tasks = [task for task in swarm.api.tasks(filters={"service": name}) if task["Status"]["State"] == "running"]
    return [[one["Network"]["Spec"]["Name"] for one in task["NetworksAttachments"]] for task in tasks]


@pytest.mark.timeout(120)
def test_an_old_service_is_adopted_without_a_restart_changed_and_gone_back_to(
    swarm: Any, orchestrator: SwarmOrchestrator, wait_until: Callable[..., Any]
) -> None:
    service = Service("web", replicas=2, exposures=(), stop_grace_s=1.0)
    swarm.api.create_network("back", driver="overlay")
    template = {"ContainerSpec": {"Image": swarm.image, "StopGracePeriod": 1_000_000_000}}
    mode = {"Replicated": {"Replicas": 1}}
    swarm.api.create_service(template, name="web", mode=mode, networks=[{"Target": "back", "Aliases": ["shop"]}])
    wait_until(lambda: len(swarm.tasks("web")) == 1, "it runs")
    (old,), before = swarm.spec("web")["Networks"], swarm.tasks("web")
    with pytest.raises(ConfigurationError, match="--network-rm"):
        orchestrator.check(service, swarm.workload(ports={}))

    orchestrator.claim(service, ONE)
    (cell,) = orchestrator.observe(service)
    was = Revision(cell.revision, "unknown", {})
    orchestrator.scale(service, was, Scale("web", 2), ONE)
    wait_until(lambda: len(swarm.tasks("web")) == 2, "the second task runs")
    assert before < swarm.tasks("web")
    assert swarm.spec("web")["Networks"] == [old]

    release = Revision("r-1", "1.0", swarm.workload(ports={}, service_spec=None))
    orchestrator.check(service, release.workload)
    orchestrator.launch(service, release, Launch("web-2", "r-1", 1), ONE)
    orchestrator.change(service, release, Change("web", "r-1", 2, in_place=InPlace(2, 2)), ONE)
    for name, aliases, replicas in (("web", ["shop"], 2), ("web-2", ["shop", "web"], 1)):
        wait_until(lambda name=name: swarm.ready(orchestrator, service, name), f"{name} is ready")
        spec = swarm.spec(name)
        assert networks_of(spec) == spec["TaskTemplate"]["Networks"] == [{**old, "Aliases": aliases}]
        assert attached(swarm, name) == [["back"]] * replicas
    orchestrator.tidy(service, ONE)
    assert {one.changed for one in orchestrator.observe(service)} == {""}

    orchestrator.change(service, was, Change("web", was.id, 1), ONE)
    wait_until(lambda: swarm.ready(orchestrator, service), "what was found runs again")
    assert attached(swarm, "web") == [["back"]]
    cells = {one.name: one for one in orchestrator.observe(service)}
    assert (cells["web"].revision, cells["web"].changed) == (was.id, "")
