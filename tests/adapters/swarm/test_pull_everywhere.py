"""Every node pulls an image or is named, on a real swarm of one node; with several nodes: see `test_nodes`."""

from __future__ import annotations

from typing import Any

import pytest

from zdd import Perform
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.codec import decode, encode
from zdd.errors import ConfigurationError, PermanentError
from zdd.model.action import ActionContext

CONTEXT = ActionContext("web", "web-1", "", "1")
ABSENT = "sha256:" + "0" * 64


def test_a_node_that_can_not_pull_says_why(swarm: Any) -> None:
    image = f"{swarm.facts.registry}/shop/nothing@{ABSENT}"
    with pytest.raises(PermanentError, match=r"node \S+ can't have .*No such image"):
        PullEverywhere(image, swarm.engine, deadline_s=30).run(CONTEXT)
    assert not swarm.api.services()
    with pytest.raises(ConfigurationError, match="has no digest"):
        PullEverywhere("shop/web:1")


def test_a_resumed_deployment_pulls_again() -> None:
    strategy = Perform([PullEverywhere(f"shop/web@{ABSENT}", constraints=("node.role==worker",), deadline_s=30)])
    assert decode(encode(strategy)) == strategy
