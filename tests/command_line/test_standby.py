"""A standby from the command line: in the place of what serves, back again, and on watch."""

from __future__ import annotations

import signal
import subprocess
from typing import Any


def test_the_standby_takes_the_place_of_what_serves_and_gives_it_back(shell: Any) -> None:
    shell.deploy("primary")
    over = shell.data("failover", "web", "--version", "standby", run=shell.server)
    assert (over["from_version"], over["to_version"], over["outcome"]) == ("primary", "standby", "succeeded")
    assert shell.data("failback", "web")["to_version"] == "primary"
    quiet = shell.run("watch", "web", "--version", "standby", "--for", "0.5", "--interval", "0.1", run=shell.server)
    assert (quiet.returncode, quiet.stdout) == (0, "web did not fail\n")


def test_a_standby_that_is_not_described_is_refused(shell: Any) -> None:
    for command in ("failover", "watch"):
        refused = shell.run(command, "web")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "zdd: what web is to run is not said: give --version" in refused.stderr


def test_a_watch_ends_with_ctrl_c_without_a_traceback(shell: Any) -> None:
    shell.deploy("primary")
    words = shell.words("watch", "web", "--version", "standby", "--interval", "0.1", run=shell.broken)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        assert "watching" in first, first
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
        assert running.wait(90) == 130
    assert said == "zdd: ended by Ctrl-C\n"
