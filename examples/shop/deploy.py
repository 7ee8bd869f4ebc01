"""Build, push and deploy the shop: ``python deploy.py``. A second run deploys what has changed since.

REPOSITORY         where the image is pushed to, for example registry.example.org/shop/web
CONSUL_HTTP_ADDR   Consul's agent (127.0.0.1:8500)
HAPROXY_SOCKET     the stats socket of HAProxy (/run/haproxy/admin.sock)
BASE               what the image is built on (as in the Dockerfile)
DOCKER_HOST        a manager of the swarm (as for the docker client)
"""

import os
import sys
from pathlib import Path

from attrs import evolve

from zdd import Deployer, Perform, StackDeployer, Swarm, ZddError
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.control import ConsulControl
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.swarm.images import Images
from zdd.adapters.swarm.pull_everywhere import PullEverywhere
from zdd.adapters.swarm.stacks import SwarmStacks
from zdd.compose import read_stack
from zdd.display.plain import PlainLines

HERE = Path(__file__).parent


def make_deployer() -> Deployer:
    consul = ConsulConnection(address=f"http://{os.environ.get('CONSUL_HTTP_ADDR', '127.0.0.1:8500')}")
    edge = HaproxyEdge(os.environ.get("HAPROXY_SOCKET", "/run/haproxy/admin.sock"), {})
    return Deployer(
        Swarm(),
        ConsulDiscovery(consul),
        [edge],
        journal=ConsulJournal(consul),
        lease=ConsulLease(consul),
        control=ConsulControl(consul),
        listeners=[PlainLines(sys.stderr)],
    )


def build() -> str:
    """Return the image of what is in the folder: the tag is made of the content, so the same is built once."""
    images = Images(listener=lambda progress: print(progress.text, file=sys.stderr))
    arguments = {"BASE": os.environ["BASE"]} if "BASE" in os.environ else {}
    built = images.build(os.environ["REPOSITORY"], HERE / "web", arguments=arguments)
    pushed = images.push(built)
    images.clean(os.environ["REPOSITORY"], keep=5)
    return pushed


def main() -> None:
    image = build()
    stack = read_stack("shop", [HERE / "compose.yml"], variables={**os.environ, "IMAGE": image})
    everywhere = Perform([PullEverywhere(image)])  # no node finds out in the middle that it can't have the image
    services = [evolve(one, strategy=everywhere + one.strategy) if one.name == "web" else one for one in stack.services]
    print(StackDeployer(make_deployer(), SwarmStacks()).deploy(evolve(stack, services=services)))


if __name__ == "__main__":
    try:
        main()
    except ZddError as error:
        sys.exit(str(error))
