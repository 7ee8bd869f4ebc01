"""What is refused, and what is warned of, in words with the fix."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.inspection import Inspection, findings
from zdd.model.finding import Demand, Severity
from zdd.model.service import Service

SECOND = 1_000_000_000
HEALTH = {"Test": ["CMD", "true"], "Interval": SECOND, "Timeout": SECOND, "Retries": 2}


def node(number: int, **more: Any) -> dict[str, Any]:
    return {
        "ID": f"n{number}",
        "Spec": {"Role": "worker", "Availability": "active", "Labels": {"disk": "ssd"}, **more.get("spec", {})},
        "Status": {"State": more.get("state", "ready")},
        "Description": {
            "Hostname": f"host-{number}",
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2 * SECOND, "MemoryBytes": 4_000},
        },
    }


NODES = [node(1), node(2)]
SERVICE = Service("web", replicas=2, drain_deadline_s=5.0)
QUIET = Inspection(
    SERVICE,
    Container("shop/web:2"),
    {
        "TaskTemplate": {
            "ContainerSpec": {"Image": "shop/web:2", "Healthcheck": HEALTH, "StopGracePeriod": 10 * SECOND},
            "Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
        },
        "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishMode": "host"}]},
        "Mode": {"Replicated": {}},
    },
    Demand(4, 2),
    NODES,
    {"web": ""},
)


def tasks(*nodes: int) -> list[dict[str, str]]:
    """One cell's, each on a node."""
    return [{"ServiceID": "s1", "NodeID": f"n{number}", "DesiredState": "running"} for number in nodes]


def with_spec(*, inside: Any = None, template: Any = None, **more: Any) -> Inspection:
    spec = {**QUIET.spec, **more}
    spec["TaskTemplate"] = {**spec["TaskTemplate"], **(template or {})}
    spec["TaskTemplate"]["ContainerSpec"] = {**spec["TaskTemplate"]["ContainerSpec"], **(inside or {})}
    return evolve(QUIET, spec=spec)


def ports(**port: Any) -> dict[str, Any]:
    return {"EndpointSpec": {"Ports": [{"TargetPort": 80, **port}]}}


FIXED = ports(PublishMode="host", PublishedPort=80)
INGRESS = ports(PublishedPort=8080)
GLOBAL = {"Mode": {"Global": {}}}
ONE_EACH = {"Placement": {"MaxReplicas": 1}}
TWO_EACH = {"Placement": {"MaxReplicas": 2}}
SSD = {"Placement": {"Constraints": ["node.labels.disk==ssd", "node.role != manager", "node.hostname==host-1"]}}


def test_a_service_that_is_as_it_should_be_is_quiet() -> None:
    assert findings(QUIET) == ()
    assert findings(evolve(with_spec(**INGRESS), demand=Demand(2, 1))) == ()
    assert findings(evolve(with_spec(**GLOBAL), demand=Demand(2, 1))) == ()
    assert findings(evolve(with_spec(template=SSD), demand=Demand(4, 2))) == ()
    assert findings(evolve(with_spec(template=TWO_EACH), tasks=tasks(1, 2))) == ()


@pytest.mark.parametrize(
    ("inspection", "words", "fix"),
    [
        (with_spec(**INGRESS), "port 8080 through the ingress mesh", "put an edge in front .* or use InPlaceUpdate"),
        (with_spec(**GLOBAL), "is a global service", "InPlaceUpdate"),
        (
            evolve(with_spec(**GLOBAL), demand=Demand(2, 1), nodes=NODES[:1]),
            "on 1 nodes, and is to have 2",
            "replicas=1",
        ),
        (
            with_spec(**FIXED),
            "4 instances at once .* fixed port 80 allows one .* the 2 nodes",
            "without a number.*InPlace",
        ),
        (evolve(with_spec(**FIXED), nodes=NODES[:1]), "is to have 2 instances, but its fixed port 80", "add nodes"),
        (
            evolve(with_spec(template=ONE_EACH), demand=Demand(2), nodes=NODES[:1]),
            "max_replicas_per_node=1 allows 1",
            "raise",
        ),
        (
            with_spec(template=ONE_EACH),
            "4 instances at once .* max_replicas_per_node=1 allows 2 on the 2 nodes",
            "more cells.*; or use InPlaceUpdate",
        ),
        (
            evolve(with_spec(template=TWO_EACH), nodes=[*NODES, node(3)], tasks=tasks(1, 1, 2), demand=Demand(6, 2)),
            "max_replicas_per_node=2 leaves no room on the 3 nodes .* 3 instances more, in 1 cells, beside the 3",
            "add nodes",
        ),
        (
            with_spec(template={"Resources": {"Reservations": {"MemoryBytes": 4_001}}}),
            "is to have 2 instances, but what a task reserves allows 0",
            "lower the reservation",
        ),
        (
            with_spec(template={"Placement": {"Constraints": ["node.labels.disk==tape"]}}),
            "none of 2 .*disk==tape",
            "label",
        ),
        (
            evolve(QUIET, nodes=[node(1, state="down"), node(2, spec={"Availability": "drain"})]),
            "has no node",
            "add a node",
        ),
        (
            with_spec(template={"Placement": {"Platforms": [{"Architecture": "arm64", "OS": "linux"}]}}),
            "no node",
            "add",
        ),
    ],
)
def test_what_can_not_work_is_refused(inspection: Inspection, words: str, fix: str) -> None:
    found = [one for one in findings(inspection) if one.severity is Severity.ERROR]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(found[0].problem)
    with pytest.raises(AssertionError, match=fix):
        raise AssertionError(found[0].fix)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("inspection", "words"),
    [
        (with_spec(inside={"Healthcheck": None}), "states no health check"),
        (with_spec(inside={"Healthcheck": {"Test": ["NONE"]}}), "states no health check"),
        (
            with_spec(UpdateConfig={"Monitor": 3 * SECOND}),
            "up to 4 s to find a task unhealthy.* watch a new task for 3 s",
        ),
        (
            evolve(with_spec(**FIXED, UpdateConfig={"Order": "start-first", "Monitor": 9 * SECOND}), demand=Demand(2)),
            "waits for ever for the fixed port 80",
        ),
        (
            evolve(QUIET, service=Service("web", replicas=2, drain_deadline_s=30.0)),
            "gets 30 s when zdd .* 10 s when Swarm",
        ),
        (evolve(QUIET, service=Service("web", drain_deadline_s=5.0)), "has one instance"),
        (with_spec(inside={"StopGracePeriod": 20 * SECOND}), "get 20 s to stop, .* and zdd expects 10 s"),
        (evolve(QUIET, container=Container("shop/web")), "its tag names whatever was pushed last"),
        (evolve(QUIET, container=Container("reg:5000/web:latest")), "its tag names whatever"),
        (
            with_spec(template={"Resources": {"Reservations": {"NanoCPUs": 2 * SECOND}}}),
            "may need 4 instances at once .* reserves allows 2 on the 2 nodes",
        ),
        (evolve(QUIET, changed={"web": "image was 1 and is 2"}), "was changed outside zdd: image was 1 and is 2"),
    ],
)
def test_what_works_only_by_luck_is_warned_of(inspection: Inspection, words: str) -> None:
    (finding,) = findings(inspection)
    assert finding.severity is Severity.WARNING
    assert finding.fix
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(str(finding))


@pytest.mark.parametrize("image", ["shop/web@sha256:abc", "reg:5000/web:2"])
def test_an_image_with_a_version_is_not_warned_of(image: str) -> None:
    assert findings(evolve(QUIET, container=Container(image))) == ()
