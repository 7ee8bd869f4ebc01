"""A standby from the command line: in the place of what serves, back again, and on watch."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import pytest


def test_the_standby_takes_the_place_of_what_serves_and_gives_it_back(shell: Any) -> None:
    shell.deploy("primary")
    over = shell.data("failover", "web", "--version", "standby", run=shell.server)
    assert (over["from_version"], over["to_version"], over["outcome"]) == ("primary", "standby", "succeeded")
    assert shell.data("failback", "web")["to_version"] == "primary"
    quiet = shell.run("watch", "web", "--version", "standby", "--for", "0.5", "--interval", "0.1", run=shell.server)
    assert (quiet.returncode, quiet.stdout) == (0, "web did not fail\n")


def test_a_warm_standby_is_promoted_by_a_program_before_it_gets_traffic(shell: Any) -> None:
    shell.deploy("1.0")
    ready = shell.data("standby", "web", "--version", "replica", run=shell.server)
    assert (ready["from_version"], ready["to_version"], ready["outcome"]) == ("1.0", "replica", "succeeded")
    told = 'sh -c "echo promoted for $ZDD_TO_VERSION"'
    over = shell.data("failover", "web", "--version", "replica", "--action", told, run=shell.server)
    assert (over["to_version"], over["actions"][0]["note"]) == ("replica", "promoted for replica")
    assert [one["found"] for one in over["instances"] if one["version"] == "replica"] == [True]  # it ran already
    quoted = shell.run("failover", "web", "--version", "replica", "--action", 'sh -c "', run=shell.server)
    assert (quoted.returncode, quoted.stderr) == (2, "zdd: --action 'sh -c \"': No closing quotation\n")


def test_a_watch_over_a_warm_standby_asks_what_it_was_told_to(shell: Any) -> None:
    shell.deploy("2.0")
    words = (
        "--warm",
        "--health",
        "/nowhere",
        "--failures",
        "2",
        "--interval",
        "0.1",
        "--for",
        "30",
        "--action",
        "true",
    )
    over = shell.data("watch", "web", "--version", "replica-2", *words, run=shell.server)
    assert (over["to_version"], over["outcome"], over["actions"][0]["name"]) == ("replica-2", "succeeded", "true")


def test_a_standby_that_is_not_described_is_refused(shell: Any) -> None:
    shell.deploy("1.0")
    for command in ("standby", "failover", "watch"):
        refused = shell.run(command, "web")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "zdd: what web is to run is not said: give --version" in refused.stderr


@pytest.mark.parametrize(
    ("number", "status", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_watch_ends_by_a_signal_without_a_traceback(shell: Any, number: int, status: int, name: str) -> None:
    shell.deploy("primary")
    words = shell.words("watch", "web", "--version", "standby", "--interval", "0.1", run=shell.broken)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        assert "watching" in first, first
        running.send_signal(number)
        said = running.stderr.read()
        assert running.wait(90) == status
    assert said == f"zdd: ended by {name}\n"
