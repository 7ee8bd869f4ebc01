"""A machine of the lab's own inside this one: processes, network and mounts in namespaces of their own.

Its first process is the reaper ``tini``; when that ends, the kernel ends every other process in there, and the
mounts, bridges and packet filter rules go with the namespaces. So nothing can be left behind, whatever happens.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen
from packages import NoLab, run

START_TIMEOUT_S = 20.0
END_TIMEOUT_S = 20.0
NETWORKS = 64
ADDRESSES = tuple(f"10.213.{number}.2" for number in range(NETWORKS))
CONTROL_GROUPS = Path("/sys/fs/cgroup")


@frozen
class Namespace:
    """The running thing.

    Attributes:
        pid: Its first process, by the number that this machine knows it by.
        address: Where its network is reached from this machine.
        group: The name of its control group.
        process: What this process has started for it, to be waited for by who stays that long.
    """

    pid: int
    address: str
    group: str
    process: subprocess.Popen[bytes]

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs this one inside."""
        return ["nsenter", "-t", str(self.pid), "--net", "--pid", "--mount", *command]


def open_namespace(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Namespace:
    """Start a command as the main program of a namespace with a network that this machine reaches.

    Raises:
        NoLab: The kernel or the rights don't allow it.
    """
    process, pid = isolated(name, command, environment, log)
    try:
        return Namespace(pid, _connect(name, pid), name, process)
    except BaseException:
        end_namespace(pid, name)
        raise


def isolated(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, inside: Sequence[str] = ()
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command as the main program of namespaces that are connected to nothing yet.

    Args:
        name: The machine's name in there.
        command: The command.
        environment: Its environment.
        log: Where its output goes.
        inside: The command that leads into the namespace in which these are to be; none: this machine.

    Returns:
        What was started here, and its first process by the number that this machine knows it by.

    Raises:
        NoLab: The kernel or the rights don't allow it.
    """
    setup = 'hostname "$0" && ip link set lo up; mount -t tmpfs none /run; mkdir -p /run/docker; exec tini -- "$@"'
    unshare = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*inside, *unshare, "--propagation", "private", "sh", "-ec", setup, name, *command],
            env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    return process, _first_process(process, log)


def descendants(pid: int) -> list[int]:
    """Return every process that came of this one, nearest first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return found[1:]


def program_of(pid: int) -> str:
    """Return the name of the program that a process runs; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _first_process(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        for pid in descendants(process.pid):
            if program_of(pid) == "tini":
                return pid
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise NoLab(f"no namespaces can be made here: {log.read_text(errors='replace').strip()[-300:]}")


def _connect(name: str, pid: int) -> str:
    """Lay a cable between this machine and the namespace, with a network that nobody uses."""
    inside = ["nsenter", "-t", str(pid), "--net"]
    with (Path(tempfile.gettempdir()) / "zdd-lab-networks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another lab may be looking for a network of its own right now
        used = run("ip", "-4", "-o", "address")
        number = next((n for n in range(NETWORKS) if f" 10.213.{n}." not in used), None)
        if number is None:
            raise NoLab(f"all {NETWORKS} networks of the lab are in use: end one of the labs")
        here = f"zddlab{number}"
        run("ip", "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        run("ip", "address", "add", f"10.213.{number}.1/24", "dev", here)
    run("ip", "link", "set", here, "up")
    run(*inside, "ip", "address", "add", f"10.213.{number}.2/24", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")
    return ADDRESSES[number]


def end_namespace(pid: int, group: str) -> None:
    """End everything in it, and remove its control groups.

    Raises:
        NoLab: Something is still there after a while.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT_S
    while is_running(pid) or _has_control_groups(group):
        _remove_control_groups(group)
        if time.monotonic() > deadline:
            raise NoLab(f"process {pid} or a control group /{group} is still there after {END_TIMEOUT_S:g} s")
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _control_groups(group: str) -> list[Path]:
    roots = [CONTROL_GROUPS / group, *CONTROL_GROUPS.glob(f"*/{group}")]
    return [root for root in roots if root.is_dir()]


def _has_control_groups(group: str) -> bool:
    return bool(_control_groups(group))


def _remove_control_groups(group: str) -> None:
    for root in _control_groups(group):
        for directory, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):  # a process in it has not quite ended; it is tried again
                Path(directory).rmdir()
