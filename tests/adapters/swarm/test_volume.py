"""A named volume of a real engine is saved and put back."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

import zdd
from zdd.adapters.embedded import Embedded
from zdd.adapters.swarm.volume import Volume
from zdd.codec import decode, encode
from zdd.errors import BackupError, ConfigurationError

sys.path.append(str(Path(__file__).parents[2] / "lab"))
from writers import free_port

FILL = """
cd /v; umask 022; mkdir -p a/b; echo one > a/b/file; head -c 700000 /dev/urandom > large; echo x > .hidden
ln -s b/file a/link; chown 1000:1000 a/b/file large .; chmod 640 large; chmod 750 .; : > 'with space'
"""


@pytest.fixture
def volume(swarm: Any) -> Iterator[Volume]:
    """An empty volume, and an image with the tools of a shell."""
    lines = [f"FROM {swarm.image}", 'RUN ["/bin/busybox", "--install", "-s", "/bin"]']
    list(swarm.api.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag="zdd-lab/tools", rm=True, decode=True))
    name = swarm.api.create_volume("zdd-test-data")["Name"]
    yield Volume(name, "zdd-lab/tools", docker_host=swarm.engine)
    swarm.api.remove_volume(name, force=True)


@pytest.fixture
def shell(swarm: Any) -> Callable[[str], str]:
    """Run a script with the volume at /v."""

    def run(script: str) -> str:
        words = ["--volume", "zdd-test-data:/v", "--network", "none", "--entrypoint", "sh", "zdd-lab/tools"]
        return str(swarm.client("run", "--rm", *words, "-c", script))

    return run


LIST = """
cd /v; find . -print0 | sort -z | xargs -0 stat -c '%n %F %a %u %g'; find . -type f -print0 | sort -z | xargs -0 md5sum
"""


def archive(*members: tuple[str, bytes, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return content.getvalue()


def test_a_volume_is_as_it_was_and_what_is_refused_leaves_it_so(
    volume: Volume, shell: Callable[[str], str], swarm: Any
) -> None:
    shell(FILL)
    before = shell(LIST)
    volume.check()
    assert decode(encode(volume)) == volume
    kept = list(volume.save())
    shell(
        "cd /v; echo spoiled > a/b/file; rm large 'with space'; rm a/link; mkdir later; echo y > later/.z; chmod 777 ."
    )
    assert shell(LIST) != before
    volume.load(kept)
    assert shell(LIST) == before
    assert shell("readlink /v/a/link") == "b/file"
    assert b"".join(volume.save()) == b"".join(kept)
    tricks = [
        ("../out", tarfile.REGTYPE, ""),
        ("/out", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../../etc"),
        ("device", tarfile.CHRTYPE, ""),
    ]
    for trick in tricks:
        with pytest.raises(BackupError, match="what was kept"):
            volume.load([archive(("fine", tarfile.REGTYPE, ""), trick)])
    with pytest.raises(BackupError, match="no tree of files"):
        volume.load([b"".join(kept)[:300_000]])
    assert shell(LIST) == before
    assert swarm.api.containers(all=True, filters={"label": "zdd.volume"}) == []


def test_what_can_not_be_restored_is_not_saved(volume: Volume, shell: Callable[[str], str], swarm: Any) -> None:
    shell("ln -s /etc/passwd /v/out")
    swarm.client("create", "--label", f"zdd.volume={volume.volume}", volume.image)  # as a deployer that is killed does
    with pytest.raises(BackupError, match=r"can't be restored safely.*outside the directory"):
        list(volume.save())
    assert swarm.api.containers(all=True, filters={"label": "zdd.volume"}) == []


def test_a_volume_that_is_not_there_is_told_beforehand_and_not_made(swarm: Any) -> None:
    absent = Volume("zdd-test-absent", swarm.image, docker_host=swarm.engine)
    with pytest.raises(ConfigurationError, match="node that holds it"):
        absent.check()
    with pytest.raises(BackupError):
        list(absent.save())
    with pytest.raises(docker.errors.NotFound):
        swarm.api.inspect_volume("zdd-test-absent")
    with pytest.raises(ConfigurationError, match="no Docker Engine answers"):
        Volume("data", swarm.image, docker_host="unix:///nowhere.sock").check()


@pytest.fixture
def small_volume(swarm: Any, volume: Volume) -> Iterator[Volume]:
    """A volume of 2 MB in memory, which stays mounted."""
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=2m"}
    name = swarm.api.create_volume("zdd-test-small", driver="local", driver_opts=options)["Name"]
    swarm.client("run", "--detach", "--volume", f"{name}:/v", "--entrypoint", "sleep", volume.image, "600")
    yield Volume(name, volume.image, docker_host=swarm.engine)
    swarm.clear()
    swarm.api.remove_volume(name, force=True)


def test_a_volume_without_room_for_both_is_as_it_was(small_volume: Volume, swarm: Any) -> None:
    holder = swarm.client("ps", "--quiet", "--filter", f"volume={small_volume.volume}")

    def run(script: str) -> str:
        return str(swarm.client("exec", holder, "sh", "-c", script))

    run("cd /v; head -c 1200000 /dev/urandom > orders; mkdir a; echo one > a/file")
    kept = list(small_volume.save())
    run("cd /v; echo spoiled > a/file")
    before = run(LIST)
    with pytest.raises(BackupError, match=r"is as it was: .*no space left on device"):
        small_volume.load(kept)
    assert run(LIST) == before
    run("cd /v; rm orders")
    small_volume.load(kept)
    assert b"".join(small_volume.save()) == b"".join(kept)


RESTORE = """
import pathlib, sys
from zdd.adapters.swarm.volume import Volume
Volume(*sys.argv[1:3], docker_host=sys.argv[3]).load([pathlib.Path(sys.argv[4]).read_bytes()])
"""


def test_an_exchange_whose_deployer_is_killed_in_the_middle_is_done_again_as_a_whole(
    volume: Volume, shell: Callable[[str], str], swarm: Any, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    shell("cd /v; for number in $(seq 800); do echo $number > file-$number; done")
    kept, before = tmp_path / "kept", shell(LIST)
    kept.write_bytes(b"".join(volume.save()))
    shell("cd /v; for number in $(seq 800); do echo spoiled > file-$number; done")
    spoiled = shell(LIST)
    command = [sys.executable, "-c", RESTORE, volume.volume, volume.image, str(volume.docker_host), str(kept)]
    deployer = subprocess.Popen(command)

    def begun() -> bool:
        found = swarm.api.containers(filters={"label": "zdd.volume", "status": "running"})
        assert deployer.poll() is None, "it ended before it could be killed"
        return bool(found)

    wait_until(begun, "the exchange is under way")
    deployer.send_signal(signal.SIGKILL)
    deployer.wait()
    swarm.client("kill", *[one["Id"] for one in swarm.api.containers(filters={"label": "zdd.volume"})])
    assert shell(LIST) not in (before, spoiled)  # parts of both
    volume.load([kept.read_bytes()])
    assert shell(LIST) == before
    assert swarm.api.containers(all=True, filters={"label": "zdd.volume"}) == []


DEPLOY = """
import json, sys
import zdd
from zdd.adapters.embedded import Embedded
from zdd.adapters.sqlite import SqliteJournal, SqliteLease
from zdd.adapters.swarm.orchestrator import SwarmOrchestrator
from zdd.adapters.swarm.volume import Volume

state, port, journal, kept, engine, volume, image, workload, what = sys.argv[1:]
edge = Embedded(state, port=int(port))
deployer = zdd.Deployer(
    SwarmOrchestrator(engine, poll_s=0.2), edge.discovery, [edge.edge],
    journal=SqliteJournal(journal), lease=SqliteLease(journal),
)
if what == "restore":
    deployer.restore("web")
else:
    backup = zdd.Backup([Volume(volume, image, docker_host=engine)], kept, while_stopped=True)
    service = zdd.Service("web", drain_deadline_s=2, stop_grace_s=3)
    deployer.deploy(service, zdd.Release("2.0", json.loads(workload)), backup + zdd.Recreate())
"""


class Killed:
    """A service with a volume, an edge that holds requests, and deployers that are killed while they work at it."""

    def __init__(self, swarm: Any, volume: Volume, base: Path, wait_until: Callable[..., Any]) -> None:
        self.swarm, self.volume, self.base, self.wait_until = swarm, volume, base, wait_until
        self.edge = Embedded(base / "state", port=free_port())
        self.service = zdd.Service("web", drain_deadline_s=2, stop_grace_s=3)
        mount = {"Type": "volume", "Source": volume.volume, "Target": "/data"}
        self.workload = swarm.workload()
        self.workload["service_spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"] = [mount]

    def helpers(self) -> list[Any]:
        return list(self.swarm.api.containers(all=True, filters={"label": "zdd.volume"}))

    def files(self) -> list[str]:
        return sorted(path.suffix for path in (self.base / "kept").rglob("*") if path.is_file())

    def answer(self) -> str:
        port = self.edge.edge.addresses(self.service)["http"].port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            return str(answer.read().decode())

    def kill(self, what: str) -> None:
        """Let a process of its own deploy or restore, and kill it as soon as it works at the volume."""
        places = [self.base / "state", self.edge.proxy.address.port, self.base / "journal", self.base / "kept"]
        about = [self.volume.docker_host, self.volume.volume, self.volume.image, json.dumps(self.workload), what]
        deployer = subprocess.Popen([sys.executable, "-c", DEPLOY, *map(str, [*places, *about])])

        def at_work() -> bool:
            assert deployer.poll() is None, "it ended before it could be killed"
            return bool(self.helpers())

        self.wait_until(at_work, "it works at the volume")
        deployer.send_signal(signal.SIGKILL)
        deployer.wait()


@pytest.fixture
def killed(swarm: Any, volume: Volume, tmp_path: Path, wait_until: Callable[..., Any]) -> Iterator[Killed]:
    one = Killed(swarm, volume, tmp_path, wait_until)
    yield one
    one.edge.stop_everything()
    swarm.clear()


def test_a_deployer_killed_in_the_middle_of_a_backup_and_of_a_restore_leaves_what_the_next_one_finishes(
    killed: Killed, make_deployer: Callable[..., zdd.Deployer], shell: Callable[[str], str]
) -> None:
    deployer = make_deployer(discovery=killed.edge.discovery, edges=[killed.edge.edge])
    deployer.deploy(killed.service, zdd.Release("1.0", killed.workload))
    shell("cd /v; echo one > orders; head -c 20000000 /dev/urandom > large")
    before = shell(LIST)
    with ThreadPoolExecutor(1) as clients:
        killed.kill("deploy")
        assert ".json" not in killed.files()
        held = clients.submit(killed.answer)
        assert deployer.resume("web").outcome is zdd.Outcome.SUCCEEDED
        assert held.result(60) == "2.0"
        assert (killed.helpers(), killed.files()) == ([], [".0", ".json"])
        assert shell(LIST) == before
        shell("cd /v; echo spoiled > orders")
        killed.kill("restore")
        held = clients.submit(killed.answer)
        assert deployer.resume("web").outcome is zdd.Outcome.SUCCEEDED
        assert held.result(60) == "2.0"
    assert (killed.helpers(), killed.files()) == ([], [".0", ".json"])
    assert shell(LIST) == before
    assert killed.edge.discovery.registrations(killed.service)[1] is False
    assert killed.answer() == "2.0"
