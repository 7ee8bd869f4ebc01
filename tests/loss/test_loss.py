"""`make loss` in small: nothing is lost, and the same clients lose something when the drain does not wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NO_LAB = 3


def count_losses(*arguments: str, removals: int = 6, requests: int = 500) -> tuple[int, dict[str, Any], str]:
    small = ("--requests", str(requests), "--removals", str(removals), "--replicas", "6", "--longest-s", "4")
    command = [sys.executable, str(Path(__file__).parent), *small]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=290, check=False)
    if done.returncode == NO_LAB:
        pytest.skip(done.stderr.strip())
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("case", ["traefik/blue-green/exit"])
def test_nothing_is_lost(case: str) -> None:
    status, verdict, told = count_losses(case)
    assert status == 0, told
    assert verdict["lost"] == 0
    assert verdict["removals"] >= 6
    assert verdict["requests"] >= 500
    (one,) = verdict["cases"]
    assert (one["edge"], one["strategy"], one["application"]) == tuple(case.split("/"))


ALL = pytest.mark.skipif(not os.environ.get("ZDD_TEST_ALL"), reason="takes a minute or more: ALL=1")


@ALL
@pytest.mark.timeout(300)
@pytest.mark.parametrize("edge", ["haproxy-overlay", "traefik-overlay"])
def test_nothing_is_lost_on_an_overlay_network(edge: str) -> None:
    status, verdict, told = count_losses(f"{edge}/rolling/exit", f"{edge}/blue-green/exit", removals=8)
    assert status == 0, told
    assert verdict["lost"] == 0
    assert verdict["removals"] >= 8
    assert [(one["edge"], one["strategy"]) for one in verdict["cases"]] == [(edge, "rolling"), (edge, "blue-green")]


# The same on the host is in tests/adapters/consul.
@ALL
@pytest.mark.timeout(300)
def test_without_the_wait_for_what_is_in_flight_something_is_lost() -> None:
    status, verdict, told = count_losses("haproxy/blue-green/exit", "--without", "idle")
    assert status == 1, told
    assert verdict["lost"] > 0
    assert verdict["cases"][0]["cut_websockets"] == 0


@ALL
@pytest.mark.timeout(300)
@pytest.mark.parametrize("more", [(), ("--without", "gone")], ids=["with", "without"])
def test_behind_an_edge_that_follows_late_requests_are_lost_only_without_the_wait_for_it_to_let_go(
    more: tuple[str, ...],
) -> None:
    status, verdict, told = count_losses("traefik/rolling/exit", "--slow-edge", "--load", "light", *more, requests=50)
    assert status == bool(more), told
    assert (verdict["lost"] > 0) == bool(more)


@ALL
@pytest.mark.timeout(300)
def test_swarms_own_update_is_counted_beside() -> None:
    _, verdict, told = count_losses("haproxy/blue-green/exit", "--deployer", "swarm")
    assert verdict["peer"]["removals"] >= 1, told
    (one,) = verdict["peer"]["cases"]
    assert one["requests"] >= 500
