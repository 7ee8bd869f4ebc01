"""The lab's command, as a test gives it: a lab that it brings up ends with the test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from guard import passed_on

NO_LAB = 3
"""The exit status that says that a lab can't run here, with the reason on standard error."""


def tell_lab(action: str) -> dict[str, Any]:
    """Give a command, and return what it answers. The test is skipped where a lab can't run."""
    environment, descriptors = passed_on()
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), action],
        env={**os.environ, **environment}, pass_fds=descriptors,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode == NO_LAB:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
