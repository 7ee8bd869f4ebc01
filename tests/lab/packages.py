"""Programs of the distribution, unpacked into a folder of the lab's own: nothing is installed on the machine.

The ordinary apt client downloads them from the machine's own sources, with lists of the lab's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TIMEOUT_S = 300.0
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class NoLab(Exception):
    """The lab can't run here. The message says what it needs."""


def cache_directory() -> Path:
    """Return where what was fetched is kept for the next run."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zdd-lab"


def run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it wrote.

    Raises:
        NoLab: It failed. The message ends with what it said.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise NoLab(f"the program {command[0]} is needed") from None
    except subprocess.TimeoutExpired:
        raise NoLab(f"{' '.join(command[:3])} took longer than {TIMEOUT_S:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise NoLab(f"{' '.join(command[:3])} failed: {said}")
    return done.stdout


def unpacked(name: str, packages: Sequence[str], *, whole: bool = False) -> Path:
    """Return a folder into which the packages are unpacked, with what they depend on.

    Args:
        name: The folder's name in the cache. It is made once.
        packages: Names of packages.
        whole: Unpack everything down to the C library, for a root file system, and not only what the machine lacks.

    Raises:
        NoLab: They can't be had here.
    """
    return _kept(name, ", ".join(packages), lambda half: _fetch(packages, half, whole=whole))


def unpacked_from(suite: str, name: str, packages: Sequence[str]) -> Path:
    """Return a folder into which these packages of another release of the distribution are unpacked, and no others.

    Raises:
        NoLab: They can't be had here.
    """
    return _kept(name, f"{', '.join(packages)} of {suite}", lambda half: _fetch_from(suite, packages, half))


def _kept(name: str, what: str, fetch: Callable[[Path], None]) -> Path:
    """Return the folder of that name in the cache. It is fetched if it isn't there, and is whole once it is."""
    directory = cache_directory() / name
    if directory.is_dir():
        return directory
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise NoLab(f"{tool} is needed to fetch {what}: use a Debian machine")
    half = directory.with_name(f"{name}.half-{os.getpid()}")
    try:
        fetch(half)
        half.rename(directory)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return directory


def _fetch_from(suite: str, packages: Sequence[str], directory: Path) -> None:
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages")
    mirror = re.search(r"^(\S+/debian/?) main$", targets, re.MULTILINE)
    if mirror is None:
        raise NoLab(f"this machine's package sources name no Debian archive that could have {suite}")
    work = directory.with_suffix(".packages")
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    own = ["-o", f"Dir::Etc::SourceList={work}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null"]
    own += ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User="]
    try:
        for part in ("lists/partial", "cache/archives/partial"):
            (work / part).mkdir(parents=True)
        (work / "sources.list").write_text(f"deb {signed}{mirror[1]} {suite} main\n")
        run("apt-get", "-q", *own, "update")
        run("apt-get", "-q", *own, "download", *packages, cwd=work)
        directory.mkdir()
        for package in work.glob("*.deb"):
            run("dpkg", "-x", str(package), str(directory))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fetch(packages: Sequence[str], directory: Path, *, whole: bool) -> None:
    work = directory.with_suffix(".packages")
    lists = cache_directory() / "lists"
    own = ["-o", f"Dir::State::lists={lists}", "-o", "APT::Sandbox::User="]
    closure = ["-o", "Dir::State::status=/dev/null"] if whole else []
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True)
    try:
        run("apt-get", "-q", *own, "update")
        simulated = run("apt-get", "-q", *own, *closure, "install", "-s", "--no-install-recommends", *packages)
        missing = [line.split()[1] for line in simulated.splitlines() if line.startswith("Inst ")]
        if missing:
            run("apt-get", "-q", *own, "download", *missing, cwd=work)
        directory.mkdir()
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for _ in pool.map(lambda package: run("dpkg", "-x", str(package), str(directory)), work.glob("*.deb")):
                pass
    finally:
        shutil.rmtree(work, ignore_errors=True)
