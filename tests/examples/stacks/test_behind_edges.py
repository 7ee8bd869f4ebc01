"""The stacks behind Traefik and behind HAProxy: deployed by their scripts, which are calls of the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zdd.model.address import Address

pytestmark = pytest.mark.timeout(600)  # images are built and pushed, and several releases deployed
ROOT = Path(__file__).parents[3]


@pytest.fixture
def clients(lab_part: Any) -> Any:
    return lab_part("strict_clients")


def play(stand: Any, wait_until: Any, clients: Any, example: str, entrance: Address) -> dict[str, Any]:
    """Deploy the stack twice with its own script, the second time under load; return the second report."""
    folder, image = stand.copy(example), stand.facts["image"]
    stand.environment |= {"FRONT": image, "API": image}
    assert "site: succeeded" in stand.deploy(folder, "./deploy.sh")
    assert json.loads(stand.deploy(folder, "./deploy.sh", "--json", "--quiet"))["outcome"] == "unchanged"
    file = folder / "compose.yml"
    file.write_text(file.read_text().replace("    stop_grace_period: 10s\n", "    stop_grace_period: 11s\n"))
    requests = {clients.Request(path): 1 for path in ("/", "/api", "/sleep/0.7")}
    with clients.Load(entrance, requests).running() as load:
        wait_until(lambda: sum(load.answers.values()) >= 50, "both answer")
        report = json.loads(stand.deploy(folder, "./deploy.sh", "--json"))
    assert load.lost == []
    assert report["outcome"] == "succeeded"
    versions = {one["report"][key] for one in report["services"] for key in ("from_version", "to_version")}
    assert set(load.answers) == versions
    return dict(report)


def test_a_stack_behind_traefik(stand: Any, wait_until: Any, clients: Any) -> None:
    report = play(stand, wait_until, clients, "traefik-stack", stand.behind_traefik())
    assert [one["service"] for one in report["services"]] == ["site-api", "site-front"]


def test_a_stack_behind_haproxy(stand: Any, wait_until: Any, clients: Any) -> None:
    entrance = stand.behind_haproxy({"site-api": "/api", "site-front": "/"})
    report = play(stand, wait_until, clients, "haproxy-stack", entrance)
    strategies = {one["service"]: one["report"]["strategy"] for one in report["services"]}
    assert strategies == {"site-api": "Canary(steps=(20, 100), hold_s=1)", "site-front": "RollingUpdate()"}
