"""A swarm of several machines inside this one: each has an engine, a network and processes of its own.

They are namespaces inside the namespace of a lab, on a bridge that is in there too. So one process is all that must
end for nothing to be left, and this machine's own network has one cable to them and one route.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from attrs import define
from docker.errors import DockerException
from engine import PACKAGES, REPOSITORY, await_engine, build_image, environment_of, start_registry, stop_lab
from guard import guarded_lab
from images import image_archive
from namespace import Namespace, descendants, is_running, isolated, open_namespace, program_of
from packages import NoLab, run, unpacked

END_TIMEOUT_S = 30.0
POLL_S = 0.05


@define(eq=False)
class Node:
    """One machine.

    Attributes:
        name: Its host name.
        address: Its address, also as seen from this machine.
        directory: Where its state is.
        pid: Its first process.
        group: Its control group.
        environment: The environment of its engine.
    """

    name: str
    address: str
    directory: Path
    pid: int
    group: str
    environment: Mapping[str, str]
    _machine: subprocess.Popen[bytes]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def engine(self) -> str:
        """Its engine's address, as DOCKER_HOST takes it."""
        return f"unix://{self.directory}/docker.sock"

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs this one on the machine."""
        return ["nsenter", "-t", str(self.pid), "--net", "--pid", "--mount", "--uts", *command]

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        command = ["dockerd", "--data-root", str(self.directory / "data"), "--exec-root", "/run/docker-exec"]
        command += ["--host", self.engine, "--pidfile", "/run/docker.pid", "--cgroup-parent", self.group]
        command += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--config-file", str(self.directory / "daemon.json")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.inside(command), env=dict(self.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        await_engine(self.engine, self.directory / "log")

    def crash(self) -> None:
        """End the engine at once, as a crash would, and wait until it has ended. Containers run on."""
        assert self._process is not None, "the engine was not started"
        (engine,) = [pid for pid in descendants(self._process.pid) if program_of(pid) == "dockerd"]
        os.kill(engine, signal.SIGKILL)
        self._process.wait(END_TIMEOUT_S)

    def forget(self) -> None:
        """Wait for what was started here, when the machine has ended."""
        for process in (self._machine, self._process):
            if process is not None:
                process.wait(END_TIMEOUT_S)

    def ask(self, question: Any) -> Any:
        """Ask its engine."""
        with contextlib.closing(docker.APIClient(base_url=self.engine, version="auto", timeout=60)) as api:
            return question(api)


@define(eq=False)
class Nodes:
    """The machines of one swarm.

    Attributes:
        managers: Those that manage it; the first has made it.
        workers: The others.
        registry: The name of a registry that all of them reach.
        image: An image in there, see `application.py`.
    """

    managers: list[Node]
    workers: list[Node]
    registry: str
    image: str
    _namespace: Namespace
    _directory: Path
    _network: str
    _registry_process: subprocess.Popen[bytes]

    def leader(self) -> Node:
        """Return the manager that leads now.

        Raises:
            NoLab: None does after a while.
        """
        deadline = time.monotonic() + END_TIMEOUT_S
        while time.monotonic() < deadline:
            for node in self.managers:
                with contextlib.suppress(DockerException):
                    found = node.ask(lambda api: api.nodes(filters={"role": "manager"}))
                    leading = [one for one in found if (one.get("ManagerStatus") or {}).get("Leader")]
                    names = {one["Description"]["Hostname"] for one in leading}
                    return next(one for one in self.managers if one.name in names)
            time.sleep(POLL_S)
        raise NoLab(f"no manager leads after {END_TIMEOUT_S:g} s")

    def ready(self) -> set[str]:
        """Return the names of the machines that the swarm has on its list as ready."""
        found = self.managers[-1].ask(lambda api: api.nodes())
        return {one["Description"]["Hostname"] for one in found if one["Status"]["State"] == "ready"}

    def stop(self) -> None:
        """End everything; nothing is left."""
        stop_lab(self._namespace.pid, self._namespace.group, self._directory)
        for node in (*self.managers, *self.workers):
            node.forget()
        for process in (self._registry_process, self._namespace.process):
            process.wait(END_TIMEOUT_S)
        deadline = time.monotonic() + END_TIMEOUT_S
        while self._network in run("ip", "route"):  # the kernel takes a namespace's cable away in its own time
            if time.monotonic() > deadline:
                raise NoLab(f"the route to {self._network}.0/24 is still there after {END_TIMEOUT_S:g} s")
            time.sleep(POLL_S)

    def left(self) -> list[str]:
        """Return what is left of them on this machine: processes, control groups, mounts, routes. For tests of it."""
        processes = [node.pid for node in (*self.managers, *self.workers)] + [self._namespace.pid]
        found = [f"process {pid}" for pid in processes if is_running(pid)]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{self._namespace.group}")]
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found += [line for line in (*mounts, *run("ip", "route").splitlines()) if self._mark(line)]
        return found + ([str(self._directory)] if self._directory.exists() else [])

    def _mark(self, line: str) -> bool:
        return str(self._directory) in line or self._network in line


def start_nodes(directory: Path, managers: int = 3, workers: int = 0) -> Nodes:
    """Bring a swarm of several machines up in an empty directory.

    Raises:
        NoLab: It can't run here; the message says what it needs.
    """
    if os.geteuid() != 0:
        raise NoLab("root is needed to run engines of its own")
    programs, archive = unpacked("engine", PACKAGES), image_archive()
    environment = environment_of([programs], directory)
    namespace = open_namespace(f"zdd-lab-{os.getpid()}n", ["sleep", "infinity"], environment, directory / "log")
    guarded_lab(namespace.pid, namespace.group, directory)
    try:
        network = _lay_bridge(namespace)
        registry_process = start_registry(directory, namespace.command([]), programs)
        registry = f"{network}.1:5000"
        made = [
            _add_node(directory, namespace, environment, f"{role}-{number}", f"{network}.{10 + index}")
            for index, (role, number) in enumerate(
                [*(("manager", n + 1) for n in range(managers)), *(("worker", n + 1) for n in range(workers))]
            )
        ]
        for node in made:
            (node.directory / "daemon.json").write_text(json.dumps({"insecure-registries": [f"{network}.0/24"]}))
        with ThreadPoolExecutor() as pool:
            list(pool.map(Node.start, made))
        image = f"{registry}/{REPOSITORY}:1"
        _join(made, managers)
        made[0].ask(lambda api: build_image(api, image, archive))
    except BaseException:
        stop_lab(namespace.pid, namespace.group, directory)
        raise
    return Nodes(made[:managers], made[managers:], registry, image, namespace, directory, network, registry_process)


def _lay_bridge(namespace: Namespace) -> str:
    """Make the bridge, and return the first three numbers of its network. This machine gets a route to it."""
    network = "10.214." + namespace.address.split(".")[2]
    inside = ["nsenter", "-t", str(namespace.pid), "--net"]
    run(*inside, "ip", "link", "add", "nodes", "type", "bridge")
    run(*inside, "ip", "address", "add", f"{network}.1/24", "dev", "nodes")
    run(*inside, "ip", "link", "set", "nodes", "up")
    run(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    run("ip", "route", "add", f"{network}.0/24", "via", namespace.address)
    gateway = namespace.address.rpartition(".")[0] + ".1"
    run(*inside, "ip", "route", "add", "default", "via", gateway)
    return network


def _add_node(directory: Path, namespace: Namespace, environment: Mapping[str, str], name: str, address: str) -> Node:
    """Make a machine and lay its cable to the bridge."""
    own = directory / name
    own.mkdir()
    process, pid = isolated(name, ["sleep", "infinity"], environment, own / "log", namespace.command([]))
    bridge, inside = ["nsenter", "-t", str(namespace.pid), "--net"], ["nsenter", "-t", str(pid), "--net"]
    run(*bridge, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    run(*bridge, "ip", "link", "set", name, "master", "nodes")
    run(*bridge, "ip", "link", "set", name, "up")
    run(*inside, "ip", "address", "add", f"{address}/24", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")
    run(*inside, "ip", "route", "add", "default", "via", address.rpartition(".")[0] + ".1")
    return Node(name, address, own, pid, f"/{namespace.group}/{name}", environment, process)


def _join(made: Sequence[Node], managers: int) -> None:
    first = made[0]
    first.ask(lambda api: api.init_swarm(advertise_addr=first.address, listen_addr="0.0.0.0:2377"))
    tokens = first.ask(lambda api: api.inspect_swarm()["JoinTokens"])
    for number, node in enumerate(made[1:], 1):
        token = tokens["Manager" if number < managers else "Worker"]
        node.ask(
            lambda api, node=node, token=token: api.join_swarm(
                [f"{first.address}:2377"], token, listen_addr="0.0.0.0:2377", advertise_addr=node.address
            )
        )
