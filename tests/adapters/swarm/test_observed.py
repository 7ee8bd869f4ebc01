"""What is concluded from the words of Swarm about a service and its tasks."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from zdd.adapters.swarm.observed import container_ports, observed_cell, seconds, something_left
from zdd.model.address import Address
from zdd.model.cell import Instance, InstanceState
from zdd.model.service import Exposure, Service

WEB = Service("web")


def task(number: int, state: str, desired: str = "running", *, slot: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "ID": f"task-{number}",
        "CreatedAt": f"2026-01-01T00:00:{number:02d}.123456789Z",
        "DesiredState": desired,
        "Slot": slot,
        "ServiceID": "s",
        "Spec": {"ContainerSpec": {"Labels": {"zdd.revision": "r-1"}}},
        "Status": {"State": state, "Timestamp": "2026-01-01T00:01:00Z", **status},
    }


@frozen
class Known:
    """Knows the address of every task, or says why not."""

    why_lost: str = ""

    def of(self, *_: object) -> dict[str, Address]:
        return {} if self.why_lost else {"http": Address("10.0.0.1", 80)}

    def lost(self, *_: object) -> str:
        return self.why_lost


EVERY_ADDRESS = Known()


def instances(
    *tasks: dict[str, Any], replicas: int = 1, known: Known = EVERY_ADDRESS, **labels: str
) -> tuple[Instance, ...]:
    template = {"ContainerSpec": {"Labels": {"zdd.revision": "r-1"}}}
    spec = {"Name": "web", "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": replicas}}, "Labels": labels}
    service = {"ID": "s", "Spec": spec}
    return observed_cell(WEB, service, tasks, known).instances


@pytest.mark.parametrize(
    ("state", "desired", "said"),
    [
        ("new", "running", InstanceState.STARTING),
        ("pending", "running", InstanceState.STARTING),
        ("preparing", "running", InstanceState.STARTING),
        ("ready", "ready", InstanceState.STARTING),
        ("starting", "running", InstanceState.STARTING),
        ("running", "running", InstanceState.READY),
        ("running", "shutdown", InstanceState.STOPPING),
        ("running", "remove", InstanceState.STOPPING),
        ("starting", "shutdown", InstanceState.STOPPING),
        ("failed", "running", InstanceState.FAILED),
    ],
)
def test_the_state_of_a_task(state: str, desired: str, said: InstanceState) -> None:
    assert [one.state for one in instances(task(1, state, desired))] == [said]


@pytest.mark.parametrize(
    ("state", "desired"),
    [("new", "shutdown"), ("pending", "remove"), ("shutdown", "shutdown"), ("failed", "remove"), ("remove", "remove")],
)
def test_what_has_ended_or_never_was_is_not_listed(state: str, desired: str) -> None:
    assert instances(task(1, state, desired)) == ()


def test_a_replacement_counts_its_predecessors_and_says_how_the_last_one_ended() -> None:
    first, second = task(1, "failed", "shutdown", Err="exit (1)"), task(2, "complete", "shutdown", Err="unhealthy")
    (one,) = instances(first, second, task(3, "starting"))
    assert (one.id, one.restarts, one.note) == ("task-3", 2, "the one before it ended: unhealthy")
    (one,) = instances(first, second, task(3, "running"))
    assert (one.restarts, one.note) == (2, "")


def test_one_that_runs_and_has_lost_its_port_says_so() -> None:
    known = Known("Swarm tells no port of it")
    (one,) = instances(task(1, "running"), known=known)
    assert (one.address_lost, one.note, one.addresses) == (True, "Swarm tells no port of it", {})
    for state, desired in (("starting", "running"), ("running", "shutdown")):
        (one,) = instances(task(1, state, desired), known=known)
        assert (one.address_lost, one.note) == (False, "")
    other = task(1, "running")
    other["Spec"]["ContainerSpec"]["Labels"]["zdd.revision"] = "r-0"  # what is published now was not asked of it
    (one,) = instances(other, known=known)
    assert not one.address_lost


def test_what_was_told_to_stop_is_no_restart() -> None:
    (one,) = instances(task(1, "shutdown", "shutdown"), task(2, "running"))
    assert one.restarts == 0


def test_places_are_counted_apart() -> None:
    found = instances(task(1, "failed", "shutdown"), task(2, "running"), task(3, "running", slot=2), replicas=2)
    assert [one.restarts for one in found] == [1, 0]


def test_what_ended_beside_the_task_that_it_was_to_replace_does_not_lie_there() -> None:
    stays, other = task(1, "running"), task(2, "running", slot=2)
    earlier, last = task(3, "complete", "shutdown"), task(4, "complete", "shutdown")  # by itself, before it was stopped
    for one in (earlier, last):
        one["Spec"] = {"ContainerSpec": {"Labels": {"zdd.revision": "r-2"}}}
    assert [one.id for one in instances(stays, other, earlier, last, replicas=2)] == ["task-1", "task-2"]
    again = task(5, "failed", "shutdown")  # of the present revision: Swarm had put a second one beside it
    assert [one.id for one in instances(stays, other, earlier, last, again, replicas=2)] == ["task-1", "task-2"]


def test_what_ended_lies_there_while_what_it_was_to_replace_goes_on() -> None:
    old, new = task(1, "running"), task(2, "complete", "shutdown")
    old["Spec"] = {"ContainerSpec": {"Labels": {"zdd.revision": "r-0"}}}
    assert [(one.id, one.state) for one in instances(old, new)] == [
        ("task-1", InstanceState.READY),
        ("task-2", InstanceState.FAILED),
    ]


def test_what_ended_lies_there_if_the_other_one_in_its_place_is_told_to_stop_too() -> None:
    found = instances(task(1, "running", "shutdown"), task(2, "failed", "shutdown"))
    assert [one.state for one in found] == [InstanceState.STOPPING, InstanceState.FAILED]


def test_nothing_of_a_retired_cell_has_failed() -> None:
    assert instances(task(1, "failed", "shutdown"), replicas=0, **{"zdd.retired": "true"}) == ()


@pytest.mark.parametrize(
    ("state", "desired", "left"),
    [
        ("running", "remove", True),
        ("shutdown", "remove", True),  # the engine is just taking it off its list, and must not be disturbed
        ("new", "shutdown", False),
        ("shutdown", "shutdown", False),
        ("failed", "shutdown", False),
    ],
)
def test_something_of_a_retired_cell_is_left(state: str, desired: str, left: bool) -> None:
    assert something_left([task(1, state, desired)]) is left
    assert something_left([]) is False


def test_the_engine_s_nanoseconds_are_understood() -> None:
    assert seconds("2026-01-01T00:00:00.123456789Z") == pytest.approx(1767225600.123456)
    assert seconds("2026-01-01T00:00:00Z") == 1767225600.0


def test_a_task_has_the_ports_that_it_was_launched_with() -> None:
    service = Service("web", exposures=(Exposure("http"), Exposure("admin", path="/admin")))
    made = task(1, "running")
    made["Spec"]["ContainerSpec"]["Labels"]["zdd.port.http"] = "8080"
    published = {"Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 1}, {"TargetPort": 2}]}}}
    assert container_ports(service, published, made) == {"http": 8080}


def test_a_task_that_zdd_did_not_make_has_the_published_ports_if_they_are_as_many() -> None:
    found = {**task(1, "running"), "Spec": {}}
    published = {"Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 8080}]}}}
    assert container_ports(Service("web"), published, found) == {"http": 8080}
    assert container_ports(Service("web"), {"Spec": {}}, found) == {}
