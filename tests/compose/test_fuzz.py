"""A few of the inputs that ``tests/compose/fuzz.py`` makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COUNT = 1500


def test_no_input_leads_to_anything_but_a_stack_or_a_refusal() -> None:
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "--count", str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith(f"of {COUNT}"), done.stdout
