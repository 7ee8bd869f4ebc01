"""A tag that names the content: the git revision, or a hash of everything that goes into the build."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from docker.utils.build import exclude_paths  # type: ignore[import-untyped]

from zdd.errors import ConfigurationError

_GIT_TIMEOUT_S = 30.0
_LENGTH = 12


def content_tag(directory: Path, dockerfile: str, target: str, arguments: Mapping[str, str]) -> str:
    """Return the git revision, if the folder is in a git work tree without changes; else a hash of its files.

    Whatever is not in the files, such as build arguments, goes into it too.

    Raises:
        ConfigurationError: There are changes in the folder that are not committed.
    """
    revision = _git(directory, "rev-parse", f"--short={_LENGTH}", "HEAD")
    if revision is None:
        return f"content-{_hash(_files(directory, dockerfile), dockerfile, target, arguments)}"
    changed = (_git(directory, "status", "--porcelain", "--", ".") or "").splitlines()
    if changed:
        raise ConfigurationError(
            f"{directory} has changes that git revision {revision} lacks, {changed[0][3:]} among them: commit them, "
            "or state a tag"
        )
    if (dockerfile, target) == ("Dockerfile", "") and not arguments:
        return revision
    return f"{revision}-{_hash('', dockerfile, target, arguments)}"


def _git(directory: Path, *words: str) -> str | None:
    """Return what git says; None if there is no git, no work tree, or no revision in it yet."""
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *words],  # noqa: S607 - the user's own git
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(f"git does not answer in {directory}: state a tag") from error
    return done.stdout.rstrip() if done.returncode == 0 else None


def _hash(files: str, dockerfile: str, target: str, arguments: Mapping[str, str]) -> str:
    text = json.dumps([files, dockerfile, target, dict(sorted(arguments.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def _files(directory: Path, dockerfile: str) -> str:
    """Return a hash of the files that the Engine would get: what ``.dockerignore`` leaves."""
    whole = hashlib.sha256()
    for name in sorted(exclude_paths(str(directory), ignored(directory), dockerfile=dockerfile)):
        path = directory / name
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = str(path.readlink()).encode()
        elif stat.S_ISREG(mode):
            content = path.read_bytes()
        else:
            content = b""
        described = json.dumps([name, stat.S_IFMT(mode), bool(mode & stat.S_IXUSR), len(content)])
        whole.update(described.encode() + b"\n" + content)
    return whole.hexdigest()


def ignored(directory: Path) -> list[str]:
    """Return the patterns of the ``.dockerignore``."""
    try:
        lines = (directory / ".dockerignore").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
