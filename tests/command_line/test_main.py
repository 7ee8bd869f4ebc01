"""Bad input is one message and an exit status, before anything is touched."""

from __future__ import annotations

import subprocess
import sys
from typing import Any


def test_bad_input_is_refused_before_anything_is_touched(shell: Any) -> None:
    shell.deploy("1.0")
    before = shell.data("history", "web")
    refused = shell.deploy("3.0", "--floor", "7")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "zdd: floor of web is 7, above its 1 replicas" in refused.stderr
    missing = shell.run("deploy", "shop", "-f", "nowhere.yaml")
    assert missing.returncode == 2
    assert "nowhere.yaml" in missing.stderr
    assert shell.data("history", "web") == before


def test_what_cannot_work_is_one_line_and_status_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zdd", "mirror", "web", "--consul", "ftp://agent"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zdd: Consul address 'ftp://agent': use http://host:port or https://host:port\n"
