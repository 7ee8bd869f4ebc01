"""Bring the lab up or down: ``make lab``, ``make lab-down``.

    python tests/lab up      bring it up, unless it is, and write what it is as one line of JSON
    python tests/lab down    end it; nothing is left
    python tests/lab database    bring it up, and build an image of PostgreSQL, with its driver for Python

The lab is a Docker Engine of its own with a one-node swarm and an image registry. It needs root on a Debian machine.
Elsewhere, name an engine that may be used freely: ZDD_LAB_ENGINE=unix:///run/docker.sock, with a swarm on it, and
ZDD_LAB_REGISTRY=127.0.0.1:5000, a registry that it can push to. What tests make there they remove.

ZDD_LAB_SUITE=trixie takes the engine of another release of Debian.

ZDD_LAB_DIRECTORY says where the lab keeps its state: with another directory, it is another lab.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException
from engine import REPOSITORY, Lab, build_image, build_layer, start_lab, stop_lab
from images import database_archive, database_layer, image_archive
from namespace import is_running
from packages import NoLab, cache_directory

NO_LAB = 3


def state_directory() -> Path:
    """Return where a running lab keeps its state: each checkout and each worker of a test run has its own."""
    checkout = zlib.crc32(str(Path(__file__).resolve()).encode())
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    suite = os.environ.get("ZDD_LAB_SUITE", "")
    default = Path(tempfile.gettempdir()) / f"zdd-lab-{os.geteuid()}-{checkout:08x}{worker}{suite}"
    return Path(os.environ.get("ZDD_LAB_DIRECTORY") or default).absolute()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep two from bringing up the same lab."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    lock = directory.with_name(directory.name + ".lock")
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def recorded(directory: Path) -> Lab | None:
    """Return the lab that was brought up there, running or not."""
    try:
        return Lab(**json.loads((directory / "lab.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def up() -> dict[str, object]:
    """Bring the lab up unless it is."""
    began_s = time.monotonic()
    named = os.environ.get("ZDD_LAB_ENGINE")
    if named:
        return {**named_lab(named).facts(), "fresh": False}
    directory = state_directory()
    with locked(directory):
        lab = recorded(directory)
        if lab is not None and is_running(lab.pid):
            return {**lab.facts(), "fresh": False}
        if directory.exists():
            stop_lab(lab.pid if lab else 0, lab.group if lab else "", directory)
        directory.mkdir(mode=0o700, parents=True)
        try:
            lab = start_lab(directory, os.environ.get("ZDD_LAB_SUITE", ""))
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        (directory / "lab.json").write_text(json.dumps(lab.facts()))
    return {**lab.facts(), "fresh": True, "took_s": round(time.monotonic() - began_s, 1)}


def named_lab(engine: str) -> Lab:
    """Use an engine that the user has named."""
    registry = os.environ.get("ZDD_LAB_REGISTRY")
    if not registry:
        raise NoLab("ZDD_LAB_ENGINE names an engine: name a registry that it can push to with ZDD_LAB_REGISTRY as well")
    image = f"{registry}/{REPOSITORY}:1"
    try:
        with closing(docker.APIClient(base_url=engine, version="auto", timeout=120)) as api:
            address = str(api.info()["Swarm"]["NodeAddr"])
            if not address:
                raise NoLab(f"the engine at {engine} is no swarm manager: run docker swarm init there")
            build_image(api, image, image_archive())
            version = str(api.version()["Version"])
    except DockerException as error:
        raise NoLab(f"the engine at {engine}: {error}") from None
    return Lab(engine, shutil.which("docker") or "", registry, registry, image, address, version)


def database() -> dict[str, object]:
    """Bring the lab up, and put the image of a database into its registry, unless it is there."""
    facts = up()
    image = f"{facts['registry']}/zdd-lab/postgresql:1"
    with closing(docker.APIClient(base_url=str(facts["engine"]), version="auto", timeout=120)) as api:
        if not api.images(name=image):
            build_layer(api, image, database_archive(), "zdd-lab/database-base", database_layer())
    return {**facts, "database": image}


def down() -> dict[str, object]:
    """End the lab."""
    directory = state_directory()
    with locked(directory):
        lab = recorded(directory)
        if lab is None and not directory.exists():
            return {"ended": False}
        stop_lab(lab.pid if lab else 0, lab.group if lab else "", directory)
    return {"ended": True}


def main() -> int:
    """Do what the only argument says."""
    actions = {"up": up, "down": down, "database": database}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(json.dumps(actions[sys.argv[1]]()))
    except NoLab as error:
        print(f"the lab can't run here: {error}", file=sys.stderr)
        return NO_LAB
    return 0


if __name__ == "__main__":
    sys.exit(main())
