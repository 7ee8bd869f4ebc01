"""A process that is suspended does nothing any more when `suspend` returns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
import suspended

BUSY = """
import threading
for _ in range(8):
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
print("busy", flush=True)
input()
"""


def test_every_thread_has_stopped_and_goes_on_afterwards() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        threads = sorted(Path(f"/proc/{process.pid}/task").iterdir())
        assert len(threads) == 9
        for _ in range(20):
            with suspended.suspended(process.pid):
                assert [suspended._state(thread) for thread in threads] == ["T"] * 9
        process.communicate("\n", timeout=20)
    assert process.returncode == 0


def test_one_that_can_not_be_stopped_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspended, "TIMEOUT_S", 0.01)
    monkeypatch.setattr(suspended.signal, "SIGSTOP", 0)  # asks only whether the process is there
    with pytest.raises(TimeoutError, match=rf"process {os.getpid()} was told to stop; 0.01 s later"):
        suspended.suspend(os.getpid())
