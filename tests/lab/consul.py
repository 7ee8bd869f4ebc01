"""A throw-away Consul: the user's own program or the distribution's, with a data directory and ports of its own.

``find_consul()`` takes a ``consul`` on PATH. Where there is none, it has the ordinary apt client download the package
of a Debian release that has one, by a sources list, lists and a cache of its own, and unpacks it into a folder: the
machine's own apt sources and packages stay as they are.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from guard import guarded_process
from suspended import let_go_on, suspend

SUITES = ("bullseye", "bookworm", "trixie")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FETCH_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class NoConsul(Exception):
    """There is no Consul to be had here. The message is the reason for skipping."""


def cache_directory() -> Path:
    """Return where what was fetched is kept for the next run."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zdd-lab"


def find_consul(cache: Path | None = None) -> Path:
    """Return the program.

    Raises:
        NoConsul: There is none on PATH and the distribution's can't be had.
    """
    own = shutil.which("consul")
    if own:
        return Path(own)
    directory = (cache or cache_directory()) / "consul"
    program = directory / "usr" / "bin" / "consul"
    if not program.exists():
        _fetch(directory)
    return program


def _fetch(directory: Path) -> None:
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise NoConsul(f"no consul on PATH, and no {tool} here to fetch the distribution's")
    mirror = _mirror()
    problems = []
    for suite in SUITES:
        try:
            _unpack(_download(mirror, suite, ("consul",), directory.with_name("consul-apt")), directory)
        except NoConsul as problem:
            problems.append(f"{suite}: {problem}")
        else:
            return
    raise NoConsul("no consul on PATH, and the distribution's could not be fetched: " + "; ".join(problems))


def fetch_own_release(packages: tuple[str, ...], directory: Path) -> None:
    """Have packages of this machine's own release unpacked into a folder, without installing them.

    Raises:
        NoConsul: They can't be had.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise NoConsul(f"no {packages[0]} on PATH, and no {tool} here to fetch the distribution's")
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    _unpack(_download(_mirror(), suite, packages, directory.with_name(f"{packages[0]}-apt")), directory)


def _mirror() -> str:
    """Return the address of the Debian archive from which this machine's own packages come."""
    answer = _run("apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT) $(RELEASE)", "Created-By: Packages")
    found = re.search(r"^(\S+/debian/?) main \S+$", answer, re.MULTILINE)
    if not found:
        raise NoConsul("this machine's apt sources name no Debian archive from which it could be fetched")
    return found[1]


def _download(mirror: str, suite: str, packages: tuple[str, ...], work: Path) -> list[Path]:
    shutil.rmtree(work, ignore_errors=True)
    for part in ("lists/partial", "cache/archives/partial"):
        (work / part).mkdir(parents=True)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (work / "sources.list").write_text(f"deb {signed}{mirror} {suite} main\n")
    own = ["-o", f"Dir::Etc::SourceList={work}/sources.list", "-o", f"Dir::Etc::SourceParts={work}/none"]
    own += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache"]
    own += ["-o", "APT::Sandbox::User="]  # the folder is ours alone, so apt's own user can't write there
    _run("apt-get", "-q", *own, "update")
    _run("apt-get", "-q", *own, "download", *packages, cwd=work)
    return sorted(work.glob("*.deb"))


def _unpack(packages: list[Path], directory: Path) -> None:
    half = directory.with_name(f"{directory.name}-half")
    shutil.rmtree(half, ignore_errors=True)
    for package in packages:
        _run("dpkg", "-x", str(package), str(half))
    shutil.rmtree(directory, ignore_errors=True)
    half.rename(directory)
    shutil.rmtree(packages[0].parent)


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NoConsul(f"{command[0]} took longer than {FETCH_TIMEOUT_S:g} s") from None
    if done.returncode:
        raise NoConsul((done.stderr.strip() or done.stdout.strip() or f"{command[0]} failed").splitlines()[-1])
    return done.stdout


def free_ports(number: int) -> list[int]:
    """Return ports that nobody uses on loopback, for TCP and for UDP."""
    found: list[int] = []
    while len(found) < number:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found


@define(eq=False)
class ConsulAgent:
    """A Consul agent of its own on loopback: a server, alone or one of several, or a client.

    Attributes:
        program: The ``consul`` to run.
        directory: Where its configuration, data and log are.
        settings: More of its configuration, merged over what is set here.
        token: Sent with `ask`.
        node: Its node's name.
        servers: Of how many servers it is one; 0: it is a client.
        join: Where other agents of its cluster are.
    """

    program: Path
    directory: Path
    settings: Mapping[str, Any] = field(factory=dict)
    token: str = ""
    node: str = "lab"
    servers: int = 1
    join: tuple[str, ...] = ()
    _ports: list[int] = field(factory=lambda: free_ports(5))
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where its HTTP interface is."""
        return f"http://127.0.0.1:{self._ports[0]}"

    @property
    def http_port(self) -> int:
        return self._ports[0]

    @property
    def dns_port(self) -> int:
        return self._ports[1]

    @property
    def https_port(self) -> int:
        """Where its HTTP interface is with TLS, if the settings name a certificate."""
        return self._ports[4]

    @property
    def gossip_address(self) -> str:
        """Where other agents join it."""
        return f"127.0.0.1:{self._ports[2]}"

    @property
    def server_address(self) -> str:
        """Where it is as one of the servers, as ``/v1/status/leader`` says it."""
        return f"127.0.0.1:{self._ports[3]}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the agent was not started"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until there is a leader who knows its node."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it; the others of its cluster may not be there yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        ports = {"http": self._ports[0], "dns": self._ports[1], "serf_lan": self._ports[2], "server": self._ports[3]}
        own = {
            "ports": {
                **ports,
                "grpc": -1,
                "https": self.https_port if "cert_file" in self.settings else -1,
                "serf_wan": -1,
            },
            "server": self.servers > 0,
            **({"bootstrap_expect": self.servers} if self.servers else {}),
            "retry_join": list(self.join),
            "retry_interval": "1s",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "node_name": self.node,
            "data_dir": str(self.directory / "data"),
            "log_level": "warn",
            "disable_update_check": True,
            "performance": {"raft_multiplier": 1},
        }
        (self.directory / "consul.json").write_text(json.dumps({**own, **self.settings}))
        with (self.directory / "log").open("ab") as log:
            command = [str(self.program), "agent", "-config-file", str(self.directory / "consul.json")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        guarded_process(self._process.pid)

    def await_ready(self) -> None:
        """Wait until there is a leader who knows its node."""
        assert self._process is not None
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                checks = self.ask("GET", f"/v1/health/node/{self.node}?consistent")
            except (OSError, http.client.HTTPException, RuntimeError):
                checks = None
            if checks and all(check["Status"] == "passing" for check in checks if check["CheckID"] == "serfHealth"):
                return
            time.sleep(0.02)
        log = (self.directory / "log").read_text(errors="replace")
        self.stop()
        raise RuntimeError(f"consul did not get ready: {log[-2000:]}")

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask its HTTP interface, past the library: for looking and for meddling.

        Raises:
            RuntimeError: It refuses.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5.0)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"X-Consul-Token": self.token} if self.token else {})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status == http.client.NOT_FOUND:
            return None
        if response.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def listed(self, name: str) -> dict[str, Any]:
        """What the health endpoint says, by id."""
        return {item["Service"]["ID"]: item for item in self.ask("GET", f"/v1/health/service/{name}?consistent")}

    def srv_weights(self, name: str) -> dict[int, int]:
        """Ask Consul's DNS, as HAProxy does: port → weight."""
        question = b"".join(bytes([len(part)]) + part.encode() for part in (*name.split("."), ""))
        header = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
        with socket.create_connection(("127.0.0.1", self.dns_port), timeout=5.0) as client:
            message = header + question + b"\x00\x21\x00\x01"
            client.sendall(len(message).to_bytes(2, "big") + message)
            file = client.makefile("rb")
            reply = file.read(int.from_bytes(file.read(2), "big"))
            file.close()
        place, found = 12 + len(question) + 4, {}
        for _ in range(int.from_bytes(reply[6:8], "big")):
            while reply[place] and reply[place] < 0xC0:
                place += 1 + reply[place]
            place += 2 if reply[place] >= 0xC0 else 1
            kind, length = (
                int.from_bytes(reply[place : place + 2], "big"),
                int.from_bytes(reply[place + 8 : place + 10], "big"),
            )
            data = reply[place + 10 : place + 10 + length]
            if kind == 33:
                found[int.from_bytes(data[4:6], "big")] = int.from_bytes(data[2:4], "big")
            place += 10 + length
        return found

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing, while its ports stay open."""
        suspend(self.pid)

    def go_on(self) -> None:
        let_go_on(self.pid)

    def forget_everything(self) -> None:
        """Remove its data; it must not be running."""
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def stop(self) -> None:
        """End it, by force if it takes too long. It may be paused."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._process = None


@define(eq=False)
class ConsulCluster:
    """Three servers, and clients that look after one node each.

    Attributes:
        servers: The servers.
        clients: The clients, which discovery registers with.
    """

    servers: list[ConsulAgent]
    clients: list[ConsulAgent]

    @classmethod
    def start(cls, program: Path, directory: Path, clients: int = 2) -> ConsulCluster:
        """Start all of it and wait until there is a leader who knows every node."""
        servers: list[ConsulAgent] = []
        for number in range(3):
            join = tuple(server.gossip_address for server in servers)
            servers.append(
                ConsulAgent(program, directory / f"server-{number}", node=f"server-{number}", servers=3, join=join)
            )
        join = tuple(server.gossip_address for server in servers)
        nodes = []
        for number in range(clients):
            node, own = f"node-{number}", {"node_id": str(uuid.uuid4())}  # one that has lost its data is known by it
            nodes.append(ConsulAgent(program, directory / node, node=node, settings=own, servers=0, join=join))
        cluster = cls(servers, nodes)
        try:
            for agent in (*servers, *nodes):
                agent.launch()
            for agent in (*servers, *nodes):
                agent.await_ready()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def leader(self) -> ConsulAgent:
        """Return the server that leads."""
        (found,) = [
            one for one in self.servers if one.server_address == self.clients[0].ask("GET", "/v1/status/leader")
        ]
        return found

    def stop(self) -> None:
        """End all of it at once: nobody waits for them to take leave of each other."""
        for agent in (*self.clients, *self.servers):
            agent.kill()
