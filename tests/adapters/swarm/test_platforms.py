"""An image that no node can run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.platforms import check_platforms
from zdd.adapters.swarm.specification import PinnedImage
from zdd.errors import ConfigurationError
from zdd.interfaces import Fence
from zdd.model.command import Launch
from zdd.model.release import Revision
from zdd.model.service import Service

ONE = Fence(1, "first deployer")


def node(processor: str = "x86_64", system: str = "linux") -> dict[str, Any]:
    return {"Description": {"Platform": {"Architecture": processor, "OS": system}}}


def image(*processors: str) -> PinnedImage:
    return PinnedImage("web:2", tuple({"Architecture": one, "OS": "linux"} for one in processors))


def test_one_node_of_one_of_its_platforms_is_enough() -> None:
    check_platforms(image("amd64", "arm64"), [node("aarch64"), node("s390x")])


def test_what_does_not_say_what_it_is_may_fit() -> None:
    check_platforms(image(), [node()])
    check_platforms(image("arm64"), [])
    check_platforms(image("arm64"), [node(), {"Description": {}}])


def test_none_that_fits_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"web:2 is for linux/arm64, and the nodes are linux/amd64, windows/a"):
        check_platforms(image("arm64"), [node(), node(system="windows")])


def test_a_real_one_is_refused_and_swarm_would_wait_for_ever(
    swarm: Any, orchestrator: SwarmOrchestrator, service: Service, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    name = f"{swarm.facts.registry}/shop/foreign:1"
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    told = [*swarm.api.build(path=str(tmp_path), tag=name, platform="linux/s390x", rm=True, decode=True)]
    told += swarm.api.push(name, stream=True, decode=True)
    assert not [line for line in told if "error" in line]
    workload = swarm.workload(image=name)
    with pytest.raises(ConfigurationError, match=r"is for linux/s390x, and the nodes are linux/\w+: build it for them"):
        orchestrator.check(service, workload)
    orchestrator.launch(service, Revision("r-1", "1", workload), Launch("web", "r-1", 1), ONE)

    def note() -> str:
        (cell,) = orchestrator.observe(service)
        return "".join(one.note for one in cell.instances)

    wait_until(lambda: "unsupported platform" in note(), "Swarm's own words are told")
    swarm.api.remove_image(name)
