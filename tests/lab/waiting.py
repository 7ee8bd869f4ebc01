"""Waiting for what has to come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.05


def wait_until(condition: Callable[[], Any], what: str, deadline_s: float = 90.0) -> Any:
    """Return the first answer of a condition that is not empty. It fails with what was awaited."""
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        time.sleep(POLL_S)
    return value
