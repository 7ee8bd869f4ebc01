"""What zdd writes into a specification so that Swarm's own updater does one batch."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import ConfigurationError, Service
from zdd.adapters.swarm.in_place import check_in_place, handed_back, is_under_way, kept, places, stepped
from zdd.adapters.swarm.observed import observed_cell
from zdd.model.address import Address
from zdd.model.in_place import InPlace, UpdateOrder

USERS = {"Parallelism": 2, "Delay": 10_000_000_000, "FailureAction": "rollback", "Order": "stop-first"}


def task(slot: int, revision: str, state: str = "running", desired: str = "running") -> dict[str, Any]:
    template = {"ContainerSpec": {"Labels": {"zdd.revision": revision}}}
    times = {"CreatedAt": f"2026-01-01T00:00:0{revision[1]}Z", "UpdatedAt": "2026-01-01T00:00:09Z"}
    name = f"{slot}-{revision}"
    return {"ID": name, "Slot": slot, "Spec": template, "Status": {"State": state}, "DesiredState": desired, **times}


def spec(revision: str = "r2", **more: Any) -> dict[str, Any]:
    return {"Name": "web", "TaskTemplate": task(1, revision)["Spec"], "Mode": {"Replicated": {"Replicas": 4}}, **more}


def test_one_batch_is_let_go_and_the_users_settings_come_back_afterwards() -> None:
    before = spec("r1", UpdateConfig=USERS, Labels={"team": "shop"})
    first = stepped(spec("r2", Labels={"team": "shop"}), before, InPlace(1), 1)
    assert is_under_way(first)
    assert first["UpdateConfig"]["Parallelism"] == 1
    assert first["UpdateConfig"]["Order"] == "start-first"
    assert first["UpdateConfig"]["FailureAction"] == "continue"
    assert first["UpdateConfig"]["Delay"] > 7 * 24 * 3600 * 1_000_000_000  # longer than any stage lasts
    second = stepped(spec("r2", Labels={"team": "shop"}), first, InPlace(3, 2, UpdateOrder.STOP_FIRST), 2)
    assert second["Labels"] != first["Labels"]  # which starts another updater
    assert second["TaskTemplate"] == first["TaskTemplate"]
    assert handed_back(second) == spec("r2", UpdateConfig=USERS, Labels={"team": "shop"})


def test_settings_that_were_never_made_are_none_afterwards() -> None:
    assert handed_back(stepped(spec(), spec("r1"), InPlace(1), 1)) == spec(Labels={})
    assert handed_back(spec(UpdateConfig=USERS)) == spec(UpdateConfig=USERS)
    assert handed_back(spec(UpdateConfig=USERS, Labels={"zdd.in-place": "somebody's"})) == spec(Labels={})


def test_places_are_counted_by_the_tasks_that_are_to_stay() -> None:
    tasks = [
        task(1, "r1", desired="shutdown"),
        task(1, "r2"),
        task(2, "r1"),
        task(2, "r2", "starting"),
        task(3, "r1"),
        task(4, "r1", "failed", "shutdown"),
        task(4, "r2", "ready", "ready"),
    ]
    found = places(tasks, "r2")
    assert (found.changed, found.beside, found.old, found.running) == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("changed", "batch", "parallelism"),
    [(1, 1, 1), (2, 2, 2), (2, 1, 1), (4, 4, 4), (0, 1, 1)],
)
def test_swarm_takes_up_as_many_as_are_missing(changed: int, batch: int, parallelism: int) -> None:
    assert places([task(slot, "r1") for slot in (1, 2, 3, 4)], "r2").parallelism(InPlace(changed, batch)) == parallelism


def test_swarm_takes_up_all_where_all_that_is_left_is_to_go() -> None:
    turned = [task(1, "r2"), task(2, "r1"), task(2, "r2", "starting"), task(3, "r1"), task(4, "r1")]
    assert places(turned, "r1").parallelism(InPlace(4)) == 2  # one is replaced, and at one what is beside it goes


def again(state: str, number: int, **more: Any) -> dict[str, Any]:
    """Return one more task of the present revision in the first place."""
    made = task(1, "r2", state)
    return {
        **made,
        "ID": f"again-{number}",
        "Spec": {**made["Spec"], **more},
        "CreatedAt": f"2026-01-01T00:01:0{number}Z",
    }


@pytest.mark.parametrize(("first", "second", "running"), [
    ("running", "starting", 1), ("running", "running", 1), ("starting", "running", 0), ("ready", "running", 0),
])  # fmt: skip
def test_of_two_in_one_place_that_swarm_started_both_the_first_by_id_has_to_run(
    first: str, second: str, running: int
) -> None:
    for both in ([again(first, 1), again(second, 2)], [again(second, 2), again(first, 1)]):
        found = places(both, "r2")
        assert (found.changed, found.beside, found.old, found.running) == (1, 1, 0, running)
        assert kept(both)["ID"] == "again-1"


def test_of_two_in_one_place_of_which_somebody_wanted_one_the_newer_one_stays() -> None:
    assert kept([again("running", 1), again("starting", 2, ForceUpdate=1)])["ID"] == "again-2"
    assert kept([again("running", 1), again("starting", 2, Placement={"MaxReplicas": 1})])["ID"] == "again-1"


class NoAddresses:
    """Knows of no task where it is."""

    def of(self, *_: object) -> dict[str, Address]:
        return {}

    def lost(self, *_: object) -> str:
        return ""


def test_the_victim_is_known_before_it_is_stopped() -> None:
    tasks = [task(1, "r1"), task(1, "r2", "starting"), task(2, "r1"), task(3, "r1", desired="shutdown"), task(3, "r2")]
    service = {"ID": "x", "Spec": spec("r2")}
    cell = observed_cell(Service("web"), service, tasks, NoAddresses())
    assert {one.id: one.replaced_by for one in cell.instances if one.replaced_by} == {"1-r1": "1-r2"}


@pytest.mark.parametrize(("mode", "order", "refused"), [
    ("host", "start-first", True), ("host", "stop-first", False), ("ingress", "start-first", False),
])  # fmt: skip
def test_a_fixed_port_leaves_no_room_to_start_first(mode: str, order: str, refused: bool) -> None:
    ports = [{"PublishedPort": 80, "TargetPort": 8080, "PublishMode": mode}]
    asked = InPlace(1, order=order)  # type: ignore[arg-type]
    if refused:
        with pytest.raises(ConfigurationError, match=r"web publishes the fixed port 80 .*order='stop-first'"):
            check_in_place(Service("web"), spec(EndpointSpec={"Ports": ports}), asked)
    else:
        check_in_place(Service("web"), spec(EndpointSpec={"Ports": ports}), asked)


def test_of_two_in_one_place_the_one_that_goes_is_known_before_it_is_stopped() -> None:
    tasks = [again("running", 2), again("starting", 1), task(2, "r2")]
    cell = observed_cell(Service("web"), {"ID": "x", "Spec": spec("r2")}, tasks, NoAddresses())
    assert {one.id: one.replaced_by for one in cell.instances if one.replaced_by} == {"again-2": "again-1"}
