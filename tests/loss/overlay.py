"""Edges as services of the swarm, on an overlay network that they share with what they send requests to."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import docker
from attrs import define, frozen
from parts import HERE, RunningEdge, consul_lab, haproxy_lab, traefik_lab

from zdd import Service
from zdd.adapters.consul.traefik_edge import CatalogTraefikEdge
from zdd.adapters.haproxy.edge import HaproxyEdge
from zdd.errors import TemporaryError
from zdd.interfaces import Edge
from zdd.model.address import Address

EXAMPLES = HERE.parents[1] / "examples" / "overlay"
IN_FLIGHT_PATH = "/in-flight"
SOCKET_PORT, API_PORT = 9999, 8080
START_TIMEOUT_S = 60.0
POLL_S = 0.1
NEW_NETWORK = 0x40000000
Found = TypeVar("Found")


@frozen
class EdgeTask:
    """The only task of an edge.

    Attributes:
        address: Its own, on the overlay network.
        entrance: Where clients reach it.
    """

    address: str
    entrance: Address


@define(eq=False)
class Swarm:
    """The lab's swarm, by its API and by its docker client."""

    lab: Mapping[str, Any]

    def client(self, *words: str) -> str:
        """Run the docker client.

        Raises:
            RuntimeError: It failed; the message is its own.
        """
        command = [self.lab["client"], "--host", self.lab["engine"], *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(words[:3])}: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def api(self) -> Any:
        return closing(docker.APIClient(base_url=self.lab["engine"], version="auto", timeout=120))


@contextmanager
def running_network(swarm: Swarm, name: str) -> Iterator[str]:
    """Make an overlay network, and remove it when nothing is on it any more."""
    swarm.client("network", "create", "--driver", "overlay", "--attachable", name)
    try:
        yield name
    finally:
        until(lambda: _succeeds(swarm, "network", "rm", name), f"network {name} to be unused")


@contextmanager
def running_stack(swarm: Swarm, name: str, service: str, network: str, file: Path) -> Iterator[EdgeTask]:
    """Deploy a stack with one edge of one task, and wait until that runs."""
    swarm.client("stack", "deploy", "--compose-file", str(file), name)
    try:
        yield until(lambda: _task(swarm, f"{name}_{service}", network), f"{service} to run")
    finally:
        swarm.client("stack", "rm", name)


def _task(swarm: Swarm, service: str, network: str) -> EdgeTask | None:
    with swarm.api() as api:
        for task in api.tasks(filters={"service": service, "desired-state": "running"}):
            ports = (task["Status"].get("PortStatus") or {}).get("Ports") or []
            hosts = [
                one["Addresses"][0].partition("/")[0]
                for one in task.get("NetworksAttachments") or []
                if one["Network"]["Spec"]["Name"] == network
            ]
            if task["Status"]["State"] == "running" and ports and hosts:
                return EdgeTask(hosts[0], Address(swarm.lab["address"], ports[0]["PublishedPort"]))
    return None


@contextmanager
def running_overlay_edge(
    kind: str, lab: Mapping[str, Any], agent: Any, service: str, directory: Path
) -> Iterator[RunningEdge]:
    """Start HAProxy or Traefik with the stack file of the example, for one service, and go where its tasks are.

    From then on this process is on the overlay network, as a deployer is that runs in a container there.
    """
    if not lab["pid"]:
        raise RuntimeError("edges on an overlay network need the lab's own engine")
    directory.mkdir(parents=True)
    swarm, here = Swarm(lab), gateway(lab)
    name = f"{service}-edge"
    with running_network(swarm, f"{service}-web") as network:
        file = stack_file(swarm, kind, network, directory, {
            "172.18.0.1:8600": f"{here}:{agent.dns_port}", "172.18.0.1:8500": f"{here}:{agent.http_port}",
            "_web._tcp": f"_{service}._tcp", "default_backend web": f"default_backend {service}",
            "\nbackend web\n": f"\nbackend {service}\n",
        })  # fmt: skip
        with running_stack(swarm, name, kind, network, file) as task, running_deployer(swarm, network) as pid:
            enter_network(pid)
            edge = _edge(kind, task)
            until(lambda: _answers(edge), f"{edge.name} to answer")
            outside = ("nsenter", f"--net=/proc/{os.getppid()}/ns/net")
            yield RunningEdge(edge, task.entrance, network, outside)


def _edge(kind: str, task: EdgeTask) -> Edge:
    if kind == "haproxy":
        return HaproxyEdge(Address(task.address, SOCKET_PORT), {"http": task.entrance}, old_process_s=0)
    api = Address(task.address, API_PORT)
    return CatalogTraefikEdge(api, {"http": task.entrance}, weighs=True, in_flight_path=IN_FLIGHT_PATH)


def _answers(edge: Edge) -> bool:
    try:
        edge.view(Service("nobody"), ())
    except TemporaryError:
        return False
    return True


def gateway(lab: Mapping[str, Any]) -> str:
    """Return this machine's address in the lab's network, which every container of the lab reaches."""
    return str(lab["address"]).rpartition(".")[0] + ".1"


def stack_file(swarm: Swarm, kind: str, network: str, directory: Path, values: Mapping[str, str]) -> Path:
    """Write the example's stack with its configuration, with other values, into a folder, and return the stack."""
    image = edge_image(swarm, kind)
    own = {
        **values, "image: haproxy:2.6": f"image: {image}", "image: traefik:v3.7": f"image: {image}",
        "published: 8000, ": "", "      - web\n": f"      - {network}\n",
        "\n  web:\n    external": f"\n  {network}:\n    external",
    }  # fmt: skip
    for path in (EXAMPLES / f"{kind}-stack.yml", EXAMPLES / "haproxy.cfg"):
        text = path.read_text()
        for value, other in own.items():
            text = text.replace(value, other)
        (directory / path.name).write_text(text)
    return directory / f"{kind}-stack.yml"


@contextmanager
def running_deployer(swarm: Swarm, network: str) -> Iterator[int]:
    """Start a container on the network, which does nothing, and yield its process."""
    with swarm.api() as api:
        made = api.create_container(
            swarm.lab["image"],
            entrypoint=["/bin/sleep", "86400"],
            networking_config=api.create_networking_config({network: api.create_endpoint_config()}),
        )
        try:
            api.start(made["Id"])
            inside = api.inspect_container(made["Id"])["State"]["Pid"]
            yield until(lambda: _pid_here(swarm.lab["pid"], inside), "the container's process to be seen")
        finally:
            api.remove_container(made["Id"], force=True)


def _pid_here(namespace: int, inside: int) -> int | None:
    """Return the number by which this machine knows a process that the namespace knows by another one."""
    found = [namespace]
    for pid in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
            if len(numbers) > 1 and int(numbers[1]) == inside and pid != namespace:
                return pid
    return None


def enter_network(pid: int) -> None:
    """Let this process, and what it starts from now on, have the network of another process."""
    library = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open("rb") as handle:
        if library.setns(handle.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "the network of the container can't be entered")


def edge_image(swarm: Swarm, kind: str) -> str:
    """Build an image of the program, with the libraries that it needs, unless there is one, and return its name."""
    image = f"zdd-lab/{kind}:1"
    with swarm.api() as api:
        if api.images(name=image):
            return image
        program, environment = _program(kind)
        files = {f"/usr/local/bin/{kind}": program, **{path: Path(path) for path in _libraries(program, environment)}}
        folders = sorted({str(Path(path).parent) for path in files} - {"/usr/local/bin"})
        words = [f"/usr/local/bin/{kind}"]
        words += ["-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"] if kind == "haproxy" else []
        lines = ["FROM scratch", "COPY root /", f"ENV LD_LIBRARY_PATH={':'.join(folders)}"]
        lines += [f"ENTRYPOINT {str(words).replace(chr(39), chr(34))}"]
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            _add(tar, "Dockerfile", "\n".join(lines).encode())
            _add(tar, "root/tmp/.keep", b"")
            for path, source in files.items():
                tar.add(source.resolve(), f"root{path}")
        context.seek(0)
        for line in api.build(fileobj=context, custom_context=True, tag=image, rm=True, decode=True):
            if "error" in line:
                raise RuntimeError(f"{image}: {line['error']}")
    return image


def _program(kind: str) -> tuple[Path, Mapping[str, str]]:
    if kind == "haproxy":
        found: tuple[Path, Mapping[str, str]] = haproxy_lab.find_haproxy(
            consul_lab.cache_directory(), consul_lab.fetch_own_release
        )
        return found
    program = traefik_lab.find_traefik()
    if program is None:
        raise RuntimeError("there is no traefik: install the extra `edge`")
    return program, os.environ


def _libraries(program: Path, environment: Mapping[str, str]) -> list[str]:
    command = [shutil.which("ldd") or "ldd", str(program)]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    words = [word for line in done.stdout.splitlines() for word in line.split()]
    return sorted({word for word in words if word.startswith("/")})


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _succeeds(swarm: Swarm, *words: str) -> bool:
    with contextlib.suppress(RuntimeError):
        swarm.client(*words)
        return True
    return False


def until(look: Callable[[], Found], what: str) -> Found:
    """Wait until it is there, and return what was found.

    Raises:
        RuntimeError: It isn't after a minute.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {START_TIMEOUT_S:g} s for {what}")
        time.sleep(POLL_S)
    return found
