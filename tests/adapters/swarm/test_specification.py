"""What zdd changes in a Swarm specification, and what stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.specification import (
    PinnedImage,
    check_spec,
    for_cell,
    is_empty,
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
    first = for_cell(FOUND, "web", "web", "web", "r-2", 2, 7, first="web")
    second = for_cell(FOUND, "web", "web-2", "web-2", "r-2", 3, 7, first="web")
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


def test_a_job_is_refused() -> None:
    container = Container("web:2", ports={"http": 80})
    with pytest.raises(ConfigurationError, match="mode ReplicatedJob"):
        check_spec(WEB, container, {"Mode": {"ReplicatedJob": {}}})
    check_spec(WEB, container, {"Mode": {"Global": {}}})


def test_every_exposure_needs_a_port() -> None:
    service = Service("web", exposures=(Exposure("http"), Exposure("admin", path="/admin")))
    with pytest.raises(ConfigurationError, match="port 'admin' of web: say on which port"):
        check_spec(service, Container("web:2", ports={"http": 80}), None)


def test_every_cell_has_the_first_one_s_name_in_swarm_s_own_dns() -> None:
    spec = {**FOUND, "TaskTemplate": {**FOUND["TaskTemplate"], "Networks": [{"Target": "back", "Aliases": ["shop"]}]}}
    first = for_cell(spec, "web", "shop_web", "shop_web", revision_of(spec["TaskTemplate"]), 2, 7, first="shop_web")
    assert first["TaskTemplate"] == spec["TaskTemplate"]
    second = for_cell(spec, "web", "web-2", "web-2", "r-2", 2, 7, first="shop_web")
    assert second["TaskTemplate"]["Networks"] == [{"Target": "back", "Aliases": ["shop", "shop_web"]}]
    again = for_cell(second, "web", "web-2", "web-2", "r-2", 2, 7, first="shop_web")
    assert again["TaskTemplate"] == second["TaskTemplate"]


def test_a_second_cell_of_what_was_found_is_of_the_same_revision() -> None:
    revision = revision_of(FOUND["TaskTemplate"])
    second = for_cell(FOUND, "web", "web-2", "web-2", revision, 2, 7, first="web")
    assert second["TaskTemplate"] != FOUND["TaskTemplate"]
    assert revision_of(second["TaskTemplate"]) == revision


@pytest.mark.parametrize("name", ["Image", "Args", "Env"])
def test_another_program_is_another_revision_although_the_label_stays(name: str) -> None:
    template = made(Container("web:2"))["TaskTemplate"]
    assert revision_of(template) == "r-2"
    other = {**template, "ContainerSpec": {**template["ContainerSpec"], name: ["X=1"]}}
    assert revision_of(other).startswith("found-")
    assert revision_of({**template, "ForceUpdate": 9}) == "r-2"


def test_a_global_service_stays_one_and_is_emptied_by_a_node_that_does_not_exist() -> None:
    spec = for_cell({**FOUND, "Mode": {"Global": {}}}, "web", "web", "web", "r-2", 3, 7, first="web")
    assert spec["Mode"] == {"Global": {}}
    assert not is_empty(spec)
    empty = with_replicas(spec, 0)
    assert (empty["Mode"], is_empty(empty)) == ({"Global": {}}, True)
    assert empty["TaskTemplate"]["Placement"]["Constraints"] == ["node.role==worker", "node.id==zdd-retired"]
    assert with_replicas(empty, 3)["TaskTemplate"] == spec["TaskTemplate"]
    assert with_replicas(spec, 5)["TaskTemplate"] == spec["TaskTemplate"]
