"""What a user may say of a container, and what is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from zdd.adapters.swarm.container import Container, read_container
from zdd.errors import ConfigurationError
from zdd.model.release import Process, Release


def test_it_survives_being_written_down() -> None:
    container = Container(
        "web:2",
        command=["serve", "--fast"],
        entrypoint=["/bin/web"],
        environment={"COLOUR": "blue"},
        ports={"http": 8080},
        service_spec={"TaskTemplate": {"Resources": {"Limits": {"Pids": 5}}}},
    )
    assert read_container(Release("2", container).workload) == container


def test_the_image_is_all_that_is_needed() -> None:
    assert read_container(Container("web").specification()) == Container("web")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": ""}, "use a name such as registry.example.org/web:2"),
        ({"image": "web 2"}, "image 'web 2'"),
        ({"image": "web", "command": "serve --fast"}, r"for example \['serve', '--fast'\]"),
        ({"image": "web", "entrypoint": [1]}, "use a list of words"),
        ({"image": "web", "environment": {"A=B": "c"}}, "name without ="),
        ({"image": "web", "environment": {"WORKERS": 4}}, "WORKERS is of type int: use text"),
        ({"image": "web", "environment": {"ZDD_VERSION": "4"}}, "are set by zdd"),
        ({"image": "web", "ports": {"http": 0}}, "container port of http"),
        ({"image": "web", "ports": {"HTTP": 80}}, "port name 'HTTP'"),
        ({"image": "web", "service_spec": "compose.yml"}, "docker service inspect"),
    ],
)
def test_what_can_not_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Container(**options)


def test_other_workloads_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="kind 'process': Docker Swarm needs a Container"):
        read_container(Process(["web"]).specification())
    with pytest.raises(ConfigurationError, match="imagee"):
        read_container({"kind": "container", "imagee": "web"})
