"""A tag names the content."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from zdd.adapters.swarm.image_tag import content_tag
from zdd.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    made = tmp_path / "web"
    made.mkdir()
    (made / "Dockerfile").write_text("FROM scratch\n")
    (made / "server.py").write_text("print('1')\n")
    return made


def git(folder: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org"}
    done = subprocess.run(
        ["git", "-C", str(folder), *words],  # noqa: S607 - the user's own git
        env={**os.environ, **who}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def tag(folder: Path, **arguments: str) -> str:
    return content_tag(folder, "Dockerfile", "", arguments)


def test_a_git_revision_without_changes(folder: Path) -> None:
    git(folder, "init", "--quiet")
    assert tag(folder).startswith("content-")  # there is no revision yet
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    revision = git(folder, "rev-parse", "--short=12", "HEAD")
    assert tag(folder) == revision
    assert tag(folder, COLOUR="blue").startswith(f"{revision}-")
    assert tag(folder, COLOUR="blue") != tag(folder, COLOUR="red")
    (folder / "server.py").write_text("print('2')\n")
    with pytest.raises(ConfigurationError, match=rf"changes that git revision {revision} lacks, server\.py among them"):
        tag(folder)


def test_a_hash_of_the_files_where_there_is_no_git(folder: Path) -> None:
    first = tag(folder)
    assert first.startswith("content-")
    (folder / "server.py").touch()
    assert tag(folder) == first
    seen = {first, tag(folder, COLOUR="blue")}
    (folder / "server.py").chmod(0o755)
    seen.add(tag(folder))
    (folder / "server.py").write_text("print('2')\n")
    seen.add(tag(folder))
    (folder / "link").symlink_to("server.py")
    seen.add(tag(folder))
    assert len(seen) == 5


def test_what_is_ignored_does_not_count(folder: Path) -> None:
    (folder / ".dockerignore").write_text("# not for the image\n*.log\n")
    first = tag(folder)
    (folder / "debug.log").write_text("much")
    assert tag(folder) == first
