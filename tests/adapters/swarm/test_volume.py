"""A named volume of a real engine is saved and put back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from zdd.adapters.swarm.volume import Volume
from zdd.codec import decode, encode
from zdd.errors import BackupError, ConfigurationError

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
