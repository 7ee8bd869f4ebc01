"""What is left when commands have had their effect: which writes put it right, and that looking writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from zdd import CommandGate, Deployer, InPlaceUpdate, Outcome, Release, Service
from zdd.adapters.memory import MemoryDiscovery, MemoryWorld
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.in_place import is_under_way, stepped
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.placement import Placing, placed
from zdd.adapters.swarm.upkeep import Upkeep, living, upkeep
from zdd.command_line.parser import make_parser
from zdd.command_line.parts import Parts
from zdd.errors import LeaseLost
from zdd.interfaces import Fence
from zdd.model.command import Launch, Retire
from zdd.model.in_place import InPlace
from zdd.model.release import Revision

WEB = Service("web", replicas=2, exposures=(), stop_grace_s=1.0)
USERS = {"Parallelism": 2, "Order": "stop-first"}


def swarm_service(name: str, replicas: int = 2, **more: Any) -> dict[str, Any]:
    template = {"ContainerSpec": {"Labels": {"zdd.revision": "r1"}}, "Placement": {"MaxReplicas": 2}}
    spec = {"Name": name, "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": replicas}}, **more}
    spec["Labels"] = {"zdd.service": "web", "zdd.cell": name, **more.get("Labels", {})}
    return {"ID": f"id-{name}", "Spec": spec}


def tasks(name: str, *nodes: str, state: str = "running", desired: str = "running") -> list[dict[str, Any]]:
    return [
        {
            "ID": f"{name}.{number}", "ServiceID": f"id-{name}", "Slot": number, "NodeID": node,
            "DesiredState": desired, "Status": {"State": state}, "CreatedAt": "2026-01-01T00:00:00Z",
            "Spec": {"ContainerSpec": {"Labels": {"zdd.revision": "r1"}}},
        }
        for number, node in enumerate(nodes, 1)
    ]  # fmt: skip


def found(*services: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["Spec"]["Name"]: one for one in services}


def test_where_everything_is_as_it_was_meant_nothing_is_left() -> None:
    assert upkeep(WEB, found(swarm_service("web")), tasks("web", "A", "B")) == Upkeep()
    assert upkeep(WEB, {}, []) == Upkeep()


@pytest.mark.parametrize(("state", "desired", "gone"), [
    ("running", "shutdown", False), ("shutdown", "remove", False), ("shutdown", "shutdown", True),
])  # fmt: skip
def test_a_retired_cell_goes_when_nothing_of_it_is_left(state: str, desired: str, *, gone: bool) -> None:
    retired = swarm_service("web-2", 0, Labels={"zdd.retired": "true"})
    due = upkeep(WEB, found(retired), tasks("web-2", "A", state=state, desired=desired))
    assert due == Upkeep(gone=(retired,) if gone else (), later=not gone)


@pytest.mark.parametrize(("running", "through"), [(1, False), (2, True)])
def test_the_users_update_settings_come_back_when_swarms_updater_is_through(running: int, *, through: bool) -> None:
    before = swarm_service("web", UpdateConfig=USERS)
    updated = {**before, "Spec": stepped(before["Spec"], before["Spec"], InPlace(2), 1)}
    all_of_them = [*tasks("web", "A", "B")[:running], *tasks("web", "A", "B", state="starting")[running:]]
    due = upkeep(WEB, found(updated), all_of_them)
    assert due == Upkeep(changes=((updated, before["Spec"]),) if through else (), later=not through)


def constrained(name: str, replicas: int = 1) -> dict[str, Any]:
    made = swarm_service(name, replicas)
    return {**made, "Spec": placed(made["Spec"], Placing(("B", "C")))}


@pytest.mark.parametrize(("own", "loosened"), [
    (tasks("web-2", "A"), True),
    (tasks("web-2", "", state="pending"), False),
    ([{**one, "Status": {"State": "pending", "Err": "no suitable node (1 node full)"}} for one in tasks("web-2", "")],
     True),
    ([], False),
])  # fmt: skip
def test_a_placement_is_loosened_when_the_tasks_have_their_nodes_or_find_none(own: Any, *, loosened: bool) -> None:
    cell = constrained("web-2")
    due = upkeep(WEB, found(cell, swarm_service("web", 1)), [*own, *tasks("web", "B")])
    expected = ((cell, swarm_service("web-2", 1)["Spec"]),) if loosened else ()
    assert due == Upkeep(changes=expected, later=not loosened)


def test_what_keeps_the_maximum_over_all_cells_stays_while_there_are_others() -> None:
    cell, other = swarm_service("web-2", 1), swarm_service("web", 3)
    crowded = [*tasks("web-2", "B"), *tasks("web", "A", "A", "C")]
    changes = dict(zip(("web", "web-2"), upkeep(WEB, found(cell, other), crowded).changes, strict=True))
    kept = [{**one, "Spec": spec} for one, spec in changes.values()]
    assert "node.ID!=A" in str(kept[1]["Spec"]["TaskTemplate"]["Placement"])
    assert upkeep(WEB, found(*kept), crowded) == Upkeep()
    assert upkeep(WEB, found(kept[1]), tasks("web-2", "B")) == Upkeep(changes=((kept[1], cell["Spec"]),))


def test_another_ones_service_is_left_as_it_is() -> None:
    strange = constrained("web")
    del strange["Spec"]["Labels"]["zdd.service"]
    assert upkeep(WEB, found(strange), tasks("web", "A")) == Upkeep()


def test_a_retired_cell_of_which_nothing_is_left_is_listed_no_more_whether_it_was_removed_or_not() -> None:
    web, retired = swarm_service("web", 0), swarm_service("web-2", 0, Labels={"zdd.retired": "true"})
    own, ended = tasks("web-2", "A", desired="shutdown"), tasks("web-2", "A", state="shutdown", desired="shutdown")
    assert living(found(retired, web), own) == [(web, []), (retired, own)]
    assert living(found(retired, web), ended) == [(web, [])]


# -- on a real swarm ---------------------------------------------------------------------------------------------------


class Dying(SwarmOrchestrator):
    """That of a deployer that dies whenever it is to tidy up."""

    def tidy(self, service: Service, fence: Fence) -> bool:
        return True


@pytest.fixture
def deployers(swarm: Any, tmp_path: Path) -> Iterator[Callable[[type[SwarmOrchestrator]], Deployer]]:
    opened = []

    def make(kind: type[SwarmOrchestrator]) -> Deployer:
        opened.append(kind(swarm.engine, poll_s=0.2))
        journal = tmp_path / "journal"
        lease = SqliteLease(journal)
        return Deployer(opened[-1], MemoryDiscovery(MemoryWorld()), journal=SqliteJournal(journal), lease=lease)

    yield make
    for one in opened:
        one.close()


def written(swarm: Any) -> list[tuple[str, int]]:
    """Return every object that zdd may write, with its version."""
    objects = [*swarm.api.services(), *swarm.api.configs(), *swarm.api.secrets()]
    return sorted((one["ID"], one["Version"]["Index"]) for one in objects)


@pytest.mark.timeout(300)
def test_looking_writes_nothing_and_who_holds_the_lease_puts_right_what_is_left(
    swarm: Any,
    deployers: Callable[[type[SwarmOrchestrator]], Deployer],
    wait_until: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    dying, deployer = deployers(Dying), deployers(SwarmOrchestrator)
    gate = CommandGate(["true"])
    releases = [
        Release(version, swarm.workload(ports={}, environment={"PORT": "8080"}, service_spec={"UpdateConfig": USERS}),
                [gate])
        for version in ("1", "2")
    ]  # fmt: skip
    dying.deploy(WEB, releases[0])
    dying.deploy(WEB, releases[1], InPlaceUpdate("100%"))
    orchestrator: Any = dying._around.orchestrator
    fence, spare = Fence(2, "the one that died"), Revision("spare", "2", releases[1].workload)
    orchestrator.launch(WEB, spare, Launch("web-2", spare.id, 1), fence)
    orchestrator.retire(WEB, Retire("web-2"), fence)
    wait_until(lambda: [one.name for one in orchestrator.observe(WEB)] == ["web"], "the tasks of web-2 have gone")
    assert is_under_way(swarm.spec("web"))
    running, before = swarm.tasks("web"), written(swarm)

    for _ in range(3):
        orchestrator.observe(WEB)
    assert deployer.plan(WEB, Release("3", releases[1].workload, [gate])).stages
    assert not [one for one in deployer.checkup("web") if "web-2" in str(one)]
    parts = Parts(deployer)
    for words in (["status", "web"], ["doctor", "web"], ["history", "web"], ["report", "web"], ["recover"]):
        arguments = make_parser().parse_args(words)
        arguments.run(arguments, parts)
    assert "web" in capsys.readouterr().out
    assert written(swarm) == before
    with closing(swarm.orchestrator()) as late, pytest.raises(LeaseLost):
        late.tidy(WEB, Fence(1, "an older deployer"))
    assert written(swarm) == before

    assert deployer.deploy(WEB, releases[1]).outcome is Outcome.UNCHANGED
    assert [one["Spec"]["Name"] for one in swarm.api.services()] == ["web"]
    assert swarm.spec("web")["UpdateConfig"].items() >= USERS.items()
    assert not is_under_way(swarm.spec("web"))
    assert swarm.tasks("web") == running
