"""Two tasks of the same revision in one place: Swarm's updater started one beside a task that ended just then.

A release that crashes after a while is taken back like this: the new task of the version from before is starting beside
the one that crashes, which Swarm starts again, by then as the version from before, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zdd.interfaces import Fence
from zdd.model.cell import Instance, InstanceState
from zdd.model.command import Change, Launch
from zdd.model.in_place import InPlace
from zdd.model.release import Revision
from zdd.model.service import Service

WEB = Service("web", replicas=2, exposures=(), stop_grace_s=1.0)
FENCE = Fence(1, "tests")


def revision(swarm: Any, number: int, **container: Any) -> Revision:
    template = {"RestartPolicy": {"Delay": 100_000_000}, "ContainerSpec": container}
    return Revision(f"r-{number}", str(number), swarm.workload(ports={}, service_spec={"TaskTemplate": template}))


def test_the_one_that_stays_runs_before_the_other_one_is_stopped(
    swarm: Any, orchestrator: Any, wait_until: Callable[..., Any]
) -> None:
    good = revision(swarm, 1, Healthcheck={"Test": ["CMD-SHELL", ":"], "Interval": 1_000_000_000})
    orchestrator.claim(WEB, FENCE)
    orchestrator.launch(WEB, good, Launch("web", "r-1", 2), FENCE)
    before = {one.id for one in wait_until(lambda: swarm.ready(orchestrator, WEB), "it runs")}

    def look() -> tuple[Instance, ...]:
        (cell,) = orchestrator.observe(WEB)
        orchestrator.tidy(WEB, FENCE)
        return tuple(one for one in cell.instances if one.state is not InstanceState.STOPPING)

    def replaced() -> str:
        found = look()
        (bad, *none) = [one.id for one in found if one.revision == "r-2"] or [""]
        return bad if not none and len(found) == 2 else ""

    orchestrator.change(WEB, revision(swarm, 2), Change("web", "r-2", 2, in_place=InPlace(1)), FENCE)
    bad = wait_until(replaced, "one was replaced")
    orchestrator.change(WEB, good, Change("web", "r-1", 2, in_place=InPlace(2)), FENCE)
    wait_until(lambda: any(one.replaced_by for one in look() if one.id == bad), "another one is there in its place")
    swarm.api.kill(swarm.api.inspect_task(bad)["Status"]["ContainerStatus"]["ContainerID"])

    (extra, stays) = wait_until(
        lambda: next(((one.id, one.replaced_by) for one in look() if one.replaced_by and one.id != bad), ()),
        "Swarm started the one that ended again, in the same place",
    )
    ran = set()

    def settled() -> bool:
        running = {one.id for one in look() if one.state is InstanceState.READY}
        assert ran - {extra} <= running
        assert not (ran & {extra} - running) or stays in running, "it was stopped before the one that stays ran"
        ran.update(running)
        return running == before & running | {stays} and len(look()) == 2

    wait_until(settled, "one is left in each place")
    assert not swarm.spec("web").get("UpdateConfig")
