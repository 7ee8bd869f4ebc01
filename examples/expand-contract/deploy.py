"""One step of the migration: ``python deploy.py 1|2|3|contract [rolling|blue-green]``.

REPOSITORY         where the image is pushed to, for example registry.example.org/customers
DATABASE_URL       the database, as `psql` and the application reach it
CONSUL_HTTP_ADDR   Consul's agent (127.0.0.1:8500)
HAPROXY_SOCKET     the stats socket of HAProxy (/run/haproxy/admin.sock)
BASE               what the image is built on (as in the Dockerfile)
DOCKER_HOST        a manager of the swarm (as for the docker client)
"""

import os
import subprocess
import sys
from pathlib import Path

from zdd import (
    BlueGreen,
    CommandAction,
    Deployer,
    Exposure,
    HttpGate,
    Outcome,
    Perform,
    Release,
    RollingUpdate,
    Service,
    Swarm,
    ZddError,
)
from zdd.adapters.consul.connection import ConsulConnection
from zdd.adapters.consul.discovery import ConsulDiscovery
from zdd.adapters.consul.journal import ConsulJournal
from zdd.adapters.consul.lease import ConsulLease
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.images import Images
from zdd.display.plain import PlainLines

HERE = Path(__file__).parent
STRATEGIES = {"rolling": RollingUpdate(), "blue-green": BlueGreen(keep_s=1)}
MIGRATIONS = {"1": "start", "2": "expand", "3": "backfill"}
CUSTOMERS = Service(
    "customers",
    replicas=2,
    cells=2,
    exposures=[Exposure("http")],
    gates=[HttpGate("/health")],
    stop_grace_s=10,
)


def make_deployer() -> Deployer:
    consul = ConsulConnection(address=f"http://{os.environ.get('CONSUL_HTTP_ADDR', '127.0.0.1:8500')}")
    edge = HaproxyEdge(os.environ.get("HAPROXY_SOCKET", "/run/haproxy/admin.sock"), {})
    return Deployer(
        Swarm(),
        ConsulDiscovery(consul),
        [edge],
        journal=ConsulJournal(consul),
        lease=ConsulLease(consul),
        listeners=[PlainLines(sys.stderr)],
    )


def migrate(name: str) -> list[str]:
    """Return the command that runs a file of `migrations`; the environment says which database."""
    path = HERE / "migrations" / f"{name}.sql"
    return ["sh", "-c", f'psql --quiet --single-transaction --set=ON_ERROR_STOP=1 --file="{path}" "$DATABASE_URL"']


def migration(name: str) -> CommandAction:
    """Return the same as an action. Each may run twice: whoever resumes a deployment may do that."""
    return CommandAction(migrate(name), title=name, deadline_s=60)


def deploy(deployer: Deployer, number: str, way: str) -> None:
    """Migrate, then deploy: what is deployed needs it, and what still serves bears it."""
    images = Images()
    arguments = {"RELEASE": number} | ({"BASE": os.environ["BASE"]} if "BASE" in os.environ else {})
    image = images.push(images.build(os.environ["REPOSITORY"], HERE / "application", arguments=arguments))
    environment = {"DATABASE_URL": os.environ["DATABASE_URL"]}
    release = Release(number, Container(image, environment=environment, ports={"http": 8080}))
    print(deployer.deploy(CUSTOMERS, release, Perform([migration(MIGRATIONS[number])]) + STRATEGIES[way]).summary)


def contract(deployer: Deployer) -> None:
    """Take the old column away. From then on there is no way back to release 2."""
    last = deployer.history("customers")[-1]
    if last.to_version != "3" or last.outcome is not Outcome.SUCCEEDED:
        sys.exit(f"release 3 has to serve alone: {last}")
    subprocess.run(migrate("contract"), check=True)


if __name__ == "__main__":
    step, way = (*sys.argv[1:], "rolling")[:2]
    try:
        made = make_deployer()
        contract(made) if step == "contract" else deploy(made, step, way)
    except ZddError as error:
        sys.exit(str(error))
