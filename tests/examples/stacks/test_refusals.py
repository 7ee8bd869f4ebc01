"""What the swarm or the registry says no to: one message, status 2, and nothing is made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

FOREIGN = "version: '3.8'\nservices: {front: {image: '%s'}}\n"


@pytest.fixture
def folder(stand: Any) -> Path:
    stand.behind_haproxy({"site-api": "/api", "site-front": "/"})
    stand.environment |= {"FRONT": stand.facts["image"], "API": stand.facts["image"]}
    return Path(stand.copy("haproxy-stack"))


def services(stand: Any) -> dict[str, Any]:
    """Return what each service is to be. Its version says less: Swarm counts it up for what it writes itself."""
    return {one["Spec"]["Name"]: one["Spec"] for one in stand.api.services()}


def refusal(stand: Any, folder: Path, **environment: str) -> str:
    before = services(stand)
    done = stand.run(folder, "./deploy.sh", "--quiet", **environment)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("zdd: ")
    assert done.stderr.count("\n") == 1
    assert services(stand) == before
    return str(done.stderr)


def test_an_image_that_is_not_there(stand: Any, folder: Path) -> None:
    absent = f"{stand.facts['registry']}/absent:1"
    assert f"image {absent} can't be had from its registry" in refusal(stand, folder, API=absent)


def test_a_stack_that_is_somebody_else_s(stand: Any, folder: Path) -> None:
    client = [stand.facts["client"], "--host", stand.facts["engine"]]
    (folder / "foreign.yml").write_text(FOREIGN % stand.facts["image"])
    words = ["stack", "deploy", "--compose-file", "foreign.yml", "site"]
    subprocess.run([*client, *words], cwd=folder, check=True, capture_output=True, timeout=60)
    said = refusal(stand, folder)
    assert "stack site is there, and zdd did not deploy it (site_front)" in said
    assert "take it over with `--adopt`, which restarts nothing" in said
