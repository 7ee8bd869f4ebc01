"""An SSH server in the lab, with keys made on the spot, through which the lab's engine is reached."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define
from guard import guarded_process
from packages import NoLab, run, unpacked

PACKAGES = ("openssh-server",)
PORT = 2222
START_TIMEOUT_S = 20.0
POLL_S = 0.05


@define(eq=False)
class SshServer:
    """The running server.

    Attributes:
        address: Where the engine is, as DOCKER_HOST takes it.
        directory: Where a program ``ssh`` is that knows the keys, to be put first on PATH.
        known_hosts: The file with the server's key.
    """

    address: str
    directory: Path
    known_hosts: Path
    _process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(START_TIMEOUT_S)


def start_ssh(directory: Path, lab_pid: int, host: str, engine: str, client: str) -> SshServer:
    """Start a server in the lab.

    Args:
        directory: An empty directory for its state.
        lab_pid: The lab's first process.
        host: The lab's address.
        engine: The engine that is behind it.
        client: The docker client that is run there.

    Raises:
        NoLab: It can't be had; the message says what is needed.
    """
    programs = unpacked("ssh", PACKAGES)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name))
    commands = directory / "bin"
    commands.mkdir()
    (commands / "docker").symlink_to(client)
    (directory / "passwd").write_text(
        Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    )
    lines = [f"ListenAddress {host}:{PORT}", f"HostKey {directory}/host", f"AuthorizedKeysFile {directory}/user.pub"]
    lines += ["StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes", "PidFile none"]
    lines += [f"SetEnv PATH={commands}:/usr/bin:/bin DOCKER_HOST={engine}"]
    (directory / "server").write_text("\n".join(lines) + "\n")
    program = programs / "usr/sbin/sshd"
    setup = 'mount --bind "$0" /etc/passwd; mkdir -p /run/sshd; exec "$@"'
    server = [str(program) if program.exists() else "/usr/sbin/sshd", "-D", "-f", str(directory / "server")]
    inside = ["nsenter", "-t", str(lab_pid), "--net", "--mount", "unshare", "--mount", "--propagation", "private"]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            [*inside, "sh", "-ec", setup, str(directory / "passwd"), *server, "-e"],
            env=_environment(programs), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    guarded_process(process.pid)
    _await(process, host, directory / "log")
    known = directory / "known_hosts"
    known.write_text(f"[{host}]:{PORT} {(directory / 'host.pub').read_text()}")
    (commands / "ssh").write_text(
        f'#!/bin/sh\nexec /usr/bin/ssh -F none -i {directory}/user -o UserKnownHostsFile={known} "$@"\n'
    )
    (commands / "ssh").chmod(0o755)
    return SshServer(f"ssh://root@{host}:{PORT}", commands, known, process)


def _environment(programs: Path) -> Mapping[str, str]:
    libraries = ":".join(str(path) for path in sorted((programs / "usr/lib").glob("*-linux-gnu")))
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": libraries}


def _await(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, PORT)) == 0:
                return
        time.sleep(POLL_S)
    process.kill()
    process.wait(START_TIMEOUT_S)
    raise NoLab(f"no SSH server comes up: {log.read_text(errors='replace').strip()[-300:]}")
