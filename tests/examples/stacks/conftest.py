"""The examples as a user would run them: a copy of the folder, its own script, a real swarm and real edges."""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import docker
import pytest
from attrs import define, field

from zdd.adapters.consul.store import DEFAULT_PREFIX
from zdd.model.address import Address

sys.path.append(str(Path(__file__).parents[2] / "lab"))  # its parts import each other
from command import tell_lab
from waiting import wait_until

ROOT = Path(__file__).parents[3]
LAB = ROOT / "tests" / "lab"
PREFIXES = ("shop", "site", "customers")


def load_lab(part: str) -> ModuleType:
    name = f"zdd_lab_{part}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, LAB / f"{part}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


consul_lab, haproxy_lab, traefik_lab = (load_lab(part) for part in ("consul", "haproxy", "traefik"))


@define(eq=False)
class Stand:
    """Where an example runs.

    Attributes:
        facts: What the lab says of itself.
        agent: Consul.
        directory: A folder of the test's own.
        environment: What the example's script gets besides.
    """

    facts: Mapping[str, Any]
    agent: Any
    directory: Path
    environment: dict[str, str] = field(factory=dict)

    @functools.cached_property
    def api(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.facts["engine"], version="auto", timeout=60)

    def copy(self, example: str) -> Path:
        folder = self.directory / example
        shutil.copytree(ROOT / "examples" / example, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return folder

    def run(self, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the example's script as a user would, and return how it ended."""
        command = [sys.executable, *words] if words[0].endswith(".py") else list(words)
        around = {"PYTHON": sys.executable, "DOCKER_HOST": self.facts["engine"]}
        around |= {"CONSUL_HTTP_ADDR": self.agent.address.removeprefix("http://")}
        return subprocess.run(
            command, cwd=folder, env={**os.environ, **around, **self.environment, **environment},
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip

    def deploy(self, folder: Path, *words: str, **environment: str) -> str:
        """Run it; it has to end well. Return what it wrote."""
        done = self.run(folder, *words, **environment)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
        return done.stdout

    def tasks(self, service: str) -> set[str]:
        """Return the ids of a Swarm service's tasks that run."""
        return {one["ID"] for one in self.api.tasks(filters={"service": service, "desired-state": "running"})}

    def versions(self, beginning: str) -> dict[str, int]:
        """Return how often each Swarm service whose name begins so was written."""
        services = [one for one in self.api.services() if one["Spec"]["Name"].startswith(beginning)]
        return {one["Spec"]["Name"]: one["Version"]["Index"] for one in services}

    def runs(self, beginning: str) -> dict[str, tuple[str, set[str]]]:
        """Return the image and the tasks of each Swarm service whose name begins so."""
        specs = [one["Spec"] for one in self.api.services() if one["Spec"]["Name"].startswith(beginning)]
        images = {one["Name"]: one["TaskTemplate"]["ContainerSpec"]["Image"] for one in specs}
        return {name: (image, self.tasks(name)) for name, image in images.items()}

    def behind_haproxy(self, paths: Mapping[str, str]) -> Address:
        """Start an HAProxy with the settings of the example. It is ended with the test."""
        (port,) = consul_lab.free_ports(1)
        program = haproxy_lab.find_haproxy(consul_lab.cache_directory(), consul_lab.fetch_own_release)
        part = haproxy_lab.LabHaproxy(program, self.directory / "haproxy", self.agent.dns_port, paths, port)
        self.edges.append(part)
        part.start()
        self.environment["HAPROXY_SOCKET"] = str(part.socket)
        return Address("127.0.0.1", port)

    def behind_traefik(self) -> Address:
        """Start a Traefik with the settings of the example. It is ended with the test."""
        program = traefik_lab.find_traefik()
        if program is None:
            pytest.skip("there is no traefik: install the extra `edge`")
        port, api_port = consul_lab.free_ports(2)
        part = traefik_lab.LabTraefik(program, self.directory / "traefik", self.agent.http_port, port, api_port)
        self.edges.append(part)
        part.start()
        self.environment["TRAEFIK"] = f"127.0.0.1:{api_port}"
        return Address("127.0.0.1", port)

    edges: list[Any] = field(factory=list, init=False)

    def clear(self) -> None:
        """Remove what the examples have made in the swarm, and wait until it has gone; and what zdd remembers of it."""

        def left() -> list[Any]:
            services = [one for one in self.api.services() if one["Spec"]["Name"].startswith(PREFIXES)]
            for one in services:
                self.api.remove_service(one["ID"])
            found: list[Any] = list(services)
            for kind, key in (("network", "Id"), ("secret", "ID"), ("config", "ID")):
                for one in getattr(self.api, f"{kind}s")():
                    if str(one.get("Name") or one["Spec"]["Name"]).startswith((*PREFIXES, "zdd-")):
                        found.append(one)
                        with contextlib.suppress(docker.errors.APIError):  # what is in use goes with the next attempt
                            getattr(self.api, f"remove_{kind}")(one[key])
            for one in self.api.volumes()["Volumes"] or []:
                if one["Name"].startswith(PREFIXES):
                    found.append(one)
                    with contextlib.suppress(docker.errors.APIError):
                        self.api.remove_volume(one["Name"])
            return found

        wait_until(lambda: not left(), "what the examples have made has gone")
        agent = http.client.HTTPConnection("127.0.0.1", self.agent.http_port, timeout=20)
        agent.request("DELETE", f"/v1/kv/{DEFAULT_PREFIX}/?recurse=true")
        assert agent.getresponse().status == http.client.OK
        agent.close()


@pytest.fixture(scope="session")
def lab_part() -> Callable[[str], ModuleType]:
    """Loads a part of the lab."""
    return load_lab


@pytest.fixture(scope="session", name="wait_until")
def _waiting() -> Callable[..., Any]:
    return wait_until


@pytest.fixture(scope="session")
def lab_facts() -> Iterator[dict[str, Any]]:
    """The lab, with the image of a database. It is ended again if it was not up before."""
    facts = tell_lab("database")
    yield facts
    if facts["fresh"]:
        tell_lab("down")


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    try:
        program = consul_lab.find_consul()
    except consul_lab.NoConsul as reason:
        pytest.skip(str(reason))
    running = consul_lab.ConsulAgent(program, tmp_path_factory.mktemp("consul"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def stand(lab_facts: dict[str, Any], agent: Any, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(lab_facts, agent, tmp_path)
    made.clear()
    try:
        yield made
    finally:
        for edge in made.edges:
            edge.stop()
        made.clear()
        made.api.close()
