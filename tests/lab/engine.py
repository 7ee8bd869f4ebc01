"""A Docker Engine with a one-node swarm and an image registry, in a namespace of their own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import docker
from attrs import asdict, frozen
from certificates import make_authority
from docker.errors import APIError
from guard import guarded_if_asked
from images import application_layer, image_archive
from namespace import ADDRESSES, end_namespace, open_namespace
from packages import NoLab, unpacked, unpacked_from

PACKAGES = ("docker.io", "iptables", "docker-registry")
ENGINE_PACKAGES = ("docker.io", "containerd")
"""What is taken of another release of the distribution; whatever else it needs is this one's."""
REGISTRY_PORT = 5000
PRIVATE_PORT = 5001
SECURE_PORT = 2376
PRIVATE_USER, PRIVATE_PASSWORD = "deployer", "let-me-in"
# As htpasswd -B writes it.
PRIVATE_LOGIN = f"{PRIVATE_USER}:$2b$05$abcdefghijklmnopqrstuu3Jd./u/rH1RxB6auX5v7gLP6uWhKCgG"
REPOSITORY = "zdd-lab/application"
START_TIMEOUT_S = 40.0
POLL_S = 0.02


@frozen
class Lab:
    """What a test needs to know.

    Attributes:
        engine: The engine's address, as DOCKER_HOST takes it.
        client: A ``docker`` program of the engine's version.
        registry: The registry's name in images.
        registry_address: Where the registry is reached from this machine.
        image: An image in the registry, see `application.py`.
        address: Where ports that are published in host mode are reached.
        version: The engine's version.
        pid: The first process of the namespace; 0 for an engine that the user named.
        group: Its control group.
        secure: The engine's address with TLS, which asks who is there; empty for an engine that the user named.
        private_registry: The name of a registry that wants a login; empty for an engine that the user named.
        login: The user and the password for it.
        authority: The folder of who signs its certificates, see `certificates.py`.
    """

    engine: str
    client: str
    registry: str
    registry_address: str
    image: str
    address: str
    version: str = ""
    pid: int = 0
    group: str = ""
    secure: str = ""
    authority: str = ""
    private_registry: str = ""
    login: tuple[str, str] = (PRIVATE_USER, PRIVATE_PASSWORD)

    def facts(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self)


def start_lab(directory: Path, suite: str = "") -> Lab:
    """Bring everything up in an empty directory.

    Args:
        directory: Where its state is.
        suite: The release of the distribution whose engine is taken; empty: this machine's.

    Raises:
        NoLab: It can't run here; the message says what it needs.
    """
    if os.geteuid() != 0:
        raise NoLab("root is needed to run an engine of its own; or name a throw-away engine, see `make lab`")
    programs = unpacked("engine", PACKAGES)
    archive = image_archive()
    group = f"zdd-lab-{os.getpid()}"
    engine = f"unix://{directory / 'docker.sock'}"
    command = ["dockerd", "--data-root", str(directory / "data"), "--exec-root", "/run/docker-exec"]
    command += ["--host", engine, "--pidfile", "/run/docker.pid", "--cgroup-parent", f"/{group}"]
    command += ["--exec-opt", "native.cgroupdriver=cgroupfs", "--config-file", str(directory / "daemon.json")]
    command += [f"--host=tcp://0.0.0.0:{SECURE_PORT}", "--tlsverify", *_certificates(directory)]
    (directory / "daemon.json").write_text("{}")
    engines = [unpacked_from(suite, f"engine-{suite}", ENGINE_PACKAGES)] if suite else []
    environment = environment_of([*engines, programs], directory)
    namespace = open_namespace(group, command, environment, directory / "log")
    guarded_if_asked(namespace.pid, group, directory)
    try:
        start_registry(directory, namespace.command([]), programs)
        start_registry(directory, namespace.command([]), programs, port=PRIVATE_PORT, login=PRIVATE_LOGIN)
        client = str(programs / "usr/bin/docker")
        lab = Lab(
            engine=engine, client=client if Path(client).exists() else "docker",
            registry=f"127.0.0.1:{REGISTRY_PORT}", registry_address=f"{namespace.address}:{REGISTRY_PORT}",
            image=f"127.0.0.1:{REGISTRY_PORT}/{REPOSITORY}:1", address=namespace.address,
            version=await_engine(engine, directory / "log"), pid=namespace.pid, group=group,
            secure=f"tcp://{namespace.address}:{SECURE_PORT}", authority=str(directory / "authority"),
            private_registry=f"127.0.0.1:{PRIVATE_PORT}",
        )  # fmt: skip
        _prepare(lab, archive)
    except BaseException:
        stop_lab(namespace.pid, namespace.group, directory)
        raise
    return lab


def _certificates(directory: Path) -> list[str]:
    """Make a certificate for the engine, at whichever address it will have, and return its options."""
    names = ",".join(f"IP:{address}" for address in ADDRESSES)
    own = make_authority(directory / "authority").issue(directory / "certificates", "engine", names=names)
    return [f"--tlscacert={own}/ca.pem", f"--tlscert={own}/cert.pem", f"--tlskey={own}/key.pem"]


def environment_of(programs: Sequence[Path], directory: Path) -> dict[str, str]:
    """Let unpacked programs find each other; iptables has the name that its package's script would have made."""
    commands = directory / "bin"
    commands.mkdir()
    for name in ("iptables", "ip6tables", "iptables-save", "iptables-restore"):
        for folder in programs:
            if (folder / "usr/sbin/xtables-nft-multi").exists():
                (commands / name).symlink_to(folder / "usr/sbin/xtables-nft-multi")
    libraries = [str(path) for folder in programs for path in sorted((folder / "usr/lib").glob("*-linux-gnu"))]
    own = [path for folder in programs for path in (folder / "usr/sbin", folder / "usr/bin")]
    paths = [commands, *own, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return {
        "PATH": ":".join(map(str, paths)),
        "LD_LIBRARY_PATH": ":".join(libraries),
        "XTABLES_LIBDIR": ":".join(f"{path}/xtables" for path in libraries),
        "HOME": str(directory),
    }


def start_registry(
    directory: Path, inside: list[str], programs: Path, *, port: int = REGISTRY_PORT, login: str = ""
) -> subprocess.Popen[bytes]:
    """Start a registry inside. A login is a line of a password file."""
    configuration = directory / f"registry-{port}.yml"
    text = "version: 0.1\nlog: {level: warn}\n"
    text += f"storage: {{filesystem: {{rootdirectory: {directory / f'registry-{port}'}}}, delete: {{enabled: true}}}}\n"
    text += f"http: {{addr: '0.0.0.0:{port}'}}\n"
    if login:
        passwords = directory / f"registry-{port}.passwords"
        passwords.write_text(login + "\n")
        text += f"auth: {{htpasswd: {{realm: lab, path: {passwords}}}}}\n"
    configuration.write_text(text)
    program = programs / "usr/bin/docker-registry"
    with (directory / f"registry-{port}.log").open("ab") as log:
        return subprocess.Popen(
            [*inside, str(program) if program.exists() else "docker-registry", "serve", str(configuration)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def await_engine(engine: str, log: Path) -> str:
    """Wait until an engine answers at its socket, and return its version."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _listens(engine.removeprefix("unix://")):
        if time.monotonic() > deadline:
            raise NoLab(f"the engine did not come up: {log.read_text(errors='replace')[-500:]}")
        time.sleep(POLL_S)
    with contextlib.closing(docker.APIClient(base_url=engine, version="auto", timeout=START_TIMEOUT_S)) as api:
        return str(api.version()["Version"])


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _prepare(lab: Lab, archive: Path) -> None:
    """Make the swarm, build the image and push it."""
    with contextlib.closing(docker.APIClient(base_url=lab.engine, version="auto", timeout=120)) as api:
        api.init_swarm(advertise_addr=lab.address, listen_addr="0.0.0.0:2377")
        build_image(api, lab.image, archive)


def build_image(api: docker.APIClient, image: str, archive: Path) -> None:
    """Build the application's image and push it.

    Raises:
        NoLab: The engine or the registry refuses.
    """
    build_layer(api, image, archive, "zdd-lab/base", application_layer())


def build_layer(api: docker.APIClient, image: str, archive: Path, base: str, layer: bytes) -> None:
    """Build an image of a root file system and what comes on top of it, and push it.

    Raises:
        NoLab: The engine or the registry refuses.
    """
    api.import_image_from_file(str(archive), repository=base, tag="latest")
    context = io.BytesIO(layer)
    _follow(api.build(fileobj=context, custom_context=True, tag=image, rm=True, decode=True))
    repository, _, tag = image.rpartition(":")
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return _follow(api.push(repository, tag=tag, stream=True, decode=True))
        except (NoLab, APIError) as error:
            if "refused" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def _follow(lines: Iterable[dict[str, Any]]) -> None:
    for line in lines:
        if "error" in line:
            raise NoLab(str(line["error"]))


def stop_lab(pid: int, group: str, directory: Path) -> None:
    """End everything and remove the directory. Raises `NoLab` if something resists."""
    if pid:
        end_namespace(pid, group)
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise NoLab(f"{directory} can't be removed")
