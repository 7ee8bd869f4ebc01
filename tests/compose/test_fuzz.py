"""A few of the inputs that ``tests/compose/fuzz.py`` makes, each time others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import zdd

COUNT = 1500


def test_no_input_leads_to_anything_but_a_stack_or_a_refusal() -> None:
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "--count", str(COUNT)]
    seed = str(abs(hash(zdd.__version__)) % 10_000_000)
    done = subprocess.run([*command, "--seed", seed], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stdout}{done.stderr}"
    assert done.stdout.strip().endswith(f"of {COUNT}"), done.stdout
