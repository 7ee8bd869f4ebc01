"""What zdd changes in a Swarm specification, and what stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.specification import (
    PinnedImage,
    check_spec,
    difference,
    for_cell,
    pinned,
    replicas_of,
    resolved,
    revision_of,
    with_labels,
    with_replicas,
)
from zdd.errors import ConfigurationError
from zdd.model.release import Revision
from zdd.model.service import Exposure, Service

WEB = Service("web", replicas=2, stop_grace_s=2.5)
IMAGE = PinnedImage("web:2@sha256:abc", ({"Architecture": "amd64", "OS": "linux"},))
FOUND: dict[str, Any] = {
    "Name": "web",
    "Labels": {"team": "shop", "com.docker.stack.namespace": "shop"},
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "web:1@sha256:old",
            "Env": ["COLOUR=blue", "PORT=1"],
            "Ulimits": [{"Name": "nofile"}],
        },
        "Networks": [{"Target": "back"}],
        "Placement": {"Constraints": ["node.role==worker"]},
        "ForceUpdate": 3,
    },
    "Mode": {"Replicated": {"Replicas": 2}},
    "UpdateConfig": {"Parallelism": 2},
    "EndpointSpec": {"Mode": "dnsrr"},
}


def made(container: Container, base: dict[str, Any] | None = FOUND, *, publish: bool = True) -> dict[str, Any]:
    before = copy.deepcopy(base)
    spec = resolved(base, container, IMAGE, WEB, Revision("r-2", "2.0", {}), publish=publish)
    assert base == before, "what was given was changed"
    return spec


def test_what_is_not_stated_stays() -> None:
    spec = made(Container("web:2", environment={"COLOUR": "green"}, ports={"http": 8080}))
    template = spec["TaskTemplate"]
    assert (template["Networks"], template["ForceUpdate"]) == ([{"Target": "back"}], 3)
    assert template["Placement"] == {"Constraints": ["node.role==worker"], "Platforms": list(IMAGE.platforms)}
    assert template["ContainerSpec"]["Ulimits"] == FOUND["TaskTemplate"]["ContainerSpec"]["Ulimits"]
    assert spec["UpdateConfig"] == {"Parallelism": 2}
    assert template["ContainerSpec"]["Env"] == [
        "COLOUR=green", "PORT_HTTP=8080", "PORT=8080",
        "ZDD_SERVICE=web", "ZDD_VERSION=2.0", "ZDD_REVISION=r-2",
    ]  # fmt: skip


def test_a_specification_of_the_user_s_own_replaces_the_one_that_was_found() -> None:
    own = {"TaskTemplate": {"ContainerSpec": {"StopGracePeriod": 7}}}
    spec = made(Container("web:2", ports={"http": 8080}, service_spec=own))
    assert "Networks" not in spec["TaskTemplate"]
    assert spec["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] == 7


def test_the_grace_has_whole_seconds_because_the_engine_drops_the_rest() -> None:
    assert made(Container("web:2"))["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] == 3_000_000_000


def test_an_exposure_is_published_on_the_node_unless_it_is() -> None:
    spec = made(Container("web:2", ports={"http": 8080}))
    assert spec["EndpointSpec"]["Ports"] == [{"Protocol": "tcp", "TargetPort": 8080, "PublishMode": "host"}]
    assert made(Container("web:2", ports={"http": 8080}), spec)["EndpointSpec"] == spec["EndpointSpec"]
    assert made(Container("web:2", ports={"http": 8080}), publish=False)["EndpointSpec"] == {"Mode": "dnsrr"}


def test_a_cell_beside_the_first_one_belongs_to_no_stack() -> None:
    first = for_cell(FOUND, "web", "web", "web", 2, 7, original=True)
    second = for_cell(FOUND, "web", "web-2", "web-2", 3, 7, original=False)
    assert first["Labels"].keys() - second["Labels"].keys() == {"com.docker.stack.namespace"}
    assert (second["Name"], replicas_of(second)) == ("web-2", 3)
    assert second["Labels"]["zdd.token"] == "7"


def test_scaling_and_labelling_leave_the_template_as_it_is() -> None:
    after = with_labels(with_replicas(FOUND, 9), {"zdd.token": "1"})
    assert after["TaskTemplate"] == FOUND["TaskTemplate"]
    assert replicas_of(after) == 9
    assert replicas_of(FOUND) == 2


def test_what_zdd_did_not_make_is_named_after_its_content() -> None:
    template = FOUND["TaskTemplate"]
    assert revision_of(template) == revision_of({**template, "Runtime": "container"})
    assert revision_of(template) != revision_of({**template, "ForceUpdate": 4})
    assert revision_of(made(Container("web:2"))["TaskTemplate"]) == "r-2"


def test_an_image_that_has_a_digest_keeps_it() -> None:
    told = {"Descriptor": {"digest": "sha256:new"}, "Platforms": [{"architecture": "arm64", "os": "linux"}, {}]}
    assert pinned("web:2", told).name == "web:2@sha256:new"
    assert pinned("web@sha256:mine", told).name == "web@sha256:mine"
    assert pinned("web:2", told).platforms == ({"Architecture": "arm64", "OS": "linux"},)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"Mode": {"Global": {}}}, "mode Global"),
        ({"Mode": {"ReplicatedJob": {}}}, "mode ReplicatedJob"),
        ({"EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]}}, "8080 through the ingress mesh"),
        (
            {"EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080, "PublishMode": "host"}]}},
            "fixed port 8080",
        ),
    ],
)
def test_what_can_not_have_two_cells_is_refused(spec: dict[str, Any], words: str) -> None:
    container = Container("web:2", ports={"http": 80})
    with pytest.raises(ConfigurationError, match=words):
        check_spec(WEB, container, spec, publish=True)
    check_spec(WEB, container, None, publish=True)


def test_every_exposure_needs_a_port() -> None:
    service = Service("web", exposures=(Exposure("http"), Exposure("admin", path="/admin")))
    with pytest.raises(ConfigurationError, match="port 'admin' of web: say on which port"):
        check_spec(service, Container("web:2", ports={"http": 80}), None, publish=True)


def test_a_difference_is_named() -> None:
    other = copy.deepcopy(FOUND)
    other["TaskTemplate"]["ForceUpdate"] = 4
    assert difference(FOUND, other) == "TaskTemplate.ForceUpdate was 3 and is 4"
