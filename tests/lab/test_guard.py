"""Whatever a test run has started ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from namespace import is_running

WITHIN_S = 20.0

OWNER = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine import PACKAGES, environment_of
from guard import guarded_lab, guarded_process
from namespace import open_namespace
from packages import NoLab, unpacked
ended, process = (subprocess.Popen(["sleep", seconds]) for seconds in ("0", "1000"))
guarded_process(process.pid)
guarded_process(ended.pid)
ended.wait()
told = [process.pid]
directory = Path(sys.argv[2])
directory.mkdir()
try:
    environment = environment_of([unpacked("engine", PACKAGES)], directory)
    lab = open_namespace("zdd-lab-guarded", ["sleep", "infinity"], environment, directory / "log")
    guarded_lab(lab.pid, lab.group, directory)
    told.append(lab.pid)
except NoLab as error:
    print(error, file=sys.stderr)
print(*told, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path, how: signal.Signals) -> None:
    words = [sys.executable, "-c", OWNER, str(Path(__file__).parent), str(tmp_path / "lab")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        running = [int(word) for word in owner.stdout.readline().split()]
        assert running
        assert all(map(is_running, running))
        os.kill(owner.pid, how)
    deadline_s = time.monotonic() + WITHIN_S
    while any(map(is_running, running)) or (len(running) > 1 and (tmp_path / "lab").exists()):
        assert time.monotonic() < deadline_s, f"left: {running}"
        time.sleep(0.02)
