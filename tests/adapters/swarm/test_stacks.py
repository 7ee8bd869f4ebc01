"""Stacks on a real swarm: seen by docker's own commands, taken over, changed, refused, removed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from zdd import Deployer, StackDeployer, StackFailed
from zdd.adapters.memory import MemoryDiscovery, MemoryJournal, MemoryLease, MemoryWorld
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.stacks import SwarmStacks
from zdd.clock import SystemClock
from zdd.compose import read_stack
from zdd.errors import ConfigurationError
from zdd.events import Outcome
from zdd.sampler import ThreadSampler
from zdd.stacks.stack import Stack

FILE = """
version: "3.8"
services:
  worker:
    image: {image}
    stop_grace_period: 1s
    environment: {{LEVEL: "{level}"}}
    networks: [back]
    secrets: [token]
    healthcheck: {{test: "{test}", interval: 1s, retries: 50}}
    x-zdd: {{deadlines: {{start: {start}}}}}
    depends_on: [queue]
  queue:
    image: {image}
    stop_grace_period: 1s
    networks: [back]
networks: {{back: }}
secrets: {{token: {{file: token.txt{driver}}}}}
"""
HEALTHY = "wget -qO- http://127.0.0.1:8080/health"


@frozen
class Shop:
    """A stack on the lab, whose services nobody sends requests to."""

    swarm: Any
    directory: Path
    deployer: StackDeployer

    def stack(
        self, level: str = "1", content: str = "a", test: str = HEALTHY, start: str = "30s", driver: str = ""
    ) -> Stack:
        (self.directory / "token.txt").write_text(content)
        file = self.directory / "compose.yml"
        file.write_text(FILE.format(image=self.swarm.image, level=level, test=test, start=start, driver=driver))
        return read_stack("shop", [file], variables={})

    def tasks(self) -> dict[str, set[str]]:
        return {name: self.swarm.tasks(name) for name in ("shop_queue", "shop_worker")}

    def objects(self) -> set[str]:
        label = {"label": "com.docker.stack.namespace=shop"}
        api = self.swarm.api
        found = {one["Name"] for one in api.networks(filters=label)}
        return found | {one["Spec"]["Name"] for one in [*api.services(filters=label), *api.secrets(filters=label)]}


@pytest.fixture
def shop(swarm: Any, tmp_path: Path) -> Iterator[Shop]:
    clock = SystemClock()
    with (
        contextlib.closing(SwarmOrchestrator(swarm.engine)) as orchestrator,
        contextlib.closing(SwarmStacks(swarm.engine)) as stacks,
    ):
        deployer = Deployer(
            orchestrator,
            MemoryDiscovery(MemoryWorld()),
            journal=MemoryJournal(),
            lease=MemoryLease(clock),
            clock=clock,
            make_sampler=ThreadSampler,
        )
        yield Shop(swarm, tmp_path, StackDeployer(deployer, stacks))


def test_a_stack_lives_changes_and_goes(shop: Shop) -> None:
    assert shop.deployer.deploy(shop.stack()).changed == ("shop-queue", "shop-worker")
    assert shop.swarm.client("stack", "ls", "--format", "{{.Name}} {{.Services}}") == "shop 2"
    assert shop.objects() == {"shop_back", "shop_token", "shop_queue", "shop_worker"}
    before = shop.tasks()

    assert shop.deployer.deploy(shop.stack()).outcome is Outcome.UNCHANGED
    assert shop.tasks() == before

    report = shop.deployer.deploy(shop.stack(content="another"))
    assert report.changed == ("shop-worker",)
    assert shop.tasks()["shop_queue"] == before["shop_queue"]
    (secret,) = shop.swarm.spec("shop_worker")["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert secret["SecretName"] != "shop_token"
    assert secret["File"]["Name"] == "token"

    filled_in = {"driver": ", template_driver: golang"}  # the content is again the one that shop_token has
    assert shop.deployer.deploy(shop.stack(**filled_in)).changed == ("shop-worker",)
    (secret,) = shop.swarm.spec("shop_worker")["TaskTemplate"]["ContainerSpec"]["Secrets"]
    (kept,) = (one for one in shop.swarm.api.secrets() if one["ID"] == secret["SecretID"])
    assert kept["Spec"]["Templating"]["Name"] == "golang"

    with pytest.raises(StackFailed) as caught:
        shop.deployer.deploy(shop.stack(level="2", test="false", start="2s", **filled_in))
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    (after,) = shop.swarm.spec("shop_worker")["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert after == secret

    assert shop.deployer.remove("shop").removed == ("shop-worker", "shop-queue")
    assert shop.objects() == {"shop_back", "shop_token"}


def test_what_a_first_deployment_has_made_goes_with_it(shop: Shop) -> None:
    with pytest.raises(StackFailed, match="rolled back"):
        shop.deployer.deploy(shop.stack(test="false", start="2s"))
    assert not shop.objects() & {"shop_queue", "shop_worker", "shop_token"}


def test_somebody_else_s_stack_is_refused_and_taken_over_without_a_restart(
    shop: Shop, wait_until: Callable[..., Any]
) -> None:
    stack = shop.stack()
    (shop.directory / "plain.yml").write_text(
        FILE.format(image=shop.swarm.image, level="1", test=HEALTHY, start="30s", driver="")
    )
    shop.swarm.client("stack", "deploy", "--compose-file", str(shop.directory / "plain.yml"), "shop")
    wait_until(lambda: all(shop.tasks().values()), "the stack runs")
    before = shop.tasks()
    with pytest.raises(ConfigurationError, match=r"zdd did not deploy it \(shop_queue, shop_worker\).*adopt=True"):
        shop.deployer.deploy(stack)
    assert shop.tasks() == before

    found = shop.swarm.spec("shop_queue")
    with pytest.raises(StackFailed) as caught:
        shop.deployer.deploy(shop.stack(test="false", start="2s"), adopt=True)
    assert caught.value.report.outcome is Outcome.ROLLED_BACK
    queue = shop.swarm.spec("shop_queue")
    assert (queue["TaskTemplate"], queue["Mode"]) == (found["TaskTemplate"], found["Mode"])

    shop.deployer.deploy(stack, adopt=True)
    assert shop.swarm.spec("shop_queue")["Labels"]["zdd.service"] == "shop-queue"
    assert shop.deployer.deploy(stack).outcome is Outcome.UNCHANGED


def test_what_is_in_the_way_is_refused_before_anything_is_made(shop: Shop) -> None:
    shop.swarm.client("network", "create", "--driver", "overlay", "shop_back")
    with pytest.raises(ConfigurationError, match="network shop_back is there, and belongs to no stack"):
        shop.deployer.deploy(shop.stack())
    assert shop.objects() == set()


def test_an_image_that_is_not_there_is_refused_before_anything_is_made(shop: Shop) -> None:
    file = shop.directory / "absent.yml"
    file.write_text(f"services: {{web: {{image: {shop.swarm.facts.registry}/absent:1}}}}")
    with pytest.raises(ConfigurationError, match="absent:1 can't be had from its registry"):
        shop.deployer.deploy(read_stack("shop", [file], variables={}))
    assert shop.objects() == set()
