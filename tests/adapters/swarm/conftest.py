"""The lab: a real engine with a swarm and a registry. Where it can't run, tests are skipped and say what they need."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import pytest

from zdd.adapters.memory import MemoryDiscovery, MemoryWorld
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.container import Container
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.deployer import Deployer
from zdd.events import Event
from zdd.interfaces import Edge
from zdd.model.cell import Instance, InstanceState
from zdd.model.service import Service

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from command import tell_lab
from suspended import suspended
from waiting import wait_until

HEALTH = {
    "Test": ["CMD-SHELL", "wget -qO- http://127.0.0.1:$PORT/health"],
    "Interval": 1_000_000_000,
    "Timeout": 2_000_000_000,
    "Retries": 50,
}


class Swarm:
    """The lab as a test sees it: the engine past the library, and short words for what tests do."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = SimpleNamespace(**facts)
        self.engine = self.facts.engine
        self.image = self.facts.image
        self.api = docker.APIClient(base_url=self.engine, version="auto", timeout=60)
        self._was_there = self._everything()

    def client(self, *words: str) -> str:
        """Run the docker client."""
        command = [self.facts.client, "--host", self.engine, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout.strip()

    def orchestrator(self, **options: Any) -> SwarmOrchestrator:
        return SwarmOrchestrator(self.engine, **options)

    def workload(self, **options: Any) -> dict[str, Any]:
        """Return a workload that is ready when it serves."""
        image = options.pop("image", self.image)
        spec = {"TaskTemplate": {"ContainerSpec": {"Healthcheck": dict(HEALTH)}}}
        defaults = {"ports": {"http": 8080}, "service_spec": spec}
        return dict(Container(image, **{**defaults, **options}).specification())

    def tasks(self, name: str) -> set[str]:
        """Return the ids of the tasks that run."""
        found = self.api.tasks(filters={"service": name})
        return {task["ID"] for task in found if task["Status"]["State"] == "running"}

    def ever(self, name: str) -> set[str]:
        """Return the ids of all tasks that there were."""
        return {task["ID"] for task in self.api.tasks(filters={"service": name})}

    def run(self, name: str, replicas: int, *options: str, words: tuple[str, ...] = ()) -> None:
        """Create a service as a person would, and wait until it runs."""
        health = ["--health-cmd", "wget -qO- http://127.0.0.1:8080/health", "--health-interval", "1s"]
        health += ["--health-retries", "50"]
        given = ["--name", name, "--replicas", str(replicas), *health, *options]
        self.client("service", "create", "--detach", *given, self.image, *words)
        wait_until(lambda: len(self.tasks(name)) == replicas, f"{name} runs")

    def ready(self, orchestrator: SwarmOrchestrator, service: Service, cell: str = "web") -> list[Instance]:
        """Return the instances of a cell that has all that it should have, each ready; else none."""
        cells = {one.name: one for one in orchestrator.observe(service)}
        instances = cells[cell].instances if cell in cells else ()
        complete = cell in cells and len(instances) == cells[cell].replicas
        return list(instances) if complete and all(one.state is InstanceState.READY for one in instances) else []

    def stack(self, name: str, compose: dict[str, Any], *options: str) -> None:
        """Deploy a stack."""
        words = ["stack", "deploy", *options, "--compose-file", "-", name]
        command = [self.facts.client, "--host", self.engine, *words]
        done = subprocess.run(
            command, input=json.dumps(compose), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    def spec(self, name: str) -> dict[str, Any]:
        return dict(self.api.inspect_service(name)["Spec"])

    def push(self, image: str, **environment: str) -> None:
        """Build an image on top of the lab's, with other content, and push it."""
        lines = [f"FROM {self.image}", *(f"ENV {name}={text}" for name, text in environment.items())]
        dockerfile = io.BytesIO("\n".join(lines).encode())
        told = [*self.api.build(fileobj=dockerfile, tag=image, rm=True, decode=True)]
        told += self.api.push(image, stream=True, decode=True)
        assert not [line for line in told if "error" in line]

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Let the engine answer nothing, as on a machine that hangs."""
        if not self.facts.pid:
            pytest.skip("an engine that the user named is not stopped")
        children = Path(f"/proc/{self.facts.pid}/task/{self.facts.pid}/children").read_text().split()
        (engine,) = [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"]
        with suspended(engine):
            yield

    def clear(self) -> None:
        """Remove everything that tests have made, and wait until it has gone."""
        removals = {
            "service": self.api.remove_service,
            "config": self.api.remove_config,
            "secret": self.api.remove_secret,
            "container": functools.partial(self.api.remove_container, force=True),
            "network": self.api.remove_network,
        }

        def gone() -> bool:
            left = self._everything() - self._was_there
            # The engine may crash if a service is removed just when a task of it is taken off the list.
            later = {("service", task["ServiceID"]) for task in self.api.tasks() if task["DesiredState"] == "remove"}
            for kind, name in sorted(left - later, key=lambda one: list(removals).index(one[0])):
                with contextlib.suppress(docker.errors.APIError):  # what is in use goes with the next attempt
                    removals[kind](name)
            return not left

        wait_until(gone, "everything that the tests have made has gone")

    def _everything(self) -> set[tuple[str, str]]:
        swarm_networks = [one for one in self.api.networks() if one["Scope"] == "swarm" and not one["Ingress"]]
        return {
            *(("service", one["ID"]) for one in self.api.services()),
            *(("config", one["ID"]) for one in self.api.configs()),
            *(("secret", one["ID"]) for one in self.api.secrets()),
            *(("container", one["Id"]) for one in self.api.containers(all=True)),
            *(("network", one["Id"]) for one in swarm_networks),
        }


@pytest.fixture(scope="session")
def lab() -> Iterator[Swarm]:
    """A running lab, which is ended again if it was not running before."""
    facts = tell_lab("up")
    swarm = Swarm(facts)
    yield swarm
    swarm.api.close()
    if facts["fresh"]:
        tell_lab("down")


@pytest.fixture(scope="session")
def database_image(lab: Swarm) -> str:
    """An image of PostgreSQL, in the lab's registry."""
    return str(tell_lab("database")["database"])


@pytest.fixture
def swarm(lab: Swarm) -> Iterator[Swarm]:
    """The lab, empty before and after."""
    lab.clear()
    yield lab
    lab.clear()


@pytest.fixture
def orchestrator(swarm: Swarm) -> Iterator[SwarmOrchestrator]:
    with contextlib.closing(swarm.orchestrator()) as made:
        yield made


@pytest.fixture
def heard() -> list[Callable[[Event], None]]:
    """What is called with every event; a test may add to it."""
    return []


@pytest.fixture
def make_deployer(
    swarm: Any, tmp_path: Path, heard: list[Callable[[Event], None]]
) -> Iterator[Callable[..., Deployer]]:
    with contextlib.ExitStack() as ending:

        def make(discovery: Any = None, edges: Sequence[Edge] = (), **options: Any) -> Deployer:
            orchestrator = ending.enter_context(contextlib.closing(swarm.orchestrator(poll_s=0.2, **options)))
            return Deployer(
                orchestrator,
                MemoryDiscovery(MemoryWorld()) if discovery is None else discovery,
                edges,
                journal=SqliteJournal(tmp_path / "journal"),
                lease=SqliteLease(tmp_path / "journal"),
                listeners=[lambda event: [call(event) for call in heard] and None],
            )

        yield make


@pytest.fixture(scope="session", name="wait_until")
def given_wait_until() -> Callable[..., Any]:
    return wait_until


@pytest.fixture
def service() -> Service:
    return Service("web", replicas=2, stop_grace_s=3.0)
